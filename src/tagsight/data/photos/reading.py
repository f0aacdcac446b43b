"""Photos from disk, decoded to upright sRGB whatever their format."""

from __future__ import annotations

import contextlib
import functools
import os
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple, cast

from PIL import ExifTags, Image, ImageFile

from tagsight.data.photos.cost import MAX_WORK, Cost, decoding_cost
from tagsight.data.photos.deaths import noted
from tagsight.data.photos.headers import Metered, prepared, require_sound
from tagsight.data.photos.kinds import CUT_OFF, NEEDED, recognised
from tagsight.data.photos.raw import raw_preview
from tagsight.data.photos.srgb import SIDEWAYS, profile_name, upright_rgb
from tagsight.data.photos.suffixes import HEIF_SUFFIXES, RAW_SUFFIXES
from tagsight.data.photos.tar_members import read_member, tar_of
from tagsight.data.photos.traits import PhotoTraits, camera_name, look_of, time_taken
from tagsight.data.remote.fetching import local_file
from tagsight.data.remote.places import shown
from tagsight.errors import DataError, TooLargeError, missing_extra
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
"""Formats that are opened. Pillow knows more, and runs other programs for some (EPS)."""

MAX_PIXELS = 200_000_000

SMALLER = "save a smaller copy and give that"
"""What to do with a photo that is too large, in errors."""

MARGIN = 2
"""Smallest side that a photo is decoded to, relative to the side it is resized to. Decoding a JPEG
of 12 megapixels takes a fifth of the time; docs/performance.md measures the effect on pixels."""

LEAST_SIDE = 64
"""Smallest side that a photo is decoded to for its traits; large ones to an eighth at least."""

WHOLE_SIZE = "whole_size"


def open_photo(
    source: Path | bytes | BinaryIO | Image.Image,
    *,
    max_pixels: int = MAX_PIXELS,
    max_memory: int = MAX_PHOTO_MEMORY,
    least_side: int | None = None,
) -> Image.Image:
    """Decode a photo to upright 8-bit sRGB.

    The Exif orientation and an embedded colour profile are applied; an animation gives its first
    frame; transparent parts become white; 16-bit and floating-point grey is scaled, not clipped.
    The cost of decoding is predicted from the header, and a photo that exceeds the limits is
    refused before it is decoded.

    Args:
        source: A file, a member of a tar, the place of a URL, the bytes of one, or a photo opened
            by Pillow, which is not changed.
        max_pixels: Most pixels to decode. Pillow's own limit, twice
            ``PIL.Image.MAX_IMAGE_PIXELS``, holds as well.
        max_memory: Most bytes that decoding may take, all copies together. Time is bounded by
            `tagsight.data.photos.cost.MAX_WORK`.
        least_side: Smallest width and height in pixels to reduce the photo to, if the decoder can
            halve it while decoding, as for JPEG; None decodes the whole photo.

    Raises:
        TooLargeError: If the photo has more pixels, or takes more memory or work.
        DataError: If it is truncated or not readable.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("L", (640, 480)).save(file, "JPEG")
        >>> photo = open_photo(file.getvalue(), least_side=200)
        >>> photo.mode, photo.size, whole_size(photo)
        ('RGB', (320, 240), (640, 480))
    """
    limits = _Limits(max_pixels, max_memory)
    with (
        _named(source),
        noted(source, max_pixels=max_pixels, max_memory=max_memory, least_side=least_side),
    ):
        if isinstance(source, Image.Image):
            return _decoded(source, limits, source.size, 0, keep=True)
        with _opened(source, limits, least_side) as (photo, whole, size):
            return _decoded(photo, limits, whole, size, keep=False)


@contextlib.contextmanager
def opened_header(source: Path) -> Iterator[Image.Image]:
    """Read the header of a photo as `open_photo` does, and no pixels.

    Raises:
        DataError: If it is not readable.

    Example:
        >>> Image.new("L", (640, 480)).save("a.png")
        >>> with opened_header(Path("a.png")) as header:
        ...     header.size, header.mode
        ((640, 480), 'L')
    """
    with _named(source), _opened(source, _Limits(MAX_PIXELS, 2**62), None) as (photo, _, _):
        yield photo


