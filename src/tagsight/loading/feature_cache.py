"""A cache on disk of the features that frozen stages compute.

A folder has one SQLite file for each set of frozen stages. When a new run needs space, files are
deleted, the least recently used first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.runtime.cache_file import CacheFile, remove_cache_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SUFFIX = ".features"
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
        super().__init__(file, _SETUP, _PROBES)
        file.touch()  # the time of the last use

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
    sizes = {file: file.stat() for file in folder.glob(f"*{SUFFIX}")}
    kept = sizes[keep].st_size if keep in sizes else 0
    if kept + needed > budget:
        return False
    total = sum(size.st_size for size in sizes.values())
    for file in sorted(sizes.keys() - {keep}, key=lambda file: sizes[file].st_mtime_ns):
        if total + needed <= budget:
            break
        remove_cache_file(file)
        total -= sizes[file].st_size
    return True
