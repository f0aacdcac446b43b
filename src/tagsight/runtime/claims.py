"""Files that one process at a time may use, until it ends in whatever way."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Self

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Claim:
    """A file that this process holds until it closes it or ends, be it killed.

    The file is an empty database: SQLite locks it in a way that every system knows.

    Args:
        file: The file, in a folder that exists; it is made if it does not exist.
        refusal: The sentence to say where another process holds it, but for the reason.

    Raises:
        DataError: If another process holds it, or it cannot be locked here.
        OSError: If it cannot be written, as on a full disk.

    Example:
        >>> from pathlib import Path
        >>> with Claim(Path("claim"), "expected a file that no other process uses"):
        ...     Claim(Path("claim"), "expected a file that no other process uses")
        Traceback (most recent call last):
            ...
        tagsight.errors.DataError: expected a file that no other process uses (database is locked)
    """

    def __init__(self, file: Path, refusal: str) -> None:
        is_new = not file.exists()
        self._file = file
        try:
            self._database = _locked(file)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                msg = f"{refusal} ({error})"
                raise DataError(msg) from error
            if is_new:
                file.unlink(missing_ok=True)
            _require_room(file.parent)  # SQLite does not say why it cannot write
            msg = f"{file}: expected a disk on which files can be locked, got: {error}"
            raise DataError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes hold it."""
        self._database.close()

    def delete(self) -> None:
        """Delete the file, and let other processes make and hold another one."""
        try:
            self._file.unlink(missing_ok=True)  # while it is held: it may be another's afterwards
        except PermissionError:  # Windows deletes no open file
            self.close()
            with suppress(PermissionError):  # another process has opened it
                self._file.unlink(missing_ok=True)
        finally:
            self.close()


@contextmanager
def claimed(file: Path, refusal: str) -> Iterator[None]:
    """Hold a file during the block, and delete it afterwards.

    Args:
        file: The file, in a folder that exists.
        refusal: The sentence to say where another process holds it, but for the reason.

    Raises:
        DataError: If another process holds it, or it cannot be locked here.
        OSError: If it cannot be written, as on a full disk.

    Example:
        >>> from pathlib import Path
        >>> with claimed(Path("claim"), "expected a file that no other process uses"):
        ...     print(Path("claim").exists())
        True
        >>> Path("claim").exists()
        False
    """
    claim = Claim(file, refusal)
    try:
        yield
    finally:
        claim.delete()


def _locked(file: Path) -> sqlite3.Connection:
    """Lock the file that has this name, and not one that was deleted after it was opened."""
    while True:
        opened = _identity(file)
        database = sqlite3.connect(file, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            if opened is not None and _identity(file) == opened:
                return database
        except sqlite3.Error:
            database.close()
            raise
        database.close()


def _identity(file: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from another one of its name; None if there is none."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _require_room(folder: Path) -> None:
    """Raise the system's error if a folder takes no more files."""
    with TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))
        file.flush()
