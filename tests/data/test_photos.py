from __future__ import annotations

import os
import struct
import zlib
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile
from raw_photo import dng

from tagsight.data.photo_files import find_photos
from tagsight.data.photos import open_photo, photo_defect
from tagsight.errors import DataError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(photo: Image.Image, kind: str, **options) -> bytes:
    file = BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


def colours(photo: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(colour) for colour in np.asarray(photo).reshape(-1, 3).tolist()]


def grey(values, dtype) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=dtype))


def noise(width: int = 96, height: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_that_claims(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT"


def corner() -> Image.Image:
    photo = Image.new("RGB", (3, 2), "white")
    photo.putpixel((0, 0), RED)
    return photo


def halves() -> Image.Image:
    photo = Image.new("RGB", (64, 32), "red")
    photo.paste("blue", (0, 0, 32, 32))
    return photo


@pytest.fixture
def heic(tmp_path: Path) -> Path:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / "IMG_0001.HEIC"
    halves().save(path, "HEIF", exif=exif.tobytes(), quality=95)
    return path


def test_photos_of_telephones_are_read_upright(heic: Path, monkeypatch) -> None:
    photo = open_photo(heic)
    assert photo.size == (32, 64)
    top, bottom = photo.getpixel((16, 8)), photo.getpixel((16, 56))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    np.testing.assert_allclose(top, (0, 0, 255), atol=6)
    np.testing.assert_allclose(bottom, (255, 0, 0), atol=6)
    assert list(find_photos([heic.parent])) == [heic]
    monkeypatch.setattr("tagsight.data.photos._formats", lambda: ["JPEG", "PNG"])
    with pytest.raises(DataError, match=r"IMG_0001.HEIC: expected the extra 'heif' for this kind"):
        open_photo(heic)


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_a_raw_photo_the_preview_is_read_upright(tmp_path, orientation: int) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "1.DNG"
    path.write_bytes(dng(encoded(halves(), "JPEG", quality=95), orientation))
    photo = open_photo(path)
    assert photo.size == ((64, 32) if orientation == 1 else (32, 64))
    first = photo.getpixel((4, 4))
    assert isinstance(first, tuple)
    np.testing.assert_allclose(first, (0, 0, 255), atol=12)
    assert list(find_photos([tmp_path])) == [path]
    for content in (dng(None), b"II*\0 and no more"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"1.DNG: expected a readable photo, got: "):
            open_photo(path)


@pytest.mark.parametrize(
    ("kind", "orientation"),
    [*(("PNG", orientation) for orientation in range(1, 9)), ("TIFF", 6), ("WEBP", 8)],
)
def test_every_orientation_ends_upright_and_only_once(kind, orientation) -> None:
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    lying = corner() if undo is None else corner().transpose(undo)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    upright = open_photo(encoded(lying, kind, exif=exif, **options))
    assert colours(upright) == colours(corner())
    assert colours(open_photo(upright)) == colours(corner())


def test_broken_metadata_do_not_spoil_a_photo() -> None:
    content = encoded(corner(), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert colours(open_photo(content)) == colours(corner())


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (Image.new("L", (1, 1), 7), (7, 7, 7)),
        (Image.new("1", (1, 1), 1), WHITE),
        (Image.new("RGB", (1, 1), "red").quantize(4), RED),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), RED),
        (Image.new("YCbCr", (1, 1), (255, 128, 128)), WHITE),
        (Image.new("HSV", (1, 1), (0, 255, 255)), RED),
        (Image.new("LA", (1, 1), (0, 0)), WHITE),
        (Image.new("RGBA", (1, 1), (255, 0, 0, 255)), RED),
        (Image.new("RGBA", (1, 1), (255, 0, 0, 0)), WHITE),
        (Image.new("RGBA", (1, 1), (0, 0, 0, 51)), (204, 204, 204)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_rgb_on_white(photo, expected) -> None:
    opened = open_photo(photo)
    assert opened.mode == "RGB"
    assert colours(opened) == [expected]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpegs_have_their_colours(adobe) -> None:
    # Pillow writes the inverted values that Adobe uses, and a marker that says so.
    content = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in content
    if not adobe:
        place = content.index(b"Adobe") - 4
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        plain = content[:place] + content[place + 2 + length :]
        assert open_photo(plain).mode == "RGB"
    else:
        red, green, blue = colours(open_photo(content))[0]
        assert red > 240
        assert green < 15
        assert blue < 15


def test_a_transparent_colour_becomes_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert colours(open_photo(encoded(palette, kind, transparency=1))) == [RED, WHITE]
    assert colours(open_photo(encoded(corner(), "PNG", transparency=RED))) == [WHITE] * 6


@pytest.mark.parametrize(
    ("photo", "kind"),
    [
        (grey([0, 257, 32896, 65535], np.uint16), "PNG"),
        (grey([0, 257, 32896, 65535], np.int32), "TIFF"),
        (grey([0, 1 / 255, 128 / 255, 1], np.float32), "TIFF"),
        (grey([0, 1, 128, 255], np.float32), "TIFF"),
        (grey([-100, -99, 28, 155], np.float32), "TIFF"),
        (grey([-100, -99, 28, 155], np.int32), "TIFF"),
    ],
)
def test_deep_grey_is_scaled_and_not_clipped(photo, kind) -> None:
    values = [red for red, _, _ in colours(open_photo(encoded(photo, kind)))]
    assert values == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("photo", "values"),
    [
        (b"P5 2 1 65535\n" + struct.pack(">HH", 65535, 257), [255, 1]),
        (grey([np.nan, np.inf, -np.inf, 1.0], np.float32), [0, 0, 0, 255]),
        (grey([-5, -5], np.float32), [0, 0]),
        (Image.new("LAB", (1, 1), (255, 128, 128)), [254]),
    ],
    ids=["big-endian", "no numbers", "flat", "lab"],
)
def test_odd_deep_grey_is_scaled(photo, values) -> None:
    opened = [red for red, _, _ in colours(open_photo(photo))]
    assert opened == values


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(kind) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert colours(open_photo(content)) == [RED] * 16


def test_every_kind_of_source_gives_the_same_photo(tmp_path) -> None:
    content = encoded(corner(), "PNG")
    path = tmp_path / "corner.jpg"  # the content decides, not the name
    path.write_bytes(content)
    with path.open("rb") as file:
        photos = [open_photo(source) for source in (path, content, file, corner())]
    assert all(colours(photo) == colours(corner()) for photo in photos)


def test_a_photo_that_was_given_opened_stays_as_it_is() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    given_photo = Image.open(BytesIO(encoded(corner(), "PNG", exif=exif)))
    assert open_photo(given_photo).size == (2, 3)
    assert given_photo.size == (3, 2)
    assert given_photo.getexif()[ExifTags.Base.Orientation] == 6
    assert colours(given_photo) == colours(corner())


@pytest.mark.parametrize(
    ("kind", "share"),
    [*((kind, 0.5) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")), ("PNG", 0.9)],
)
def test_a_truncated_photo_is_refused_with_its_path(tmp_path, kind, share) -> None:
    content = encoded(noise(), kind)
    path = tmp_path / "photo"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=f"^{path}: expected a"):
        open_photo(path)
    assert photo_defect(path.read_bytes())


@pytest.mark.parametrize("progressive", [False, True])
@given(cut=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_a_jpeg_decoded_small_shows_every_truncation_that_decoding_shows(progressive, cut) -> None:
    content = encoded(noise(), "JPEG", quality=90, progressive=progressive)
    content = content[: int(cut * len(content))]
    with nullcontext() if photo_defect(content) is None else pytest.raises(DataError):
        open_photo(content)


@given(content=st.binary(), kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"]))
@settings(max_examples=60, deadline=None)
def test_malicious_bytes_are_refused_or_opened_but_never_crash(content, kind) -> None:
    sound = encoded(noise(8, 8), kind)
    damaged = sound[: len(sound) // 2] + content + sound[len(sound) // 2 + len(content) :]
    for source in (content, damaged):
        try:
            assert open_photo(source, max_pixels=10_000).mode == "RGB"
        except DataError:
            assert photo_defect(source, max_pixels=10_000)


def test_the_limits_on_pixels_hold_before_decoding() -> None:
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    for side in (16_000, 60_000):
        with pytest.raises(DataError, match="within Pillow's own limit"):
            open_photo(png_that_claims(side, side), max_pixels=10**12)
    content = png_that_claims(1000, 1000)
    with pytest.raises(DataError, match="expected 1 to 999,999 pixels, got 1,000 x 1,000"):
        open_photo(content, max_pixels=999_999)
    with pytest.raises(DataError, match="expected a readable photo"):
        open_photo(content, max_pixels=1_000_000)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.touch(), "a file of another kind"),
        (lambda path: path.mkdir(), "expected a photo, got a folder or device"),
        (os.mkfifo, "expected a photo, got a folder or device"),
        (lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "a file of another kind"),
    ],
    ids=["missing", "empty", "folder", "pipe", "program"],
)
def test_what_is_no_photo_is_refused_with_its_path(tmp_path, make, message) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    with pytest.raises(DataError, match=f"^{path}: .*{message}"):
        open_photo(path)


def test_the_shared_photos_open_the_two_greyscale_ones_too(shared_data) -> None:
    modes = []
    for path in find_photos([shared_data / "coco-256"]):
        with Image.open(path) as photo:
            modes.append(photo.mode)
            assert open_photo(photo).mode == "RGB"
    assert (modes.count("RGB"), modes.count("L")) == (254, 2)