def photo_cost(
    source: Path | bytes | BinaryIO | Image.Image, *, least_side: int | None = None
) -> Cost:
    """Predict the cost of `open_photo` from the header of a photo.

    Raises:
        DataError: If the photo is not readable.

    Example:
        >>> photo = Image.new("RGBA", (640, 480))
        >>> photo_cost(photo).memory > 640 * 480 * 4
        True
    """
    with _named(source):
        if isinstance(source, Image.Image):
            return _cost(source, source.size, 0)
        with _opened(source, _Limits(MAX_PIXELS, 2**62), least_side) as (photo, whole, size):
            return _cost(photo, whole, size)


def decoding_side(side: int) -> int:
    """Return the smallest side in pixels to decode a photo to that is resized to ``side``.

    Example:
        >>> decoding_side(224)
        448
    """
    return MARGIN * side


def whole_size(photo: Image.Image) -> tuple[int, int]:
    """Return width and height in pixels of a decoded, upright photo before it was reduced.

    Example:
        >>> file = BytesIO()
        >>> Image.new("L", (640, 480)).save(file, "JPEG")
        >>> reduced = open_photo(file.getvalue(), least_side=100)
        >>> reduced.size, whole_size(reduced)
        ((160, 120), (640, 480))
    """
    width, height = photo.info.get(WHOLE_SIZE, photo.size)
    return width, height


def photo_defect(
    content: bytes, *, max_pixels: int = MAX_PIXELS, max_memory: int = MAX_PHOTO_MEMORY
) -> str | None:
    """Return the reason why `open_photo` would refuse a file's content, or None.

    A large JPEG is decoded to an eighth of its size, which is faster: the decoder still reads every
    byte and detects a truncation.

    Example:
        >>> photo_defect(b"no photo")
        'expected a photo, got a file of another kind'
    """
    try:
        photo_traits(content, max_pixels=max_pixels, max_memory=max_memory)
    except DataError as error:
        return str(error)
    return None


def photo_traits(
    content: bytes, *, max_pixels: int = MAX_PIXELS, max_memory: int = MAX_PHOTO_MEMORY
) -> PhotoTraits:
    """Decode a photo as `photo_defect` does, and return its traits.

    Raises:
        DataError: If `open_photo` would refuse it.

    Example:
        >>> file = BytesIO()
        >>> Image.new("L", (640, 480)).save(file, "JPEG")
        >>> traits = photo_traits(file.getvalue())
        >>> traits.size, traits.look, traits.taken
        ((640, 480), None, None)
    """
    limits = _Limits(max_pixels, max_memory)
    with _reasons(), _opened(content, limits, least_side=LEAST_SIDE) as (photo, whole, size):
        profile = photo.info.get("icc_profile")
        decoded = _decoded(photo, limits, whole, size, keep=False)
        tags: Mapping[int, object] = {}
        exif: Mapping[int, object] = {}
        # Broken metadata raise almost any exception, and are no reason to refuse a photo.
        with contextlib.suppress(Exception):
            found = photo.getexif()
            tags, exif = {**found}, found.get_ifd(ExifTags.IFD.Exif)
        return PhotoTraits(
            size=whole_size(decoded),
            look=look_of(decoded),
            taken=time_taken(exif),
            camera=camera_name(tags, exif),
            profile=None if profile is None else profile_name(profile),
        )


class _Limits(NamedTuple):
    pixels: int
    memory: int


class _Opened(NamedTuple):
    """A photo whose header is read, its size before reduction, and the size of its file."""

    photo: ImageFile.ImageFile
    whole: tuple[int, int]
    file_size: int


@contextlib.contextmanager
def _opened(
    source: Path | bytes | BinaryIO, limits: _Limits, least_side: int | None
) -> Iterator[_Opened]:
    with _file(source, limits) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size > limits.memory:
            raise TooLargeError(_too_much_memory(f"a file of {size:,} bytes", limits))
        start = file.read(NEEDED)
        file.seek(0)
        metered = Metered(prepared(file))
        with (
            recognised(start),
            Image.open(cast("IO[bytes]", metered), formats=_formats()) as photo,
        ):
            if photo.format == "PPM":  # its decoder reads value by value
                metered.unmetered()
            whole = _of_size(photo, limits.pixels).size
            if least_side is not None:
                photo.draft(None, (least_side, least_side))
            yield _Opened(photo, whole, size)


