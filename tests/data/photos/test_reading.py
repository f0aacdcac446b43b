import os
import struct
from contextlib import nullcontext
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_kinds import animated, encoded, exif_of, png
from PIL import ExifTags, Image, ImageFile
from raw_photo import dng

from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo, photo_defect
from tagsight.errors import DataError, TooLargeError

RED, WHITE = (255, 0, 0), (255, 255, 255)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
CORNER = Image.new("RGB", (3, 2), "white")
CORNER.putpixel((0, 0), RED)
HALVES = Image.new("RGB", (64, 32), "red")
HALVES.paste("blue", (0, 0, 32, 32))


def colours(photo: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(colour) for colour in np.asarray(photo).reshape(-1, 3).tolist()]


def grey(values, dtype) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=dtype))


def test_photos_of_telephones_are_read_upright(tmp_path, monkeypatch):
    pytest.importorskip("pillow_heif")
    heic = tmp_path / "IMG_0001.HEIC"
    heic.write_bytes(encoded(HALVES, "HEIF", exif=exif_of(6), quality=95))
    photo = open_photo(heic)
    assert photo.size == (32, 64)
    np.testing.assert_allclose(photo.getpixel((16, 8)), (0, 0, 255), atol=6)
    np.testing.assert_allclose(photo.getpixel((16, 56)), RED, atol=6)
    assert list(find_photos([tmp_path])) == [heic]
    monkeypatch.setattr("tagsight.data.photos.reading._formats", lambda: ["JPEG", "PNG"])
    with pytest.raises(DataError, match=r"IMG_0001.HEIC: expected the extra 'heif' for this kind"):
        open_photo(heic)


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 32)), (6, (32, 64))])
def test_of_a_raw_photo_the_preview_is_read_upright(tmp_path, orientation, size):
    pytest.importorskip("rawpy")
    path = tmp_path / "1.DNG"
    path.write_bytes(dng(encoded(HALVES, "JPEG", quality=95), orientation))
    photo = open_photo(path)
    assert photo.size == size
    np.testing.assert_allclose(photo.getpixel((4, 4)), (0, 0, 255), atol=12)
    assert list(find_photos([tmp_path])) == [path]
    path.write_bytes(b"II*\0 and no more")
    with pytest.raises(DataError, match=r"1.DNG: expected a raw photo, got one .*\([A-Z]"):
        open_photo(path)


@pytest.mark.parametrize("preview", [None, encoded(HALVES, "JPEG")])
def test_a_raw_photo_without_a_preview_that_is_large_enough_is_developed(tmp_path, preview):
    pytest.importorskip("rawpy")
    path = tmp_path / "1.DNG"
    path.write_bytes(dng(preview, orientation=6, width=1200, height=1100))
    assert open_photo(path).size == (550, 600)
    path.write_bytes(dng(preview, width=600, height=400))
    assert open_photo(path).size == (600, 400)
    with pytest.raises(TooLargeError, match=r"1.DNG: expected a raw photo with a preview, or one"):
        open_photo(path, max_memory=3_000_000)


@pytest.mark.parametrize(
    ("kind", "orientation"),
    [*(("PNG", orientation) for orientation in range(1, 9)), ("TIFF", 6), ("WEBP", 8)],
)
def test_every_orientation_ends_upright_and_only_once(kind, orientation):
    turns = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270"
    undo = dict(enumerate(turns.split(), start=2))
    lying = CORNER.copy()
    if orientation != 1:
        lying = CORNER.transpose(Image.Transpose[undo[orientation]])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    upright = open_photo(encoded(lying, kind, exif=exif_of(orientation), **options))
    assert colours(upright) == colours(open_photo(upright)) == colours(CORNER)


def test_broken_metadata_do_not_spoil_a_photo():
    content = encoded(CORNER, "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert colours(open_photo(content)) == colours(CORNER)


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
def test_every_mode_becomes_rgb_on_white(photo, expected):
    opened = open_photo(photo)
    assert (opened.mode, colours(opened)) == ("RGB", [expected])


def test_cmyk_jpegs_have_their_colours():
    # Pillow writes the inverted values that Adobe uses, and a marker that says so.
    content = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    np.testing.assert_allclose(open_photo(content).getpixel((0, 0)), RED, atol=15)
    # Without the marker, 0 is no ink.
    content = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 255)), "JPEG", quality=95)
    place = content.index(b"Adobe") - 4
    length = int.from_bytes(content[place + 2 : place + 4], "big")
    plain = open_photo(content[:place] + content[place + 2 + length :])
    np.testing.assert_allclose(plain.getpixel((0, 0)), RED, atol=15)


def test_a_transparent_colour_becomes_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert colours(open_photo(encoded(palette, kind, transparency=1))) == [RED, WHITE]
    assert colours(open_photo(encoded(CORNER, "PNG", transparency=RED))) == [WHITE] * 6


