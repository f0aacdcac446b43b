"""Features of a project's photos: files of rows that are mapped into memory, not held in it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tagsight.tagging.labelling.encoder import CELLS, DIRECTIONS
from tagsight.tagging.labelling.errors import disk_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.tagging.labelling.database import Database
    from tagsight.tagging.labelling.encoder import Encoded

Number = TypeVar("Number", bound=np.generic)

NOWHERE = -1
"""Slot of a photo without features."""


class Features:
    """Embeddings and compact cells, by content: photos of equal content share a slot.

    A slot is a row of both files. It is noted in the database after its row is on the disk, so that
    a crash leaves at most rows that the next photos are written over.

    Args:
        database: Notes which content has which slot.
        folder: The project's folder.
        encoder: Name of the encoder.
        dimensions: Length ``D`` of an embedding.

    Attributes:
        folder: Folder of the files.
        encoder: Name of the encoder.
        dimensions: Length of an embedding.

    Raises:
        DataError: If the files cannot be made.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.database import Database
        >>> from tagsight.tagging.labelling.encoder import Encoded
        >>> database = Database(Path())
        >>> features = Features(database, Path(), "colours", dimensions=3)
        >>> encoded = Encoded(np.ones((2, 3), np.float16), np.zeros((2, CELLS, CELLS, 64), np.int8))
        >>> features.add([1, 3], [b"a file", b"another"], encoded)
        >>> features.find(4, b"another"), features.slots(4).tolist(), features.embeddings().shape
        (True, [0, -1, 1, 1], (2, 3))
        >>> database.close()
    """

    def __init__(self, database: Database, folder: Path, encoder: str, dimensions: int) -> None:
        self._database = database
        self.encoder = encoder
        self._lock = threading.Lock()
        self.folder = folder / "features"
        self._embeddings = self.folder / f"{encoder}.embeddings"
        self._cells = self.folder / f"{encoder}.cells"
        self.dimensions = dimensions
        with disk_problems(self.folder):
            self.folder.mkdir(exist_ok=True)
            for file in (self._embeddings, self._cells):
                file.touch()
        with database.reading() as connection:
            query = "SELECT count(*), max(slot) FROM features WHERE encoder = ?"
            count, last = connection.execute(query, (encoder,)).fetchone()
            self._count: int = count
            if (last is not None and last != count - 1) or self._missing():
                # Files that are not whole: everything is encoded anew.
                with database.changes():
                    connection.execute("DELETE FROM features WHERE encoder = ?", (encoder,))
                self._count = 0
        self._slots = self._read_slots()

    @property
    def count(self) -> int:
        """Number of slots."""
        return self._count

    def slots(self, photos: int) -> NDArray[np.int64]:
        """Return the slot of each photo by id from 1, `NOWHERE` without one: ``(photos,)``."""
        with self._lock:
            self._grow(photos)
            return self._slots[:photos].copy()

    def embeddings(self) -> NDArray[np.float16]:
        """Map the embeddings of all slots: ``(slots, D)`` float16, read-only."""
        return mapped(self._embeddings, np.float16, (self._count, self.dimensions))

    def cells(self) -> NDArray[np.int8]:
        """Map the compact cells of all slots: ``(slots, 49, 64)`` int8, read-only."""
        return mapped(self._cells, np.int8, (self._count, CELLS * CELLS, DIRECTIONS))

    def find(self, photo: int, content: bytes) -> bool:
        """Give a photo the slot of its content; return whether there is one."""
        query = "SELECT slot FROM features WHERE encoder = ? AND content = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (self.encoder, content)).fetchone()
        if row is not None:
            self._place(photo, row[0])
        return row is not None

    def add(self, photos: Sequence[int], contents: Sequence[bytes], encoded: Encoded) -> None:
        """Write features.

        Args:
            photos: Ids of the photos.
            contents: Hashes of their contents, none of which has a slot.
            encoded: Their features.

        Raises:
            DataError: If the disk is full; nothing is noted then.
        """
        chosen = {content: row for row, content in enumerate(contents)}
        rows = list(chosen.values())
        with disk_problems(self.folder):
            write_rows(self._embeddings, self._count, encoded.embeddings[rows])
            write_rows(self._cells, self._count, encoded.cells[rows])
        slot_of = {content: self._count + place for place, content in enumerate(chosen)}
        with self._database.changes() as connection:
            connection.executemany(
                "INSERT INTO features VALUES (?, ?, ?)",
                ((self.encoder, content, slot) for content, slot in slot_of.items()),
            )
        self._count += len(rows)
        for photo, content in zip(photos, contents, strict=True):
            self._place(photo, slot_of[content])

    def _missing(self) -> bool:
        sizes = {
            self._embeddings: 2 * self.dimensions * self._count,
            self._cells: CELLS * CELLS * DIRECTIONS * self._count,
        }
        return any(file.stat().st_size < size for file, size in sizes.items())

    def _read_slots(self) -> NDArray[np.int64]:
        query = (
            "SELECT p.id, f.slot FROM photos p JOIN features f "
            "ON f.encoder = ? AND f.content = p.content"
        )
        with self._database.reading() as connection:
            ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM photos")
            slots = np.full(last, NOWHERE, np.int64)
            for photo, slot in connection.execute(query, (self.encoder,)):
                slots[photo - 1] = slot
        return slots

    def _place(self, photo: int, slot: int) -> None:
        with self._lock:
            self._grow(photo)
            self._slots[photo - 1] = slot

    def _grow(self, photos: int) -> None:
        if photos > len(self._slots):
            more = np.full(max(photos, 2 * len(self._slots)) - len(self._slots), NOWHERE, np.int64)
            self._slots = np.concatenate([self._slots, more])


def write_rows(file: Path, row: int, rows: NDArray[np.generic]) -> None:
    r"""Write rows of a file from one on, and wait until they are on the disk.

    Example:
        >>> from pathlib import Path
        >>> file = Path("rows")
        >>> file.touch()
        >>> write_rows(file, 1, np.array([[1, 2]], np.int8))
        >>> file.read_bytes()
        b'\x00\x00\x01\x02'
    """
    content = np.ascontiguousarray(rows)
    with file.open("r+b") as handle:
        handle.seek(row * content[:1].nbytes)
        handle.write(content.tobytes())
        handle.flush()
        os.fsync(handle.fileno())


def mapped(file: Path, kind: type[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Map a file of rows into memory, read-only.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("rows").write_bytes(bytes([1, 2, 3, 4]))
        >>> mapped(Path("rows"), np.int8, (2, 2)).tolist()
        [[1, 2], [3, 4]]
    """
    if not shape[0]:
        return np.empty(shape, kind)
    return np.memmap(file, kind, "r", shape=shape)