@contextlib.contextmanager
def _file(source: Path | bytes | BinaryIO, limits: _Limits) -> Iterator[IO[bytes]]:
    if not isinstance(source, Path):
        yield BytesIO(source) if isinstance(source, bytes) else source
        return
    source = local_file(source)
    if source.suffix.lower() in HEIF_SUFFIXES and "HEIF" not in _formats():
        raise missing_extra("heif", "for this kind of photo")
    if source.suffix.lower() in RAW_SUFFIXES:
        yield BytesIO(raw_preview(source, max_pixels=limits.pixels, max_memory=limits.memory))
    elif inside := tar_of(source):
        yield BytesIO(read_member(*inside))
    elif source.exists() and not source.is_file():
        msg = "expected a photo, got a folder or device"
        raise DataError(msg)
    else:
        with source.open("rb") as file:
            yield file


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
        raise TooLargeError(f"{msg}: {SMALLER}")
    return photo


def _decoded(
    photo: Image.Image, limits: _Limits, whole: tuple[int, int], file_size: int, *, keep: bool
) -> Image.Image:
    _of_size(photo, limits.pixels)
    cost = _cost(photo, whole, file_size)
    _require_affordable(photo, cost, limits)
    if isinstance(photo, ImageFile.ImageFile):
        require_sound(photo)
    photo.load()
    # Read after loading: Pillow turns a TIFF upright by itself and removes the tag.
    orientation = _orientation(photo)
    if orientation != 1:  # the tag may follow the pixels, so that the first check missed it
        _require_affordable(photo, _cost(photo, whole, file_size), limits)
    upright = upright_rgb(photo, orientation, keep=keep)
    # Without the orientation, or the next reader would apply it again.
    width, height = whole
    upright.info = {WHOLE_SIZE: (height, width) if orientation in SIDEWAYS else (width, height)}
    return upright


def _cost(photo: Image.Image, whole: tuple[int, int], file_size: int) -> Cost:
    # For a PNG without Exif before its pixels, getexif() would decode the pixels.
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
        f"(`max_photo_memory`), got {got}: allow more, or {SMALLER}"
    )


def _orientation(photo: Image.Image) -> int:
    try:
        return int(photo.getexif().get(ExifTags.Base.Orientation, 1))
    # Broken metadata raise almost any exception, and are no reason to refuse a photo.
    except Exception:
        return 1


@contextlib.contextmanager
def _named(source: Path | bytes | BinaryIO | Image.Image) -> Iterator[None]:
    """Prefix every error with the photo's name."""
    try:
        with _reasons():
            yield
    except DataError as error:
        msg = f"{_name(source)}: {error}"
        raise type(error)(msg) from error


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Turn every exception of decoding into a `DataError` of one sentence."""
    try:
        yield
    except DataError:
        raise
    # Malformed files make Pillow's decoders raise almost any exception.
    except Exception as error:
        raise _kind(error)(_reason(error)) from error


def _name(source: Path | bytes | BinaryIO | Image.Image) -> str:
    name = shown(source) if isinstance(source, Path) else getattr(source, "name", None)
    return str(name or getattr(source, "filename", None) or "photo")


def _kind(error: Exception) -> type[DataError]:
    large = Image.DecompressionBombError | Image.DecompressionBombWarning | MemoryError
    return TooLargeError if isinstance(error, large) else DataError


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"expected at most {most:,} pixels, Pillow's own limit, got more: {SMALLER}"
    if isinstance(error, MemoryError):
        return f"expected a photo that fits into the free memory, got a larger one: {SMALLER}"
    if any(words in str(error).lower() for words in ("truncated", "create decoder object")):
        return f"expected a whole photo, got {CUT_OFF}"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"expected a readable photo, got: {reason or type(error).__name__}"
