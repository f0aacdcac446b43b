"""LanceDB: how it is imported, and its errors."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from tagsight.errors import FULL, DataError, needs_extra
from tagsight.runtime.files import quoted_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANCEDB = {
    "LANCEDB_LOG": "error",  # it warns of equal vectors
    "RUST_BACKTRACE": "0",
    # Bytes that it reads ahead when it compacts and builds a vector index, in place of gigabytes.
    # A batch of rows must fit in, also one with the scores of 9,605 labels: with larger batches
    # and 2**23 it waited for itself forever where some were removed.
    "LANCE_DEFAULT_IO_BUFFER_SIZE": str(2**24),
    "LANCE_DEFAULT_BATCH_SIZE": "256",
    "LANCE_SHUFFLE_BATCH_BYTES": str(2**24),
}
"""What the environment tells LanceDB, unless it tells something else."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""

ARENAS = 2
"""Heaps that threads share. Each of LanceDB's many threads keeps what it has freed in a heap of its
own otherwise, and memory grows with the index."""

LARGE, LARGEST = 2**20, 2**25
"""Bytes of a block that `returning_memory` maps apart from the heaps, and that glibc maps at last
by itself, as its threshold follows the blocks that are freed."""

CACHES = {"index_cache_size_bytes": 2**25, "metadata_cache_size_bytes": 2**22}
"""Bytes that LanceDB keeps of a vector index, and of other files, while an index is written."""

_PLACE = re.compile(r",? /\S+\.rs:\d+.*", re.DOTALL)
"""Position in the source of LanceDB, which it appends to its errors."""


def lancedb_module() -> Any:  # noqa: ANN401 - it has no types
    """Import LanceDB, after telling it what it reads from the environment.

    Raises:
        DataError: If the extra is not installed.

    Example:
        >>> lancedb_module().__name__
        'lancedb'
    """
    for name, value in LANCEDB.items():
        os.environ.setdefault(name, value)
    if "MALLOC_ARENA_MAX" not in os.environ:
        _tell_malloc(_ARENA_MAX, ARENAS)
    with needs_extra("search", "for an index"):
        import lancedb
    return cast("Any", lancedb)


def connect(folder: Path, *, writes: bool) -> Any:  # noqa: ANN401
    """Open the database in a folder; one that ``writes`` keeps little of it in memory.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     connect(Path(folder), writes=True).list_tables().tables
        []
    """
    lancedb = lancedb_module()
    if not writes:
        return lancedb.connect(folder)
    return lancedb.connect(folder, session=lancedb.Session(**CACHES))


def release_memory() -> None:
    """Return freed memory to the system, which glibc keeps otherwise.

    Example:
        >>> release_memory()
    """
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def returning_memory() -> Iterator[None]:
    """Return memory to the system as soon as it is freed, within the block and at its end.

    Large blocks are mapped apart from the heaps, where they would leave gaps between what lasts.
    The system clears each of them, so that other work would be slower.

    Example:
        >>> with returning_memory():
        ...     _ = bytearray(LARGE)
    """
    ours = "MALLOC_MMAP_THRESHOLD_" not in os.environ
    if ours:
        _tell_malloc(_MMAP_THRESHOLD, LARGE)
    try:
        yield
    finally:
        if ours:
            _tell_malloc(_MMAP_THRESHOLD, LARGEST)
            _tell_malloc(_TRIM_THRESHOLD, 2 * LARGEST)
        release_memory()


def _tell_malloc(parameter: int, value: int) -> None:
    if _is_glibc():
        ctypes.CDLL(None).mallopt(parameter, value)


@cache
def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


@contextmanager
def lancedb_errors(folder: Path) -> Iterator[None]:
    """Turn any error that LanceDB raises within the block into a `DataError`.

    Raises:
        DataError: If the block raises an error.
        OSError: If the disk is full.

    Example:
        >>> from pathlib import Path
        >>> try:
        ...     with lancedb_errors(Path("index")):
        ...         raise RuntimeError("no such table")
        ... except DataError as error:
        ...     print(str(error).partition(";")[0])
        index: expected an index that can be read and written, got: no such table
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except BaseException as error:
        # A panic in Rust is not an Exception, and its type cannot be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if (disk := quoted_os_error(str(error))) is not None and disk.errno in FULL:
            raise OSError(disk.errno, disk.strerror, str(folder)) from error
        reason = _PLACE.sub("", str(error)).strip().partition("\n")[0]
        msg = (
            f"{folder}: expected an index that can be read and written, got: "
            f"{reason or type(error).__name__:.300}; if it is damaged, delete it and make it again"
        )
        raise DataError(msg) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what a panic in LanceDB writes to the terminal.

    This redirects standard error of the whole process, so no other thread should be running.

    Example:
        >>> with quiet():
        ...     _ = os.write(2, b"a panic")
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
