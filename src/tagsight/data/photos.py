"""Photos from disk: found, opened, and brought to upright RGB whatever they were."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from tagsight.data.tar_members import is_tar, members, read_member, tar_of
from tagsight.errors import DataError, OtherKindError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

# ImageOps.exif_transpose also rewrites the metadata, and so fails where only they are broken.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset({5, 6, 7, 8})
WHOLE_SIZE = "whole_size"

logger = logging.getLogger(__name__)


def open_photo(
    source: Path | bytes | BinaryIO | Image.Image,
    *,
    max_pixels: int = MAX_PIXELS,
    least_side: int | None = None,
) -> Image.Image:
    """Decode a photo to upright 8-bit RGB.

    The EXIF orientation is applied; of an animation the first frame is taken; transparent parts
    become white; 16-bit and floating-point grey is scaled, not clipped.

    Args:
        source: A file, a member of a tar, the bytes of one, or a photo that Pillow has opened,
            which is left as it is.
        max_pixels: Most pixels to decode; the header is asked first. Pillow's own limit, twice
            ``PIL.Image.MAX_IMAGE_PIXELS``, holds as well.
        least_side: Pixels that width and height may be reduced to, where the decoder can do it by
            halves, as that of JPEG can, in a fraction of the time; None decodes the whole photo.

    Raises:
        DataError: If the photo is too large, truncated, or not readable at all.
    """
    try:
        return _decode(source, max_pixels, least_side)
    except DataError as error:
        msg = f"{_name(source)}: {error}"
        raise type(error)(msg) from error


def decoding_side(side: int) -> int:
    """Least side in pixels that a photo has to be decoded to, to be warped to ``side``."""
    return MARGIN * side


def whole_size(photo: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of an opened photo, upright, before it was reduced."""
    width, height = photo.info.get(WHOLE_SIZE, photo.size)
    return width, height


def photo_defect(content: bytes, *, max_pixels: int = MAX_PIXELS) -> str | None:
    """Why `open_photo` would refuse a file's content, or None if it would not.

    JPEG is decoded to an eighth of its size: the decoder still reads every byte, so that a
    truncation shows, in a fraction of the time.
    """
    try:
        _decode(content, max_pixels, least_side=1)
    except DataError as error:
        return str(error)
    return None


def find_photos(paths: Iterable[Path]) -> Iterator[Path]:
    """The photos among files, in folders and in tars, a folder's entries in alphabetical order.

    A file that is given is yielded whatever its name ends in; in folders and in tars that are
    given `PHOTO_SUFFIXES` decide, and hidden files and folders are passed over. Each folder is
    entered once, so that links make no circles.

    Raises:
        DataError: If a path does not exist, before anything is yielded, or a tar is not sound.
    """
    given = list(paths)
    for path in given:
        if not path.exists() and tar_of(path) is None:
            msg = f"expected a photo or a folder of photos, got {path}, which does not exist"
            raise DataError(msg)
    return _found(given)


def _found(given: list[Path]) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    for path in given:
        if path.is_dir():
            yield from _walk(path, entered)
        elif is_tar(path):
            names = (Path(name) for name in members(path))
            yield from (path / name for name in names if name.suffix.lower() in PHOTO_SUFFIXES)
        else:
            yield path


def _walk(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path]:
    stack = [_listed(folder, entered)]
    while stack:
        path, is_folder = next(stack[-1], (None, False))
        if path is None:
            stack.pop()
        elif is_folder:
            stack.append(_listed(path, entered))
        else:
            yield path


def _listed(folder: Path, entered: set[tuple[int, int]]) -> Iterator[tuple[Path, bool]]:
    """The photos and folders in a folder, and which of the two each is.

    Of a folder with many photos nothing but their names is held.
    """
    names: list[str] = []
    folders: set[str] = set()
    try:
        status = folder.stat()
        identity = status.st_dev, status.st_ino
        if identity in entered:
            return iter(())
        entered.add(identity)
        with os.scandir(folder) as listing:
            for entry in listing:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.add(entry.name)
                elif Path(entry.name).suffix.lower() not in PHOTO_SUFFIXES or not entry.is_file():
                    continue
                names.append(entry.name)
    except OSError as error:
        logger.warning("%s: not searched: %s", folder, error.strerror)
        return iter(())
    return ((folder / name, name in folders) for name in sorted(names))


