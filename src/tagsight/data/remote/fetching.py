"""Fetch what is at URLs, by fsspec: within limits of bytes and time, and kept in a cache."""

from __future__ import annotations

import functools
import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tagsight.data.remote.asking import address, asked, required
from tagsight.data.remote.cache import DiskCache
from tagsight.data.remote.places import LISTED, is_remote, scheme_of, shown
from tagsight.errors import DataError, TooLargeError
from tagsight.runtime.files import default_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsspec import AbstractFileSystem

Item = TypeVar("Item")

LARGEST = 2**30
"""Bytes of a file that is fetched."""

BUDGET = 20 * 2**30
"""Bytes on the disk for what is fetched; the environment variable `BUDGET_NAME` sets another."""

BUDGET_NAME = "TAGSIGHT_REMOTE_BYTES"

AT_ONCE = 16
"""Files that are fetched at once, ahead of their use."""

_CHUNK = 2**20
_STAMPS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "Last-Modified", "mtime")
_STAMPS_OF_TIME = ("updated", "last_modified", "created")


class _Facts(NamedTuple):
    size: int | None  # bytes, if the place tells
    stamps: tuple[str, ...]  # other when the content is


_locks = tuple(Lock() for _ in range(256))


def local_file(path: Path, *, most: int = LARGEST) -> Path:
    """Return the file of this machine that has the content of a path.

    A path that stands for no URL is returned as it is. For others, the file is fetched unless the
    cache has it; safe to call from any thread.

    Args:
        path: A path of this machine, or one that stands for a URL.
        most: Largest number of bytes of a file that is fetched.

    Raises:
        DataError: If it cannot be fetched: a package is missing, there is no such file, it is too
            large, credentials are missing, or the place does not answer.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/local.jpg", b"...")
        >>> local_file(place("memory://bucket/local.jpg")).read_bytes()
        b'...'
        >>> str(local_file(Path("a.jpg")))
        'a.jpg'
    """
    if not is_remote(path):
        return path
    with _locks[zlib.crc32(os.fsencode(path)) % len(_locks)]:
        facts = _facts(path)
        if facts.size is not None and facts.size > most:
            raise TooLargeError(_too_large(path, f"{facts.size:,}", most))
        key = "\n".join([shown(path), str(facts.size), *facts.stamps])
        cache = _cache()
        found = cache.find(key, path.suffix.lower())
        if found is not None:
            return found
        return cache.add(key, path.suffix.lower(), lambda file: download(path, file, most=most))


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, while the files of the paths that come next are fetched in other threads.

    What is no path of a URL is passed on. What cannot be fetched is found where it is used.

    Example:
        >>> list(read_ahead([Path("a.jpg"), b"content"]))
        [PosixPath('a.jpg'), b'content']
    """
    pool: ThreadPoolExecutor | None = None
    waiting: deque[tuple[Item, Future[None] | None]] = deque()
    try:
        for item in items:
            path = item if isinstance(item, Path) and is_remote(item) else None
            if path is None and not waiting:
                yield item
                continue
            pool = pool or ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tagsight-fetch")
            waiting.append((item, None if path is None else pool.submit(_fetch, path)))
            if len(waiting) > 2 * AT_ONCE:
                yield _arrived(*waiting.popleft())
        while waiting:
            yield _arrived(*waiting.popleft())
    finally:
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetch(path: Path) -> None:
    local_file(path)
    _cache().release()


def _arrived(item: Item, future: Future[None] | None) -> Item:
    if future is not None:
        with suppress(DataError, OSError):
            future.result()
    return item


def names_in(folder: Path) -> frozenset[str] | None:
    """Return the names in a remote folder; None where files cannot be listed.

    Raises:
        DataError: If it cannot be read.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe({"/names/a.jpg": b"", "/names/more/b.jpg": b""})
        >>> sorted(names_in(place("memory://names")))
        ['a.jpg', 'more']
    """
    if scheme_of(folder) not in LISTED:
        return None
    try:
        found = asked(folder, lambda system: system.ls(address(folder), detail=False))
    except FileNotFoundError:
        return frozenset()
    return frozenset(str(name).rstrip("/").rpartition("/")[2] for name in found)


def exists(path: Path) -> bool:
    """Return whether there is a remote file.

    Raises:
        DataError: If that cannot be found out.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"...")
        >>> exists(place("memory://bucket/a.jpg")), exists(place("memory://bucket/b.jpg"))
        (True, False)
    """
    return bool(asked(path, lambda system: system.exists(address(path))))


def is_folder_at(path: Path) -> bool:
    """Return whether there is a remote folder, where files can be listed.

    Raises:
        DataError: If there is neither a file nor a folder, or that cannot be found out.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"...")
        >>> is_folder_at(place("memory://bucket")), is_folder_at(place("memory://bucket/a.jpg"))
        (True, False)
    """
    info = required(path, lambda system: system.info(address(path)))
    return bool(info.get("type") == "directory")


def sizes_below(folder: Path) -> dict[Path, int]:
    """Return the bytes of all files in a remote folder and those inside, sorted by their paths.

    Raises:
        DataError: If it cannot be read.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe({"/sizes/a.jpg": b"...", "/sizes/more/b.jpg": b""})
        >>> {path.name: size for path, size in sizes_below(place("memory://sizes")).items()}
        {'a.jpg': 3, 'b.jpg': 0}
    """
    found = required(folder, lambda system: system.find(address(folder), detail=True))
    sizes = {_path(folder, name): info.get("size") or 0 for name, info in found.items()}
    return dict(sorted(sizes.items()))


def _path(folder: Path, name: object) -> Path:
    """Return the path of a file in a folder by the name that a file system gives it.

    A key of a bucket may be any text, and what is written here lies by its name below a folder.
    """
    path = Path("/", f"{scheme_of(folder)}:").joinpath(*str(name).strip("/").split("/"))
    if ".." in path.parts or "\0" in str(name) or not path.is_relative_to(folder):
        msg = f"expected files that stay in {shown(folder)}, got the name {str(name)!r}: rename it"
        raise DataError(msg)
    return path


def files_below(folder: Path) -> list[Path]:
    """Return all files in a remote folder and those inside, sorted; a file is returned itself.

    Raises:
        DataError: If it cannot be read, or there is nothing.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe({"/below/a.jpg": b"", "/below/more/b.jpg": b""})
        >>> [shown(file) for file in files_below(place("memory://below"))]
        ['memory://below/a.jpg', 'memory://below/more/b.jpg']
    """
    if scheme_of(folder) not in LISTED:
        return [folder]
    found = required(folder, lambda system: system.find(address(folder)))
    if not found:
        msg = f"expected photos at {shown(folder)}, got none"
        raise DataError(msg)
    return sorted(_path(folder, name) for name in found)


def budget() -> int:
    """Return the bytes on the disk for what is fetched.

    Raises:
        DataError: If the environment variable `BUDGET_NAME` is no number.

    Example:
        >>> budget() == int(os.environ.get(BUDGET_NAME, BUDGET))
        True
    """
    return _cache().budget


@functools.cache
def _cache() -> DiskCache:
    text = os.environ.get(BUDGET_NAME, "")
    if text and not text.isdecimal():
        msg = f"expected a number of bytes as {BUDGET_NAME}, got {text!r}"
        raise DataError(msg)
    return DiskCache(default_cache() / "remote", int(text) if text else BUDGET)


@functools.lru_cache(maxsize=2**17)
def _facts(path: Path) -> _Facts:
    """Return what changes when the file at a URL does, asked once in a process."""
    info: dict[str, Any] = required(path, lambda system: system.info(address(path)))
    size = info.get("size")
    if info.get("type") == "directory":
        msg = f"expected a file at {shown(path)}, got a folder"
        raise DataError(msg)
    stamps = [f"{name}={info[name]}" for name in (*_STAMPS, *_STAMPS_OF_TIME) if info.get(name)]
    # Without any, the file is fetched again by each process.
    known = size if isinstance(size, int) else None
    return _Facts(known, tuple(stamps or [f"process={os.getpid()}"]))


def download(path: Path, file: Path, *, most: int = LARGEST, seconds: float | None = None) -> None:
    """Fetch the file at a URL, without the cache.

    Args:
        path: Stands for the URL.
        file: Where to write it.
        most: Largest number of bytes.
        seconds: The time after which a try is given up; by default 60.

    Raises:
        DataError: As `local_file` does.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"...")
        >>> download(place("memory://bucket/a.jpg"), Path("copy.jpg"))
        >>> Path("copy.jpg").read_bytes()
        b'...'
    """

    def fetch(system: AbstractFileSystem) -> None:
        size = 0
        with system.open(address(path), "rb") as source, file.open("wb") as target:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise TooLargeError(_too_large(path, "more", most))
                target.write(chunk)

    required(path, fetch, seconds)


def upload(file: Path, path: Path, *, seconds: float | None = None) -> None:
    """Write a file to a URL.

    Args:
        file: A file of this machine.
        path: Stands for the URL.
        seconds: The time after which a try is given up; by default 60.

    Raises:
        DataError: If it cannot be written.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> _ = Path("a.jpg").write_bytes(b"...")
        >>> upload(Path("a.jpg"), place("memory://bucket/sent.jpg"))
        >>> fsspec.filesystem("memory").cat("/bucket/sent.jpg")
        b'...'
    """

    def send(system: AbstractFileSystem) -> None:
        with file.open("rb") as source, system.open(address(path), "wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)

    required(path, send, seconds)


def size_at(path: Path) -> int | None:
    """Return the bytes of the file at a URL; None if the place does not tell.

    Raises:
        DataError: If there is none, or it cannot be found out.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"...")
        >>> size_at(place("memory://bucket/a.jpg"))
        3
    """
    size = required(path, lambda system: system.info(address(path))).get("size")
    return size if isinstance(size, int) else None


def _too_large(path: Path, got: str, most: int) -> str:
    allowed = f"expected a file of at most {most:,} bytes at {shown(path)}, got {got}"
    return f"{allowed}: copy it to this machine, or make it smaller"
