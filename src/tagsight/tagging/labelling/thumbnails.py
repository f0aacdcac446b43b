"""Thumbnails of photos, kept in one file of bounded size."""

from __future__ import annotations

import io
import sqlite3
from typing import TYPE_CHECKING

from PIL import Image

from tagsight.runtime.cache_file import CacheFile

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.tagging.labelling.photos import Photo

SIDE, QUALITY = 256, 80
"""Longest side of a thumbnail in pixels, and its JPEG quality."""

ROOM = 2**30
"""Bytes of all thumbnails together; some 80,000 fit in."""

PART = 64
"""Oldest thumbnails that are removed at once."""

_SETUP = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS thumbnails "
    "(photo INTEGER NOT NULL UNIQUE, state TEXT NOT NULL, jpeg BLOB NOT NULL)",
)


class Thumbnails(CacheFile):
    """JPEG files by photo; those of photos that have changed are not returned.

    They can be drawn again at any time, so that nothing is said of a damaged file or a full disk.

    Args:
        folder: The project's folder.
        room: Bytes of all thumbnails together.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.photos import Photo
        >>> photo = Photo(1, "a.jpg", 8, 6, size=9, modified=1, problem=None)
        >>> with Thumbnails(Path()) as thumbnails:
        ...     thumbnails.put(photo, b"...")
        ...     thumbnails.get(photo), thumbnails.get(photo._replace(modified=2))
        (b'...', None)
    """

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        super().__init__(folder / "thumbnails.sqlite", _SETUP)
        self._room = room
        query = "SELECT coalesce(sum(length(jpeg)), 0) FROM thumbnails"
        ((self._size,),) = self._database.execute(query)

    def get(self, photo: Photo) -> bytes | None:
        """Return the thumbnail of a photo as it is now, or None if there is none."""
        query = "SELECT jpeg FROM thumbnails WHERE photo = ? AND state = ?"
        with self._lock:
            try:
                row = self._database.execute(query, (photo.id, state_of(photo))).fetchone()
            except sqlite3.Error:
                return None
        return row[0] if row else None

    def put(self, photo: Photo, jpeg: bytes) -> None:
        """Keep a thumbnail, and remove the oldest ones where there is no room."""
        with self._lock:
            try:
                with self._database:
                    self._replace(photo, jpeg)
            except sqlite3.Error:
                return

    def _replace(self, photo: Photo, jpeg: bytes) -> None:
        self._remove("photo = ?", photo.id)
        while self._size + len(jpeg) > self._room and self._size:
            oldest = "rowid IN (SELECT rowid FROM thumbnails ORDER BY rowid LIMIT ?)"
            self._remove(oldest, PART)
        self._database.execute(
            "INSERT INTO thumbnails VALUES (?, ?, ?)", (photo.id, state_of(photo), jpeg)
        )
        self._size += len(jpeg)

    def _remove(self, condition: str, value: int) -> None:
        query = f"DELETE FROM thumbnails WHERE {condition} RETURNING length(jpeg)"
        self._size -= sum(size for (size,) in self._database.execute(query, (value,)).fetchall())


def state_of(photo: Photo) -> str:
    """Return text that changes when the photo's file does.

    Example:
        >>> from tagsight.tagging.labelling.photos import Photo
        >>> state_of(Photo(1, "a.jpg", 8, 6, size=255, modified=16, problem=None))
        '10-ff'
    """
    return f"{photo.modified:x}-{photo.size:x}"


def jpeg_of(picture: Image.Image, side: int = SIDE) -> bytes:
    """Reduce an RGB photo to a longest side in pixels, and compress it.

    Example:
        >>> Image.open(io.BytesIO(jpeg_of(Image.new("RGB", (600, 300))))).size
        (256, 128)
    """
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
