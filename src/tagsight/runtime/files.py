"""Files and folders that are either whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place if the block succeeds.

    A reader sees the old file or the new one, never a part; after an error nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a small file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder`` that takes its place if the block succeeds.

    What else lies in ``folder`` moves over. Two folders cannot be exchanged at once everywhere:
    between two renames the old one is complete beside its place, where `surviving_folder` finds
    it. After an error, or at the next call after a crash, it is back.
    """
    folder = folder.resolve()  # a link to a folder stays a link
    folder.parent.mkdir(parents=True, exist_ok=True)
    _settle(folder)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        for written in (*temporary.iterdir(), temporary):
            written.chmod((0o777 if written.is_dir() else 0o666) & ~_umask())
            _sync(written)
        if folder.exists():
            folder.rename(_previous(folder))
        temporary.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _settle(folder)


def surviving_folder(folder: Path) -> Path:
    """Where a folder that `replacing_folder` writes is complete, if anywhere."""
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


def _sync(path: Path) -> None:
    if path.is_dir() and os.name != "posix":
        return  # only there a folder can be opened
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
