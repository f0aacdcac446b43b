"""Cost of decoding a photo, memory and work, predicted from its header.

The constants describe Pillow and the libraries it uses. ``benchmarks/photo_budget.py`` measures
each format and mode: memory is at most 1.5 times the prediction.
"""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING, NamedTuple

from PIL import ImageFile
from PIL.ExifTags import Base

from tagsight.data.photos.headers import count_scans, largest_tile
from tagsight.data.photos.srgb import ToRgb, is_deep

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image


MAX_WORK = 3_200_000_000
"""Most work of decoding a photo, in passes over one pixel: 16 for each of 200 million."""

OVERHEAD = 24 * 2**20
"""Bytes that any photo takes: decoder tables, strips during conversion."""

PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes per pixel that Pillow uses for a mode; four for all others, RGB included."""

IN_PYTHON = 500
"""Work of decoding one sample in Python, in passes."""

WORDS = 2**20 // 2 * 48
"""Bytes of the Python strings that 1 MiB of the shortest words is split into."""

A_STRIP = 2000
"""Work of a strip or tile of a TIFF besides that of its pixels, in passes."""


class Cost(NamedTuple):
    """Cost of decoding a photo.

    Attributes:
        memory: Bytes at the peak, in addition to those of the process without it.
        work: Number of passes over a pixel.
    """

    memory: int
    work: int


class Loading(NamedTuple):
    """Cost of a decoder besides its output pixels and the file.

    Attributes:
        work: Number of passes over a pixel.
        peak: Bytes while it decodes.
        kept: Bytes that it keeps afterwards.
    """

    work: int
    peak: float = 0
    kept: float = 0


def decoding_cost(
    photo: Image.Image, whole: tuple[int, int], file_size: int, *, turned: bool
) -> Cost:
    """Predict the cost of turning an opened photo into upright RGB.

    Args:
        photo: Opened, with `draft` applied if it is decoded at a reduced size.
        whole: Width and height in pixels before the reduction.
        file_size: Bytes of its file.
        turned: Whether its orientation requires a rotation or reflection.

    Example:
        >>> from PIL import Image
        >>> photo = Image.new("RGB", (4000, 3000))
        >>> cost = decoding_cost(photo, photo.size, 0, turned=False)
        >>> cost.memory >= 3 * 4000 * 3000, cost.work
        (True, 12000000)
    """
    loading = _loading(photo, prod(whole), file_size)
    pixels = prod(photo.size)
    while_loading = loading.peak + pixels * pixel_bytes(photo.mode)
    then = loading.kept + pixels * _converting(photo, turned=turned)
    return Cost(ceil(OVERHEAD + file_size + max(while_loading, then)), loading.work)


def pixel_bytes(mode: str) -> int:
    """Return the bytes per pixel that Pillow uses for a mode.

    Example:
        >>> pixel_bytes("L"), pixel_bytes("RGB")
        (1, 4)
    """
    return PIXEL_BYTES.get(mode, 4)


def _converting(photo: Image.Image, *, turned: bool) -> int:
    """Return the peak bytes per pixel of `tagsight.data.photos.srgb.upright_rgb`."""
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
    """With several scans, all coefficients are kept, and each scan passes over them."""
    layers: list[tuple[int, int, int, int]] = getattr(photo, "layer", [])
    scans = count_scans(photo, len(layers), progressive="progressive" in photo.info)
    if scans <= 1 or not layers:
        return Loading(pixels)
    # The component with the highest sampling has one sample per pixel.
    samples = [across * down for _, across, down, _ in layers]
    return Loading(scans * pixels, 2 * pixels * sum(samples) / max(1, *samples))


def _webp(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Two canvases, which are kept, a frame and its copy, and a copy of the file."""
    del photo
    return Loading(pixels, 12 * pixels + file_size, 8 * pixels + file_size)


def _avif(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Planes of up to 16 bits, and the output planes."""
    colours = 3 if photo.mode == "L" else 10
    return Loading(pixels, colours * pixels + file_size, colours / 3 * pixels)


def _heif(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Planes of the photo's bit depth, and the output planes."""
    depth = 1 if photo.info.get("bit_depth", 8) <= 8 else 2
    colours = 2.5 if photo.mode == "L" else 6
    return Loading(pixels, depth * colours * pixels + file_size)


def _jpeg2000(photo: ImageFile.ImageFile, pixels: int, _: int) -> Loading:
    """A tile in 32 bits, and its output."""
    tile = largest_tile(photo)
    return Loading(pixels, 1.1 * tile.pixels * tile.samples * (4 + tile.depth))


def _tiff(photo: ImageFile.ImageFile, pixels: int, _: int) -> Loading:
    """A strip or tile of the size in the tags; Pillow applies the orientation itself."""
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
    # YCbCr is converted by libtiff, which takes four more bytes per pixel.
    strip = width * rows * (bits / 8 + (4 if tags.get(Base.PhotometricInterpretation) == 6 else 0))
    return Loading(pixels + A_STRIP * ceil(pixels / max(1, width * rows)), turned + strip)


def _python(photo: ImageFile.ImageFile, pixels: int, file_size: int) -> Loading:
    """Some kinds of PNM and BMP are decoded value by value in Python, into an array and a copy."""
    decoder = photo.tile[0][0]
    if decoder not in {"ppm", "ppm_plain", "bmp_rle"}:
        return Loading(pixels)
    samples = pixels * len(photo.getbands())
    # Plain text is kept with and without comments, and split into words block by block.
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
"""Decoders with a considerable cost, by format."""
