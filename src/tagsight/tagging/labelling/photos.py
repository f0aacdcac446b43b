"""The photos of a project, as they are on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.data.formats.label_project import (
    ProjectPhoto,
    packed_look,
    twin_groups,
    unpacked_look,
)
from tagsight.data.photos.finding import find_photos
from tagsight.data.source import photo_name
from tagsight.errors import DataError
from tagsight.runtime.escaping import printable
from tagsight.runtime.threads import batched
from tagsight.tagging.labelling.errors import UnknownIdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.data.photos.traits import Look
    from tagsight.tagging.labelling.database import Database

UNNAMED = "no table of labels can hold its name: rename it"
"""Why a photo is left out whose name has control characters, a backslash or a space in front."""

PART = 1000
"""Photos that are noted in one transaction while the folder is searched."""

_COLUMNS = "id, path, width, height, size, modified, problem"

_NOTE = """
INSERT INTO photos (path, size, modified) VALUES (?, ?, ?)
ON CONFLICT (path) DO UPDATE SET gone = 0, size = excluded.size, modified = excluded.modified,
    content = CASE WHEN {same} THEN content END, problem = CASE WHEN {same} THEN problem END
WHERE gone OR NOT {same}
""".format(same="(size = excluded.size AND modified = excluded.modified)")


class Photo(NamedTuple):
    """A photo.

    Attributes:
        id: Its number in the project, from 1.
        path: Path below the folder of the photos, with forward slashes.
        width: In pixels, upright; None until it has been decoded.
        height: Likewise.
        size: Of the file, in bytes.
        modified: Time of the last change of the file, in nanoseconds.
        problem: Why it cannot be used, or None.
    """

    id: int
    path: str
    width: int | None
    height: int | None
    size: int
    modified: int
    problem: str | None


@dataclass(frozen=True)
class Examined:
    """A photo that was read.

    Args:
        id: Its number.
        content: Hash of the file.
        size: Width and height in pixels, upright.
        look: Fingerprint of the look, or None.
    """

    id: int
    content: bytes
    size: tuple[int, int]
    look: Look | None


class Photos:
    """The photos of a project; their ids are 1, 2, ... and never used again.

    Args:
        database: Holds what is known of them.
        folder: Their folder.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.database import Database
        >>> Path("a.jpg").touch()
        >>> database = Database(Path())
        >>> photos = Photos(database, Path())
        >>> photos.search(lambda: None)
        >>> _ = Path("a.jpg").rename("b.jpg")
        >>> photos.search(lambda: None)
        >>> photos.there().tolist(), photos.rows([2])[0].path
        ([2], 'b.jpg')
        >>> database.close()
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder
        self._unnamed: set[str] = set()
        with database.reading() as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM photos")
        self.count: int = count

    def search(self, on_part: Callable[[], object]) -> None:
        """Note which photos are in the folder: new ones, changed ones, and those that are gone.

        Photos that could not be used are to be looked at again: a disk may be back, or a reader of
        their kind installed.

        Args:
            on_part: Called after each part of the photos that is noted.

        Raises:
            DataError: If the folder does not exist.
        """
        seen: set[int] = set()
        with self._database.changes() as connection:
            connection.execute("UPDATE photos SET problem = NULL WHERE problem IS NOT NULL")
        for part in batched(find_photos([self.folder], only_files=True), PART):
            seen.update(self.note(self._states(part)))
            on_part()
        with self._database.changes() as connection:
            there = connection.execute("SELECT id FROM photos WHERE NOT gone")
            gone = [(number,) for (number,) in there if number not in seen]
            connection.executemany("UPDATE photos SET gone = 1 WHERE id = ?", gone)
        on_part()

    def note(self, states: Iterable[tuple[str, int, int]]) -> list[int]:
        """Note photos by path, size and time of the last change; return their ids.

        What was known of the content of a photo that has changed is forgotten; judgements stay.
        """
        states = list(states)
        with self._database.changes() as connection:
            connection.executemany(_NOTE, states)
            query = "SELECT id FROM photos WHERE path = ?"
            ids = [connection.execute(query, (path,)).fetchone()[0] for path, _, _ in states]
        self.count = max(self.count, *ids, 0)
        return ids

    def _states(self, paths: Sequence[Path]) -> list[tuple[str, int, int]]:
        found = []
        for path in paths:
            name = path.relative_to(self.folder).as_posix()
            if not _can_be_named(name):
                self._unnamed.add(printable(name))
                continue
            try:
                status = path.stat()
            except OSError:
                continue  # it was there a moment ago
            found.append((name, status.st_size, status.st_mtime_ns))
        return found

    def there(self) -> NDArray[np.int64]:
        """Return the ids of the photos that are there and not known to be unusable, in order."""
        query = "SELECT id FROM photos WHERE NOT gone AND problem IS NULL ORDER BY id"
        with self._database.reading() as connection:
            return np.fromiter((number for (number,) in connection.execute(query)), np.int64)

    def missing(self) -> NDArray[np.int64]:
        """Return the ids of the other photos: those that are gone, and the unusable ones."""
        query = "SELECT id FROM photos WHERE gone OR problem IS NOT NULL ORDER BY id"
        with self._database.reading() as connection:
            return np.fromiter((number for (number,) in connection.execute(query)), np.int64)

    def left_out(self, limit: int) -> list[tuple[str, str]]:
        """Return paths of photos that are there and cannot be used, and why, in their order.

        Args:
            limit: Most photos to return.
        """
        query = "SELECT path, problem FROM photos WHERE NOT gone AND problem IS NOT NULL"
        with self._database.reading() as connection:
            unusable = connection.execute(f"{query} ORDER BY path LIMIT ?", (limit,)).fetchall()
        unnamed = [(name, UNNAMED) for name in sorted(self._unnamed)]
        return (unnamed + unusable)[:limit]

    def count_left_out(self) -> int:
        """Count the photos that are there and cannot be used."""
        query = "SELECT count(*) FROM photos WHERE NOT gone AND problem IS NOT NULL"
        with self._database.reading() as connection:
            ((unusable,),) = connection.execute(query)
        return int(unusable) + len(self._unnamed)

    def rows(self, ids: Sequence[int]) -> list[Photo]:
        """Return photos by their ids, in the order given.

        Raises:
            UnknownIdError: If there is none of an id.
        """
        query = f"SELECT {_COLUMNS} FROM photos WHERE id = ?"
        with self._database.reading() as connection:
            found = [connection.execute(query, (number,)).fetchone() for number in ids]
        if None in found:
            raise UnknownIdError("photo", ids[found.index(None)])
        return [Photo(*row) for row in found]

    def path_of(self, photo: Photo) -> Path:
        """Return the file of a photo.

        Raises:
            DataError: If the project names a path outside the folder of the photos.
        """
        return self.folder / photo_name(photo.path, str(self._database.file))

    def ids_of(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of the photos with these paths below the folder, as far as there are."""
        query = "SELECT id FROM photos WHERE path = ?"
        with self._database.reading() as connection:
            found = {name: connection.execute(query, (name,)).fetchone() for name in names}
        return {name: row[0] for name, row in found.items() if row}

    def unencoded(self, encoder: str, limit: int, after: int) -> list[Photo]:
        """Return photos without features of an encoder, in the order of their ids.

        Args:
            encoder: Name of the encoder.
            limit: Most photos to return.
            after: Only those with a larger id.
        """
        query = (
            f"SELECT {_COLUMNS} FROM photos WHERE NOT gone AND problem IS NULL AND id > ? "
            "AND (content IS NULL OR NOT EXISTS (SELECT 1 FROM features f "
            "WHERE f.encoder = ? AND f.content = photos.content)) ORDER BY id LIMIT ?"
        )
        with self._database.reading() as connection:
            return [Photo(*row) for row in connection.execute(query, (after, encoder, limit))]

    def note_read(self, examined: Iterable[Examined], problems: Iterable[tuple[int, str]]) -> None:
        """Note what was found in photos, and why others cannot be used."""
        with self._database.changes() as connection:
            connection.executemany(
                "UPDATE photos SET content = ?, width = ?, height = ?, look = ? WHERE id = ?",
                ((one.content, *one.size, packed_look(one.look), one.id) for one in examined),
            )
            connection.executemany(
                "UPDATE photos SET problem = ? WHERE id = ?",
                ((reason, number) for number, reason in problems),
            )

    def twins(self) -> NDArray[np.int64]:
        """Number the photos so that near twins and copies have equal numbers: ``(photos,)``."""
        query = "SELECT path, content, look FROM photos ORDER BY id"
        with self._database.reading() as connection:
            rows = connection.execute(query).fetchall()
        found = (ProjectPhoto(path, content, unpacked_look(look)) for path, content, look in rows)
        return np.array(twin_groups(list(found)), np.int64)


def _can_be_named(name: str) -> bool:
    try:
        return photo_name(name, "") == name
    except DataError:
        return False
