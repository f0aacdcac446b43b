"""Photos whose pixels are easily misread, and files that are taken for photos."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from photo_kinds import encoded
from PIL import Image

from tagsight.data.photos.reading import open_photo, photo_defect
from tagsight.errors import DataError

SHADES = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
COLOURS = np.stack([SHADES, SHADES.T, 255 - SHADES], axis=-1)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))


def tiff(
    values: np.ndarray, *, kind: int = 1, bits: int | None = None, planar: int = 1, meaning: int
) -> bytes:
    """A TIFF of one strip, or of one for each plane, written without any library.

    Args:
        values: ``(H, W)`` or ``(H, W, samples)``.
        kind: Format of samples: 1 without a sign, 2 with one, 3 floating-point.
        bits: Bits of a sample, if the values are packed.
        planar: 1 for samples together, 2 for planes.
        meaning: 0 if zero is white, 1 if it is black, 2 for RGB.
    """
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else values.shape[2]
    parts = [values] if planar == 1 else [values[..., band] for band in range(samples)]
    strips = [part.astype(values.dtype.newbyteorder("<")).tobytes() for part in parts]
    tags = {
        256: [width],
        257: [height],
        258: [bits or 8 * values.itemsize] * samples,
        259: [1],
        262: [meaning],
        273: [0] * len(strips),
        277: [samples],
        278: [height],
        279: [len(strip) for strip in strips],
        284: [planar],
        339: [kind] * samples,
    }
    start = 10 + 12 * len(tags)
    listed, far = b"", b""
    ends = np.cumsum([0, *tags[279]])
    size = sum(4 * len(content) for content in tags.values() if len(content) > 1)
    tags[273] = [start + 4 + size + int(end) for end in ends[:-1]]
    for tag, content in tags.items():
        packed = struct.pack(f"<{len(content)}I", *content)
        if len(content) > 1:
            packed, far = struct.pack("<I", start + 4 + len(far)), far + packed
        listed += struct.pack("<HHI", tag, 4, len(content)) + packed
    header = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return header + listed + bytes(4) + far + b"".join(strips)


def seen(content: bytes) -> np.ndarray:
    return np.asarray(open_photo(content))


@pytest.mark.parametrize(
    "content",
    [
        tiff(SHADES, meaning=1),
        tiff(255 - SHADES, meaning=0),
        tiff(SHADES.astype(np.uint16) * 257, meaning=1),
        tiff(65535 - SHADES.astype(np.uint16) * 257, meaning=0),
        tiff(1 - SHADES.astype(np.float32) / 255, kind=3, meaning=0),
        tiff(SHADES.astype(np.float32) / 255 * 3, kind=3, meaning=1),
        tiff((SHADES * 128.5).astype(np.int16), kind=2, meaning=1),
        tiff(SHADES.astype(np.uint32) * (2**24 + 2**16 + 2**8 + 1), meaning=1),
    ],
    ids=["8", "8 inverted", "16", "16 inverted", "float inverted", "HDR", "16 signed", "32"],
)
def test_grey_of_every_depth_is_as_in_8_bits(content):
    np.testing.assert_allclose(seen(content)[..., 0], SHADES, atol=1)


def test_12_bits_are_scaled_by_their_white():
    values = np.round(SHADES / 255 * 4095).astype(int).reshape(8, 4, 2)
    first, second = values[..., 0], values[..., 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    content = tiff(packed.reshape(8, 12).astype(np.uint8), bits=12, meaning=1)
    width = content.index(struct.pack("<HHII", 256, 4, 1, 12))
    content = content[: width + 8] + struct.pack("<I", 8) + content[width + 12 :]
    np.testing.assert_allclose(seen(content)[..., 0], SHADES, atol=1)


def test_colours_of_16_bits_are_those_of_8_or_refused():
    deep = COLOURS.astype(np.uint16) * 257
    np.testing.assert_array_equal(seen(tiff(deep, meaning=2)), COLOURS)
    np.testing.assert_array_equal(seen(tiff(COLOURS, planar=2, meaning=2)), COLOURS)
    with pytest.raises(
        DataError, match=r"got 16 bits in separate planes.*: save it as interleaved"
    ):
        open_photo(tiff(deep, planar=2, meaning=2))


def test_a_transparent_value_of_16_bits_becomes_white():
    rows = [b"\0" + row.astype(">u2").tobytes() for row in SHADES.astype(np.uint16) * 257]
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    assert seen(content)[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(seen(content)[1:, :, 0], SHADES[1:])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_whose_end_is_zeros_is_refused_and_one_with_more_behind_it_is_not(progressive):
    whole = encoded(NOISE, "JPEG", progressive=progressive, exif=thumbnail())
    for kept in (0.4, 0.9, 0.999):
        cut = int(kept * len(whole))
        content = whole[:cut] + bytes(len(whole) - cut + 100_000)
        assert "expected a whole photo, got one that is cut off" in (photo_defect(content) or "")
    for behind in (b"\0" * 100_000, b"\xff\xda" * 50_000, whole):
        assert photo_defect(whole + behind) is None


def thumbnail() -> bytes:
    """Metadata with a small JPEG, whose end is not that of the photo."""
    exif = Image.Exif()
    exif[0x927C] = encoded(NOISE.resize((8, 8)), "JPEG")
    return exif.tobytes()


def test_a_photo_of_several_is_read_where_only_the_first_is_whole():
    content = encoded(NOISE, "MPO", save_all=True, append_images=[NOISE])
    with Image.open(BytesIO(content)) as photo:
        assert photo.format == "MPO"
    assert photo_defect(content[: 3 * len(content) // 4]) is None
    assert "cut off" in (photo_defect(content[: len(content) // 4]) or "")


@pytest.mark.parametrize(
    "content",
    [
        encoded(NOISE, "TIFF", compression="tiff_lzw")[:-60],
        *(encoded(NOISE, "JPEG")[:kept] for kept in (60, 2000)),
        encoded(NOISE, "WEBP")[:-1],
    ],
    ids=["TIFF", "JPEG in its header", "JPEG", "WebP"],
)
def test_a_photo_that_is_cut_off_is_told_as_such(content):
    assert "that is cut off" in (photo_defect(content) or "")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (bytes(4000), "only zeros, as an interrupted copy leaves them"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page: download the photo again"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg/>", "a drawing in SVG"),
        (b'{"error": 404}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "'git lfs pull' fetches the photo"),
        (b"%PDF-1.4", "a PDF"),
        (b"8BPS\0\1", "a file of Photoshop: export it as JPEG or PNG"),
        (b"PK\3\4", "an archive: unpack it"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC that is damaged, or the extra 'heif' is missing"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL: save it as JPEG or PNG"),
        (tiff(COLOURS.astype(np.float32), kind=3, meaning=2), "a TIFF .*: save it as RGB in 8 or"),
        (b"some text", "a file of another kind"),
    ],
)
def test_what_is_no_photo_is_named(content, kind):
    with pytest.raises(DataError, match=rf"^photo: expected a photo, got .*{kind}"):
        open_photo(content)