def _decode(
    source: Path | bytes | BinaryIO | Image.Image, max_pixels: int, least_side: int | None
) -> Image.Image:
    try:
        if isinstance(source, Image.Image):
            return _upright_rgb(_of_size(source, max_pixels))
        with Image.open(_file(source), formats=_formats()) as photo:
            whole = _of_size(photo, max_pixels).size
            if least_side is not None and photo.draft(None, (least_side, least_side)):
                return _upright_rgb(photo, whole)
            return _upright_rgb(photo)
    except DataError:
        raise
    # Malformed files make Pillow's decoders raise almost anything.
    except Exception as error:
        raise _kind(error)(_reason(error)) from error


def _file(source: Path | bytes | BinaryIO) -> Path | BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    if _is_heif(source) and "HEIF" not in _formats():
        msg = "expected the extra 'heif' for this kind of photo: pip install 'tagsight[heif]'"
        raise DataError(msg)
    if isinstance(source, Path) and source.suffix.lower() in RAW_SUFFIXES:
        return BytesIO(_preview(source))
    if isinstance(source, Path) and (inside := tar_of(source)):
        return BytesIO(read_member(*inside))
    if isinstance(source, Path) and source.exists() and not source.is_file():
        msg = "expected a photo, got a folder or device"
        raise DataError(msg)
    return source


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


def _is_heif(source: Path | BinaryIO) -> bool:
    return isinstance(source, Path) and source.suffix.lower() in HEIF_SUFFIXES


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


def _upright_rgb(photo: Image.Image, whole: tuple[int, int] | None = None) -> Image.Image:
    photo.load()
    # Asked after loading: Pillow turns a TIFF upright by itself, and takes the mark away.
    orientation = _orientation(photo)
    turn = UPRIGHT.get(orientation)
    upright = _rgb(photo)
    if turn is not None:
        upright = upright.transpose(turn)
    # Without the mark, or the next reader would turn it again.
    width, height = whole or photo.size
    upright.info = {WHOLE_SIZE: (height, width) if orientation in SIDEWAYS else (width, height)}
    return upright


def _orientation(photo: Image.Image) -> int:
    try:
        return int(photo.getexif().get(ExifTags.Base.Orientation, 1))
    # Broken metadata raise almost anything, and are no reason to refuse a photo.
    except Exception:
        return 1


def _rgb(photo: Image.Image) -> Image.Image:
    if photo.mode == "F" or photo.mode.startswith("I"):
        return _grey_8_bit(photo).convert("RGB")
    if photo.has_transparency_data:
        paper = Image.new("RGBA", photo.size, "white")
        paper.alpha_composite(photo.convert("RGBA"))
        return paper.convert("RGB")
    return photo.convert("RGB")


def _grey_8_bit(photo: Image.Image) -> Image.Image:
    kind = np.float32 if photo.mode.startswith("I;16") else np.float64
    values = np.nan_to_num(np.asarray(photo).astype(kind), posinf=0, neginf=0)
    black, most = float(values.min()), float(values.max())
    whites = (1, 255, 65535) if photo.mode == "F" else (65535,)
    usual = [white for white in whites if black >= 0 and most <= white]
    if not usual:  # what there is, is stretched
        values -= black
    white = usual[0] if usual else (most - black) or 1
    return Image.fromarray((values * (255 / white)).round().astype(np.uint8))


def _name(source: Path | bytes | BinaryIO | Image.Image) -> str:
    name = source if isinstance(source, Path) else getattr(source, "name", None)
    return str(name or getattr(source, "filename", None) or "photo")


def _kind(error: Exception) -> type[DataError]:
    if isinstance(error, UnidentifiedImageError):
        return OtherKindError
    bombs = Image.DecompressionBombError | Image.DecompressionBombWarning
    return TooLargeError if isinstance(error, bombs) else DataError


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "expected a photo, got a file of another kind"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"expected a photo within Pillow's own limit, got: {error}"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"expected a readable photo, got: {reason or type(error).__name__}"
