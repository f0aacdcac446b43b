"""Atomic writing of files and folders: the old content or the new one, never a part; digests."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""Flags to open a file that must not exist."""

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


def default_cache() -> Path:
    """The folder for what can be computed again, which all runs of a user share.

    Example:
        >>> default_cache().name
        'tagsight'
    """
    return user_cache_path("tagsight")


def sha256_of(file: Path) -> bytes:
    """Compute the SHA-256 of a file of any size, a block at a time.

    Raises:
        OSError: If it cannot be read.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "notes.txt"
        ...     _ = file.write_bytes(b"...")
        ...     sha256_of(file).hex()[:8]
        'ab5df625'
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


@contextmanager
def _as_error_of(path: Path) -> Iterator[None]:
    """Name a path, instead of a temporary one, in any error of the system."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name the file that is written in errors of the disk, such as that it is full.

    The error of a write has no name, a temporary name says nothing to the user, and libraries
    written in Rust quote the system's error in one of their own.

    Args:
        path: The file or folder.
        temporary: Its temporary name, or that of the folder that it is written in.

    Example:
        >>> with naming(Path("tags.csv")):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
            ...
        OSError: [Errno 28] No space left on device: 'tags.csv'
    """
    try:
        yield
    except Exception as error:
        found = error if isinstance(error, OSError) else quoted_os_error(str(error))
        if found is None or found.errno not in _OF_THE_DISK:
            raise
        named = [Path(name) for name in (found.filename, found.filename2) if name is not None]
        if not named or any(temporary in (name, *name.parents) for name in named):
            raise OSError(found.errno, found.strerror, str(path)) from error
        raise


def quoted_os_error(message: str) -> OSError | None:
    """Return the system's error that a library written in Rust quotes; None if it quotes none.

    Example:
        >>> quoted_os_error("I/O error: No space left on device (os error 28)")
        OSError(28, 'No space left on device')
    """
    found = re.search(r"\(os error (\d+)\)", message)
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces it if the block succeeds.

    Readers see the old file or the new one, never a part. After an error the temporary file is
    deleted.

    Args:
        path: The file to write; its folder is created.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "notes.txt"
        ...     with replacing(file) as temporary:
        ...         _ = temporary.write_text("done")
        ...     file.read_text()
        'done'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = draft_of(path, secrets.token_hex(4))
    with _as_error_of(path):
        os.close(os.open(temporary, NEW, 0o600))
    try:
        with naming(path, temporary):
            yield temporary
            sync(temporary)
            mode = permissions(path)
            temporary.chmod(0o666 & ~_umask() if mode is None else mode)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def permissions(path: Path) -> int | None:
    """Return the permissions of a file; None where there is none.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "notes.txt"
        ...     file.touch(0o600)
        ...     oct(permissions(file)), permissions(file.with_name("other.txt"))
        ('0o600', None)
    """
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def draft_of(path: Path, ending: str) -> Path:
    """Return the name of new content of a file until it takes its place.

    Args:
        path: The file.
        ending: Eight hexadecimal digits.

    Example:
        >>> str(draft_of(Path("notes.txt"), "0123abcd"))
        '.notes.txt.0123abcd~'
    """
    return path.with_name(f".{path.name}.{ending}~")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is deleted after the block; errors of its disk name it.

    Example:
        >>> with temporary_folder() as folder:
        ...     _ = (folder / "notes.txt").write_text("done")
        >>> folder.exists()
        False
    """
    with tempfile.TemporaryDirectory(prefix="tagsight-") as name, naming(Path(name)):
        yield Path(name)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file that is small enough to be in memory, atomically.

    Args:
        path: The file; its folder is created.
        content: Bytes, or text to encode as UTF-8.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "new" / "notes.txt"
        ...     write_atomically(file, "done")
        ...     file.read_bytes()
        b'done'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``, which replaces it if the block succeeds.

    Other files in ``folder`` are moved to the new one. Not every file system can exchange two
    folders atomically: between two renames the old folder exists only under another name, where
    `surviving_folder` finds it. After an error, or at the next call after a crash, it is renamed
    back.

    Args:
        folder: The folder to write.

    Example:
        >>> with tempfile.TemporaryDirectory() as outer:
        ...     folder = Path(outer) / "model"
        ...     with replacing_folder(folder) as temporary:
        ...         _ = (temporary / "notes.txt").write_text("done")
        ...     [file.name for file in folder.iterdir()]
        ['notes.txt']
    """
    folder = folder.resolve()  # replace the target of a symbolic link, not the link
    folder.parent.mkdir(parents=True, exist_ok=True)
    _settle(folder)
    with _as_error_of(folder):
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with naming(folder, temporary):
            yield temporary
            for written in (*temporary.iterdir(), temporary):
                written.chmod((0o777 if written.is_dir() else 0o666) & ~_umask())
                sync(written)
            if folder.exists():
                folder.rename(_previous(folder))
            temporary.rename(folder)
            sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _settle(folder)


def surviving_folder(folder: Path) -> Path:
    """Return where the complete folder is, in case a crash interrupted `replacing_folder`.

    Args:
        folder: The folder that `replacing_folder` writes.

    Example:
        >>> with tempfile.TemporaryDirectory() as outer:
        ...     folder = Path(outer) / "model"
        ...     folder.mkdir()
        ...     surviving_folder(folder) == folder
        True
    """
    previous = _previous(folder.resolve())
    return previous if previous.is_dir() and not folder.exists() else folder


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


def _settle(folder: Path) -> None:
    previous = _previous(folder)
    if not previous.exists():
        return
    if not folder.exists():
        previous.rename(folder)
        return
    for entry in previous.iterdir():
        if not (folder / entry.name).exists():
            entry.rename(folder / entry.name)
    shutil.rmtree(previous)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Example:
        >>> sync(Path())
    """
    if os.name != "posix" and path.is_dir():
        return  # other systems cannot open a folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
