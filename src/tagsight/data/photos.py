"""Photos from disk: opened, and brought to upright sRGB whatever they were."""

from __future__ import annotations

import contextlib
import functools
import os
from importlib.util import find_spec
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple, cast

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from tagsight.data.photo_cost import MAX_WORK, Cost, decoding_cost
from tagsight.data.photo_headers import Metered, prepared
from tagsight.data.srgb import SIDEWAYS, upright_rgb
from tagsight.data.tar_members import read_member, tar_of
from tagsight.errors import DataError, TooLargeError, UnknownFormatError
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import ImageFile

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
"""What is tried. Pillow knows more; of these it runs no other program (EPS would)."""

HEIF_SUFFIXES = frozenset({".heic", ".heif"})
"""Photos of telephones, which need the extra ``heif``."""

RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"}
)
"""What cameras keep besides: the preview in it is taken, with the extra ``raw``. Without the extra
such files are passed over in folders, as their JPEGs mostly lie beside them."""

PHOTO_SUFFIXES = (
    (RAW_SUFFIXES if find_spec("rawpy") else frozenset())
    | HEIF_SUFFIXES
    | frozenset(
        {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
        | {".ppm", ".pgm", ".pbm", ".avif", ".jp2"}
    )
)
"""Endings, in lower case, by which photos are told from other files in a folder."""

MAX_PIXELS = 200_000_000

MARGIN = 2
"""Least side that a photo is decoded to, relative to the side that it is warped to. A JPEG of 12
megapixels is decoded in a fifth of the time; docs/performance.md has what this does to pixels."""

WHOLE_SIZE = "whole_size"


def open_photo(
    source: Path | bytes | BinaryIO | Image.Image,
    *,
    max_pixels: int = MAX_PIXELS,
    max_memory: int = MAX_PHOTO_MEMORY,
    least_side: int | None = None,
) -> Image.Image:
    """Decode a photo to upright 8-bit sRGB.

    The Exif orientation is applied, and an embedded colour profile is followed; of an animation the
    first frame is taken; transparent parts become white; 16-bit and floating-point grey is scaled,
    not clipped. What decoding takes is told from the header, and a photo that takes too much is
    refused before it is decoded.

    Args:
        source: A file, a member of a tar, the bytes of one, or a photo that Pillow has opened,
            which is left as it is.
        max_pixels: Most pixels to decode. Pillow's own limit, twice
            ``PIL.Image.MAX_IMAGE_PIXELS``, holds as well.
        max_memory: Most bytes that decoding may take, all copies together; that the passes over
            its pixels stay below `tagsight.data.photo_cost.MAX_WORK` bounds the time.
        least_side: Pixels that width and height may be reduced to, where the decoder can do it by
            halves, as that of JPEG can, in a fraction of the time; None decodes the whole photo.

    Raises:
        TooLargeError: If the photo has more pixels, or takes more memory or work.
        DataError: If it is truncated, or not readable at all.
    """
    limits = _Limits(max_pixels, max_memory)
    with _named(source):
        if isinstance(source, Image.Image):
            return _decoded(source, limits, source.size, 0, keep=True)
        with _opened(source, limits, least_side) as (photo, whole, size):
            return _decoded(photo, limits, whole, size, keep=False)


def photo_cost(
    source: Path | bytes | BinaryIO | Image.Image, *, least_side: int | None = None
) -> Cost:
    """Predict what `open_photo` takes for a photo, from its header.

    Raises:
        DataError: If the photo is not readable.
    """
    with _named(source):
        if isinstance(source, Image.Image):
            return _cost(source, source.size, 0)
        with _opened(source, _Limits(MAX_PIXELS, 2**62), least_side) as (photo, whole, size):
            return _cost(photo, whole, size)


def decoding_side(side: int) -> int:
    """Least side in pixels that a photo has to be decoded to, to be warped to ``side``."""
    return MARGIN * side


def whole_size(photo: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of an opened photo, upright, before it was reduced."""
    width, height = photo.info.get(WHOLE_SIZE, photo.size)
    return width, height


def as_square(photo: Image.Image, side: int) -> NDArray[np.uint8]:
    """Resize an upright RGB photo to a square: ``(side, side, 3)`` uint8; bilinear, antialiased.

    Training, evaluation and use all do it here, whatever runs the network. First across and then
    down, each rounded to whole levels: told to do both at once, Pillow 13 chooses the order by
    the shape of the photo, and older ones do not.
    """
    across = photo.resize((side, photo.height), Image.Resampling.BILINEAR)
    return np.array(across.resize((side, side), Image.Resampling.BILINEAR))


def photo_defect(
    content: bytes, *, max_pixels: int = MAX_PIXELS, max_memory: int = MAX_PHOTO_MEMORY
) -> str | None:
    """Why `open_photo` would refuse a file's content, or None if it would not.

    JPEG is decoded to an eighth of its size: the decoder still reads every byte, so that a
    truncation shows, in a fraction of the time.
    """
    limits = _Limits(max_pixels, max_memory)
    try:
        with _reasons(), _opened(content, limits, least_side=1) as (photo, whole, size):
            _decoded(photo, limits, whole, size, keep=False)
    except DataError as error:
        return str(error)
    return None


class _Limits(NamedTuple):
    pixels: int
    memory: int


class _Opened(NamedTuple):
    """A photo whose header is read, its size before it was reduced, and the bytes of its file."""

    photo: ImageFile.ImageFile
    whole: tuple[int, int]
    file_size: int


@contextlib.contextmanager
def _opened(
    source: Path | bytes | BinaryIO, limits: _Limits, least_side: int | None
) -> Iterator[_Opened]:
    with _file(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size > limits.memory:
            raise TooLargeError(_too_much_memory(f"a file of {size:,} bytes", limits))
        metered = Metered(prepared(file))
        with Image.open(cast("IO[bytes]", metered), formats=_formats()) as photo:
            if photo.format == "PPM":  # read value by value
                metered.unmetered()
            whole = _of_size(photo, limits.pixels).size
            if least_side is not None:
                photo.draft(None, (least_side, least_side))
            yield _Opened(photo, whole, size)


@contextlib.contextmanager
def _file(source: Path | bytes | BinaryIO) -> Iterator[IO[bytes]]:
    if not isinstance(source, Path):
        yield BytesIO(source) if isinstance(source, bytes) else source
        return
    if source.suffix.lower() in HEIF_SUFFIXES and "HEIF" not in _formats():
        msg = "expected the extra 'heif' for this kind of photo: pip install 'tagsight[heif]'"
        raise DataError(msg)
    if source.suffix.lower() in RAW_SUFFIXES:
        yield BytesIO(_preview(source))
    elif inside := tar_of(source):
        yield BytesIO(read_member(*inside))
    elif source.exists() and not source.is_file():
        msg = "expected a photo, got a folder or device"
        raise DataError(msg)
    else:
        with source.open("rb") as file:
            yield file


def _preview(source: Path) -> bytes:
    """The file of the preview in a raw photo, which says how it is turned."""
    try:
        import rawpy
    except ImportError:
        msg = "expected the extra 'raw' for this kind of photo: pip install 'tagsight[raw]'"
        raise DataError(msg) from None
    inside = tar_of(source)
    with rawpy.imread(BytesIO(read_member(*inside)) if inside else str(source)) as raw:
        preview = raw.extract_thumb()
    if preview.format == rawpy.ThumbFormat.JPEG:
        return bytes(preview.data)
    file = BytesIO()
    Image.fromarray(np.asarray(preview.data, dtype=np.uint8)).save(file, "PPM")
    return file.getvalue()


@functools.cache
def _formats() -> list[str]:
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return [name for name in FORMATS if name in Image.OPEN]


def _of_size(photo: Image.Image, max_pixels: int) -> Image.Image:
    width, height = photo.size
    if not 0 < width * height <= max_pixels:
        msg = f"expected 1 to {max_pixels:,} pixels, got {width:,} x {height:,}"
        raise TooLargeError(msg)
    return photo


def _decoded(
    photo: Image.Image, limits: _Limits, whole: tuple[int, int], file_size: int, *, keep: bool
) -> Image.Image:
    _of_size(photo, limits.pixels)
    cost = _cost(photo, whole, file_size)
    _require_affordable(photo, cost, limits)
    photo.load()
    # Asked after loading: Pillow turns a TIFF upright by itself, and takes the mark away.
    orientation = _orientation(photo)
    if orientation != 1:  # which may be written behind the pixels
        _require_affordable(photo, _cost(photo, whole, file_size), limits)
    upright = upright_rgb(photo, orientation, keep=keep)
    # Without the mark, or the next reader would turn it again.
    width, height = whole
    upright.info = {WHOLE_SIZE: (height, width) if orientation in SIDEWAYS else (width, height)}
    return upright


def _cost(photo: Image.Image, whole: tuple[int, int], file_size: int) -> Cost:
    # Pillow loads a PNG to look for an orientation behind its pixels.
    behind = photo.format == "PNG" and "exif" not in photo.info and getattr(photo, "tile", False)
    turned = not behind and _orientation(photo) != 1
    return decoding_cost(photo, whole, file_size, turned=turned)


def _require_affordable(photo: Image.Image, cost: Cost, limits: _Limits) -> None:
    what = f"{photo.width:,} x {photo.height:,} pixels of {photo.format or 'mode'} {photo.mode}"
    if cost.memory > limits.memory:
        raise TooLargeError(_too_much_memory(f"{cost.memory:,} for {what}", limits))
    if cost.work > MAX_WORK:
        passes = cost.work // max(1, prod(photo.size))
        msg = (
            f"expected a photo that takes at most {MAX_WORK:,} passes over a pixel to decode, got "
            f"{passes:,} over each of {what}: save it in another format"
        )
        raise TooLargeError(msg)


def _too_much_memory(got: str, limits: _Limits) -> str:
    return (
        f"expected a photo that takes at most {limits.memory:,} bytes of memory to decode "
        f"(--max-photo-memory), got {got}"
    )


def _orientation(photo: Image.Image) -> int:
    try:
        return int(photo.getexif().get(ExifTags.Base.Orientation, 1))
    # Broken metadata raise almost anything, and are no reason to refuse a photo.
    except Exception:
        return 1


@contextlib.contextmanager
def _named(source: Path | bytes | BinaryIO | Image.Image) -> Iterator[None]:
    """Give every error the photo's name."""
    try:
        with _reasons():
            yield
    except DataError as error:
        msg = f"{_name(source)}: {error}"
        raise type(error)(msg) from error


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Make one sentence of whatever decoding raises."""
    try:
        yield
    except DataError:
        raise
    # Malformed files make Pillow's decoders raise almost anything.
    except Exception as error:
        raise _kind(error)(_reason(error)) from error


def _name(source: Path | bytes | BinaryIO | Image.Image) -> str:
    name = source if isinstance(source, Path) else getattr(source, "name", None)
    return str(name or getattr(source, "filename", None) or "photo")


def _kind(error: Exception) -> type[DataError]:
    if isinstance(error, UnidentifiedImageError):
        return UnknownFormatError
    large = Image.DecompressionBombError | Image.DecompressionBombWarning | MemoryError
    return TooLargeError if isinstance(error, large) else DataError


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "expected a photo, got a file of another kind"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"expected a photo within Pillow's own limit, got: {error}"
    if isinstance(error, MemoryError):
        return "expected a photo that is decoded within the free memory, got a larger one"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"expected a readable photo, got: {reason or type(error).__name__}"
