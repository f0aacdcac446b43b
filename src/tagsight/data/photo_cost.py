"""What decoding a photo takes, told from its header: memory and work, before they are spent.

The figures are those of Pillow and of the libraries behind it, as ``benchmarks/photo_budget.py``
measures them for each format and mode: none is more than 1.5 times what is told here.
"""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING, NamedTuple

from PIL import ImageFile
from PIL.ExifTags import Base

from tagsight.data.photo_headers import count_scans, largest_tile
from tagsight.data.srgb import ToRgb, is_deep

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image


MAX_WORK = 3_200_000_000
"""Passes over a pixel that decoding a photo may take: 16 over each of 200 million."""

OVERHEAD = 24 * 2**20
"""Bytes that any photo takes: tables of decoders, strips that are being converted."""

PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes that Pillow keeps for a pixel of a mode; of every other, RGB as well, it is four."""

IN_PYTHON = 500
"""Passes that decoding a sample in Python is worth."""

WORDS = 2**20 // 2 * 48
"""Bytes of the shortest words in a part of a text that is decoded at a time, of 1 MiB."""

A_STRIP = 2000
"""Passes that a strip or tile of a TIFF is worth, besides those over its pixels."""


class Cost(NamedTuple):
    """What decoding a photo takes.

    Attributes:
        memory: Bytes at the peak, over those that the process has without it.
        work: Passes over a pixel.
    """

    memory: int
    work: int


class Loading(NamedTuple):
    """What a decoder takes besides the pixels that it gives and the file.

    Attributes:
        work: Passes over a pixel.
        peak: Bytes while it works.
        kept: Bytes that it keeps then.
    """

    work: int
    peak: float = 0
    kept: float = 0


def decoding_cost(
    photo: Image.Image, whole: tuple[int, int], file_size: int, *, turned: bool
) -> Cost:
    """Predict what an opened photo takes until it is upright RGB.

    Args:
        photo: Opened, and reduced if it is decoded smaller than it is.
        whole: Width and height in pixels before that.
        file_size: Bytes of its file.
        turned: Whether it has to be turned by its orientation.
    """
    loading = _loading(photo, prod(whole), file_size)
    pixels = prod(photo.size)
    while_loading = loading.peak + pixels * pixel_bytes(photo.mode)
    then = loading.kept + pixels * _converting(photo, turned=turned)
    return Cost(ceil(OVERHEAD + file_size + max(while_loading, then)), loading.work)


def pixel_bytes(mode: str) -> int:
    """Bytes that Pillow keeps for a pixel."""
    return PIXEL_BYTES.get(mode, 4)


def _converting(photo: Image.Image, *, turned: bool) -> int:
    """Most bytes a pixel that `tagsight.data.srgb.upright_rgb` holds at a time."""
    own = pixel_bytes(photo.mode)
    steps = [own]
    if is_deep(photo.mode):
        steps.append(own + 1)
        own = 1
    if turned:
        steps.append(2 * own)
    if ToRgb.of(photo).changes(photo):
        steps.append(own + pixel_bytes("RGB"))
    return max(steps)


def _loading(photo: Image.Image, pixels: int, file_size: int) -> Loading:
    reader = _READERS.get(photo.format or "")
    if reader is None or not isinstance(photo, ImageFile.ImageFile) or _is_loaded(photo):
        return Loading(pixels)
    return reader(photo, pixels, file_size)


def _is_loaded(photo: ImageFile.ImageFile) -> bool:
    return photo.fp is None or not (photo.tile or photo.format in {"WEBP", "HEIF"})


def _jpeg(photo: ImageFile.ImageFile, pixels: int, _: int) -> Loading:
    """One of several scans is held in coefficients, all of it, and gone over in each scan."""
    layers: list[tuple[int, int, int, int]] = getattr(photo, "layer", [])
    scans = count_scans(photo, len(layers), progressive="progressive" in photo.info)
    if scans <= 1 or not layers:
        return Loading(pixels)
    # The one with the most samples has one for each pixel.
    samples = [across * down for _, across, down, _ in layers]
    return Loading(scans * pixels, 2 * pixels * sum(samples) / max(1, *samples))


def _webp(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Two canvases, of which nothing is freed, a frame and a copy of it; and the file again."""
    del photo
    return Loading(pixels, 12 * pixels + file_size, 8 * pixels + file_size)


def _avif(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Planes of up to 16 bits, and those that are handed over."""
    colours = 3 if photo.mode == "L" else 10
    return Loading(pixels, colours * pixels + file_size, colours / 3 * pixels)


def _heif(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Planes of the bits that it has, and those that are handed over."""
    depth = 1 if photo.info.get("bit_depth", 8) <= 8 else 2
    colours = 2.5 if photo.mode == "L" else 6
    return Loading(pixels, depth * colours * pixels + file_size)


def _jpeg2000(photo: ImageFile.ImageFile, pixels: int, _: int) -> Loading:
    """A tile in 32 bits, and as it is handed over."""
    tile = largest_tile(photo)
    return Loading(pixels, 1.1 * tile.pixels * tile.samples * (4 + tile.depth))


def _tiff(photo: ImageFile.ImageFile, pixels: int, _: int) -> Loading:
    """A strip or tile, as its tags describe it; Pillow turns the photo by itself."""
    tags = getattr(photo, "tag_v2", {})
    turned = pixels * pixel_bytes(photo.mode) if tags.get(Base.Orientation, 1) != 1 else 0
    if photo.tile[0][0] != "libtiff":
        return Loading(pixels + A_STRIP * len(photo.tile), turned)
    width, height = tags[Base.ImageWidth], tags[Base.ImageLength]
    if Base.TileWidth in tags:
        width, rows = tags[Base.TileWidth], tags.get(Base.TileLength, height)
    else:
        rows = min(tags.get(Base.RowsPerStrip, height), height)
    bits = max(tags.get(Base.BitsPerSample, (8,))) * tags.get(Base.SamplesPerPixel, 1)
    # Colours that libtiff converts take four bytes besides.
    strip = width * rows * (bits / 8 + (4 if tags.get(Base.PhotometricInterpretation) == 6 else 0))
    return Loading(pixels + A_STRIP * ceil(pixels / max(1, width * rows)), turned + strip)


def _python(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Some kinds of PNM and BMP are decoded value by value into an array, which is copied."""
    decoder = photo.tile[0][0]
    if decoder not in {"ppm", "ppm_plain", "bmp_rle"}:
        return Loading(pixels)
    samples = pixels * len(photo.getbands())
    # Plain text is held twice, with and without comments, and words of a part of it.
    text = file_size + WORDS if decoder == "ppm_plain" else 0
    return Loading(IN_PYTHON * samples, 2.25 * samples * (4 if photo.mode == "I" else 1) + text)


_READERS: dict[str, Callable[[ImageFile.ImageFile, int, int], Loading]] = {
    "JPEG": _jpeg,
    "MPO": _jpeg,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIF": _heif,
    "JPEG2000": _jpeg2000,
    "TIFF": _tiff,
    "PPM": _python,
    "BMP": _python,
}
"""What the decoders of formats take; that of the others is little."""
