"""Photos that lie inside a file of labels, and are written to files of their own."""

from __future__ import annotations

import binascii
import logging
import re
import shutil
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from tagsight.data.photos.suffixes import ALL_SUFFIXES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import default_cache, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

LARGEST_PHOTO = 2**28
LARGEST_TOTAL = 2**35
"""Bytes of the photos of one source."""

SPARE = 2**30
"""Bytes that stay free on the disk."""

MIB = 2**20

_BEGINNINGS = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG"), ".png"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"GIF8"), ".gif"),
    (re.compile(rb"BM"), ".bmp"),
    (re.compile(rb"II\*\0|MM\0\*"), ".tif"),
    (re.compile(rb"....ftyp(?:hei|hev|mif|msf)", re.DOTALL), ".heic"),
    (re.compile(rb"....ftypavi", re.DOTALL), ".avif"),
)
DATA = "data:"
"""Beginning of an address that holds a photo itself."""

_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_DATA = re.compile(r"data:[^,]{0,200},")


class PhotoInside(NamedTuple):
    """The content of a photo, and the path that its source states, if any."""

    content: bytes
    stated: str | None = None


def photo_inside(value: object, where: str) -> PhotoInside | None:
    """Return the photo that a value holds, or None if it holds none.

    A photo is bytes; an object with ``bytes``, perhaps in Base64, and ``path``, as Hugging Face's
    `datasets` has it; or a ``data:`` address.

    Args:
        value: The value.
        where: File and place in it, for the error.

    Raises:
        DataError: If the value should be a photo in Base64, and is not.

    Example:
        >>> photo_inside("data:image/gif;base64,R0lGODlh", "rows.json")
        PhotoInside(content=b'GIF89a', stated=None)
        >>> photo_inside({"bytes": b"GIF89a", "path": "a.gif"}, "rows.json").stated
        'a.gif'
        >>> photo_inside("a.jpg", "rows.json")
    """
    if isinstance(value, bytes | bytearray):
        return PhotoInside(bytes(value))
    if isinstance(value, Mapping):
        content, path = value.get("bytes"), value.get("path")
        stated = path if isinstance(path, str) else None
        if isinstance(content, bytes):
            return PhotoInside(content, stated)
        if content is not None:
            return PhotoInside(_decoded(content, where), stated)
    if isinstance(value, str) and (head := _DATA.match(value)):
        text = value[head.end() :]
        if head[0].rstrip(",").lower().endswith(";base64"):
            return PhotoInside(_decoded(text.replace("%2B", "+").replace("%2F", "/"), where))
        return PhotoInside(unquote_to_bytes(text))
    return None


def _decoded(text: object, where: str) -> bytes:
    try:
        if isinstance(text, str):
            return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        pass
    msg = (
        f"{where}: expected a photo's path, or the photo in Base64, got {str(text)[:40]!r}; write "
        "the photos to a folder, and their paths and labels to a CSV"
    )
    raise DataError(msg)


class PhotosInside:
    """Writes the photos inside a source to a folder of the cache, each once.

    A photo's name is the one that the source states, with a digest of the content, so that it is
    the same whenever the source is read, and a photo that is there already is not written again.

    Args:
        source: The file or folder, or what errors call it.
        write: Whether to write photos, or only to name them.

    Attributes:
        folder: The folder.

    Example:
        >>> photos = PhotosInside("rows.parquet", write=False)
        >>> photos.add(PhotoInside(b"GIF89a", "x/my photo.gif"), "rows.parquet: record 1")
        'my-photo-610f5ae4d76e3326.gif'
    """

    def __init__(self, source: Path | str, *, write: bool) -> None:
        self._source, self._write = source, write
        address = sha256(str(source).encode(errors="replace")).hexdigest()[:8]
        self.folder = default_cache() / "photos" / f"{_plain(Path(source).name)}-{address}"
        self._names: Counter[str] = Counter()
        self._bytes = self._new = 0

    def __len__(self) -> int:
        return self._names.total()

    def add(self, photo: PhotoInside, where: str) -> str:
        """Write a photo, and return its name in the folder.

        Args:
            photo: The photo.
            where: File and place in it, for the error.

        Raises:
            DataError: If it is too large, all are, or the disk is full.
        """
        self._bytes += len(photo.content)
        for size, largest, what in (
            (len(photo.content), LARGEST_PHOTO, "a photo"),
            (self._bytes, LARGEST_TOTAL, f"the photos inside {self._source}"),
        ):
            if size > largest:
                msg = (
                    f"{where}: expected at most {largest:,} bytes of {what}, got {size:,} and more"
                )
                raise DataError(msg)
        name = self._name(photo)
        file = self.folder / name
        if self._write and not (file.is_file() and file.stat().st_size == len(photo.content)):
            self._require_space(len(photo.content))
            write_atomically(file, photo.content)
            self._new += 1
        return name

    def _name(self, photo: PhotoInside) -> str:
        stated = Path((photo.stated or "photo").replace("\\", "/").rpartition("/")[2])
        known = (ending for begins, ending in _BEGINNINGS if begins.match(photo.content))
        ending = next(known, stated.suffix.lower())
        digest = sha256(photo.content).hexdigest()[:16]
        stem = f"{_plain(stated.stem)}-{digest}"
        self._names[stem] += 1
        again = f"-{self._names[stem]}" if self._names[stem] > 1 else ""
        return f"{stem}{again}{ending if ending in ALL_SUFFIXES else '.unknown'}"

    def _require_space(self, size: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < size + SPARE:
            msg = (
                f"expected {size + SPARE:,} free bytes in {self.folder} for the photos inside "
                f"{self._source}, got {free:,}; the variable XDG_CACHE_HOME moves the cache"
            )
            raise DataError(msg)

    def folders(self, others: Sequence[Path]) -> list[Path]:
        """Return the folders that may hold the photos of the source, after all were added."""
        return [self.folder, *others] if self._names else list(others)

    def log(self) -> None:
        """Log how many photos there are, and where they were written."""
        if self._names:
            written = f"in {self.folder}, {self._new:,} of them written now"
            logger.info(
                "%s: %s inside, %s MiB: %s",
                self._source,
                amount(len(self), "photo"),
                f"{self._bytes / MIB:,.1f}",
                written if self._write else "not written, as only the labels are read",
            )


def _plain(text: str) -> str:
    return _ODD.sub("-", text).strip("-")[:60] or "photo"