@pytest.mark.parametrize(
    ("photo", "values"),
    [
        (encoded(grey([0, 257, 32896, 65535], np.uint16), "PNG"), [0, 1, 128, 255]),
        (encoded(grey([0, 257, 32896, 65535], np.int32), "TIFF"), [0, 1, 128, 255]),
        (encoded(grey([0, 1 / 255, 128 / 255, 1], np.float32), "TIFF"), [0, 1, 128, 255]),
        (encoded(grey([0, 1, 128, 255], np.float32), "TIFF"), [0, 1, 128, 255]),
        (encoded(grey([-100, -99, 28, 155], np.float32), "TIFF"), [0, 1, 128, 255]),
        (encoded(grey([-100, -99, 28, 155], np.int32), "TIFF"), [0, 1, 128, 255]),
        (b"P5 2 1 65535\n" + struct.pack(">HH", 65535, 257), [255, 1]),  # big-endian
        (grey([np.nan, np.inf, -np.inf, 1.0], np.float32), [0, 0, 0, 255]),
        (grey([-5, -5], np.float32), [0, 0]),
        (Image.new("LAB", (1, 1), (255, 128, 128)), [254]),
    ],
    ids=range(10),
)
def test_deep_grey_is_scaled_and_not_clipped(photo, values):
    assert [red for red, _, _ in colours(open_photo(photo))] == values


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert colours(open_photo(animated(kind, 4, **options))) == [RED] * 16


def test_every_kind_of_source_gives_the_same_photo(tmp_path):
    path = tmp_path / "corner.jpg"  # the content decides, not the name
    path.write_bytes(encoded(CORNER, "PNG"))
    with path.open("rb") as file:
        photos = [open_photo(source) for source in (path, path.read_bytes(), file, CORNER)]
    assert all(colours(photo) == colours(CORNER) for photo in photos)


def test_a_photo_that_was_given_opened_stays_as_it_is():
    given_photo = Image.open(BytesIO(encoded(CORNER, "PNG", exif=exif_of(6))))
    assert open_photo(given_photo).size == (2, 3)
    assert given_photo.size == (3, 2)
    assert given_photo.getexif()[ExifTags.Base.Orientation] == 6
    assert colours(given_photo) == colours(CORNER)


@pytest.mark.parametrize(
    ("kind", "share"),
    [*((kind, 0.5) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")), ("PNG", 0.9)],
)
def test_a_truncated_photo_is_refused_with_its_path(tmp_path, kind, share):
    content = encoded(NOISE, kind)
    path = tmp_path / "photo"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=f"^{path}: expected a"):
        open_photo(path)
    assert photo_defect(path.read_bytes())


@pytest.mark.parametrize("progressive", [False, True])
@given(cut=st.floats(0, 1))
@settings(max_examples=25)
def test_a_jpeg_decoded_small_shows_every_truncation_that_decoding_shows(progressive, cut):
    content = encoded(NOISE, "JPEG", quality=90, progressive=progressive)
    content = content[: int(cut * len(content))]
    with nullcontext() if photo_defect(content) is None else pytest.raises(DataError):
        open_photo(content)


@given(content=st.binary(), kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"]))
@settings(max_examples=60)
def test_malicious_bytes_are_refused_or_opened_but_never_crash(content, kind):
    sound = encoded(NOISE.crop((0, 0, 8, 8)), kind)
    damaged = sound[: len(sound) // 2] + content + sound[len(sound) // 2 + len(content) :]
    for source in (content, damaged):
        try:
            assert open_photo(source, max_pixels=10_000).mode == "RGB"
        except DataError:
            assert photo_defect(source, max_pixels=10_000)


def test_the_limits_on_pixels_hold_before_decoding():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    for side, limit, message in (
        (16_000, 10**12, "expected at most 178,956,970 pixels, Pillow's own limit, got more"),
        (60_000, 10**12, "expected at most 178,956,970 pixels, Pillow's own limit, got more"),
        (1000, 999_999, "expected 1 to 999,999 pixels, got 1,000 x 1,000: save a smaller copy"),
        (1000, 1_000_000, "expected a whole photo"),
    ):
        with pytest.raises(DataError, match=message):
            open_photo(png(side, 8, 2, []), max_pixels=limit)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.touch(), "an empty file"),
        (lambda path: path.mkdir(), "expected a photo, got a folder or device"),
        (os.mkfifo, "expected a photo, got a folder or device"),
        (lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "a file of PostScript"),
    ],
    ids=["missing", "empty", "folder", "pipe", "program"],
)
def test_what_is_no_photo_is_refused_with_its_path(tmp_path, make, message):
    path = tmp_path / "photo.jpg"
    make(path)
    with pytest.raises(DataError, match=f"^{path}: .*{message}"):
        open_photo(path)
