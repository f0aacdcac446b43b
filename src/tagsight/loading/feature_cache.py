"""A cache on disk of the features that frozen stages compute.

A folder has one SQLite file for each set of frozen stages. When a new run needs space, files are
deleted, the least recently used first; not those that another run has open, as SQLite cannot write
to a deleted file.
"""

from __future__ import annotations

import glob
import secrets
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.cache_file import CacheFile, remove_cache_file
from tagsight.runtime.claims import Claim, claimed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SUFFIX = ".features"
CLAIM = ".claim"
"""Suffix of a file beside that of the features, which each process that has them open holds."""

PAGE = 65536
"""Bytes of a page of the file; a feature grid has some tens of thousands."""

_SETUP = (
    f"PRAGMA page_size = {PAGE}",
    "CREATE TABLE IF NOT EXISTS grids "
    "(photo BLOB NOT NULL, view TEXT NOT NULL, grid BLOB NOT NULL, PRIMARY KEY (photo, view))",
)
_PROBES = ("SELECT photo, view, grid FROM grids",)


class FeatureCache(CacheFile):
    """Feature grids by photo and view, in one file; several processes may share it.

    `make_room` leaves the file alone while it is open.

    Args:
        file: The file; it is created if it does not exist, and replaced if it is damaged.

    Raises:
        OSError: If the file can neither be read nor created.
        sqlite3.Error: If the disk is full.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with FeatureCache(Path(folder) / "a.features") as cache:
        ...         cache.write([(b"photo", "224", b"12345678")])
        ...         cache.complete({"224": 8}), cache.read(b"photo", ["224"])
        ({b'photo'}, [b'12345678'])
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._opened = ExitStack()
        with suppress(DataError):  # without locks it may be deleted too early
            claim = Claim(file.with_name(f"{file.name}.{secrets.token_hex(4)}{CLAIM}"), "")
            self._opened.callback(claim.delete)
        try:
            super().__init__(file, _SETUP, _PROBES)
            file.touch()  # the time of the last use
        except BaseException:
            self._opened.close()
            raise

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._opened.close()

    def complete(self, sizes: Mapping[str, int]) -> set[bytes]:
        """Find the photos that have a whole grid for each view.

        Args:
            sizes: Bytes of a grid, by view.
        """
        found = [
            {
                photo
                for (photo,) in self._database.execute(
                    "SELECT photo FROM grids WHERE view = ? AND length(grid) = ?", one
                )
            }
            for one in sizes.items()
        ]
        return set.intersection(*found)

    def write(self, grids: Iterable[tuple[bytes, str, bytes]]) -> None:
        """Store grids, given as photo, view and bytes, in one transaction."""
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO grids VALUES (?, ?, ?)", grids)

    def read(self, photo: bytes, views: Sequence[str]) -> list[bytes]:
        """Read the grids of a photo, which must exist; thread-safe."""
        query = "SELECT grid FROM grids WHERE photo = ? AND view = ?"
        with self._lock:
            return [self._database.execute(query, (photo, v)).fetchone()[0] for v in views]


def make_room(folder: Path, needed: int, budget: int, *, keep: Path) -> bool:
    """Delete files, the least recently used first, until the needed bytes fit into the budget.

    Files that are open, also in other processes, are not deleted, and count.

    Args:
        folder: Folder of the cache.
        needed: Bytes to be written.
        budget: Limit of the folder's size, in bytes.
        keep: A file that is not deleted.

    Returns:
        Whether the bytes fit. If they cannot fit, nothing is deleted.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     folder = Path(name)
        ...     old, new = folder / f"old{SUFFIX}", folder / f"new{SUFFIX}"
        ...     _ = old.write_bytes(bytes(800)), new.write_bytes(bytes(100))
        ...     make_room(folder, 300, 1000, keep=new), old.exists()
        (True, False)
    """
    found = {}
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another process has deleted it
            found[file] = file.stat()
    kept = {file for file in found if file == keep or _is_open(file)}
    if sum(found[file].st_size for file in kept) + needed > budget:
        return False
    total = sum(status.st_size for status in found.values())
    for file in sorted(found.keys() - kept, key=lambda file: found[file].st_mtime_ns):
        if total + needed <= budget:
            break
        remove_cache_file(file)
        total -= found[file].st_size
    return True


def _is_open(file: Path) -> bool:
    """Return whether a process has the file open; claims of processes that died are deleted."""
    claims = list(file.parent.glob(f"{glob.escape(file.name)}.*{CLAIM}"))
    held = [_is_held(claim) for claim in claims]  # each is looked at, in whatever order
    return any(held)


def _is_held(claim: Path) -> bool:
    """Return whether a process that runs holds the claim, and delete it otherwise."""
    try:
        with claimed(claim, ""):
            return False
    except DataError:
        return True
