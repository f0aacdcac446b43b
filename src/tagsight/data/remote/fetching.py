"""Fetch what is at URLs, by fsspec: within limits of bytes and time, and kept in a cache."""

from __future__ import annotations

import functools
import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote

from tagsight.data.remote.cache import DiskCache
from tagsight.data.remote.places import (
    LISTED,
    REMEDIES,
    is_remote,
    scheme_of,
    secret_of,
    shown,
)
from tagsight.errors import DataError, TooLargeError
from tagsight.runtime.files import default_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsspec import AbstractFileSystem

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST = 2**30
"""Bytes of a file that is fetched."""

BUDGET = 20 * 2**30
"""Bytes on the disk for what is fetched; the environment variable `BUDGET_NAME` sets another."""

BUDGET_NAME = "TAGSIGHT_REMOTE_BYTES"

TRIES, PATIENCE, PAUSE = 3, 60.0, 0.5
"""How often a request is tried, how many seconds each time, and the first pause between two."""

AT_ONCE = 16
"""Files that are fetched at once, ahead of their use."""

_CHUNK = 2**20
_STAMPS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "Last-Modified", "mtime")
_STAMPS_OF_TIME = ("updated", "last_modified", "created")
_EXTRAS = {"gs": "gcsfs", "hf": "huggingface_hub"}
_REFUSED = (401, 403)
_GONE = (404, 410)


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
    waiting: deque[tuple[Item, Future[Path] | None]] = deque()
    try:
        for item in items:
            path = item if isinstance(item, Path) and is_remote(item) else None
            if path is None and not waiting:
                yield item
                continue
            pool = pool or ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tagsight-fetch")
            waiting.append((item, None if path is None else pool.submit(local_file, path)))
            if len(waiting) > 2 * AT_ONCE:
                yield _arrived(*waiting.popleft())
        while waiting:
            yield _arrived(*waiting.popleft())
    finally:
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _arrived(item: Item, future: Future[Path] | None) -> Item:
    if future is not None:
        with suppress(DataError, OSError):
            future.result()
    return item


def names_in(folder: Path) -> frozenset[str] | None:
    """Return the names in a remote folder; None where files cannot be listed.

    Raises:
        DataError: If it cannot be read.
    """
    if scheme_of(folder) not in LISTED:
        return None
    try:
        found = _asked(folder, lambda system: system.ls(_address(folder), detail=False))
    except FileNotFoundError:
        return frozenset()
    return frozenset(str(name).rstrip("/").rpartition("/")[2] for name in found)


def exists(path: Path) -> bool:
    """Return whether there is a remote file.

    Raises:
        DataError: If that cannot be found out.
    """
    return bool(_asked(path, lambda system: system.exists(_address(path))))


def files_below(folder: Path) -> list[Path]:
    """Return all files in a remote folder and those inside, sorted; a file is returned itself.

    Raises:
        DataError: If it cannot be read, or there is nothing.
    """
    if scheme_of(folder) not in LISTED:
        return [folder]
    found = _required(folder, lambda system: system.find(_address(folder)))
    if not found:
        msg = f"expected photos at {shown(folder)}, got none"
        raise DataError(msg)
    beginning = Path("/", f"{scheme_of(folder)}:")
    return sorted(beginning.joinpath(*str(name).strip("/").split("/")) for name in found)


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
    info: dict[str, Any] = _required(path, lambda system: system.info(_address(path)))
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
        seconds: The time after which a try is given up; by default `PATIENCE`.

    Raises:
        DataError: As `local_file` does.
    """

    def fetch(system: AbstractFileSystem) -> None:
        size = 0
        with system.open(_address(path), "rb") as source, file.open("wb") as target:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise TooLargeError(_too_large(path, "more", most))
                target.write(chunk)

    _required(path, fetch, seconds)


def upload(file: Path, path: Path, *, seconds: float | None = None) -> None:
    """Write a file to a URL.

    Args:
        file: A file of this machine.
        path: Stands for the URL.
        seconds: The time after which a try is given up; by default `PATIENCE`.

    Raises:
        DataError: If it cannot be written.
    """

    def send(system: AbstractFileSystem) -> None:
        with file.open("rb") as source, system.open(_address(path), "wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)

    _required(path, send, seconds)


def size_at(path: Path) -> int | None:
    """Return the bytes of the file at a URL; None if the place does not tell.

    Raises:
        DataError: If there is none, or it cannot be found out.
    """
    size = _required(path, lambda system: system.info(_address(path))).get("size")
    return size if isinstance(size, int) else None


def _too_large(path: Path, got: str, most: int) -> str:
    return f"expected a file of at most {most:,} bytes at {shown(path)}, got {got}"


def _required(
    path: Path, ask: Callable[[AbstractFileSystem], Result], seconds: float | None = None
) -> Result:
    try:
        return _asked(path, ask, seconds)
    except FileNotFoundError as error:
        msg = f"expected a file or folder at {shown(path)}, got none"
        raise DataError(msg) from error


def _asked(
    path: Path, ask: Callable[[AbstractFileSystem], Result], seconds: float | None = None
) -> Result:
    """Ask a file system, several times if it does not answer.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If the answer is another error.
    """
    system = _system(path)
    for attempt in range(TRIES):
        try:
            return _within(seconds or PATIENCE, lambda: ask(system))
        except DataError:
            raise
        except Exception as error:  # of many packages
            reason = _reason(error)
            if isinstance(reason, FileNotFoundError):
                raise reason from None
            if attempt == TRIES - 1 or not _is_passing(reason):
                raise DataError(_sentence(path, reason)) from None  # it may quote a secret
            sleep(PAUSE * 2**attempt)
    raise AssertionError


def _within(seconds: float, function: Callable[[], Result]) -> Result:
    """Call a function in a thread of its own, which is left behind if it takes too long."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True, name="tagsight-fetch").start()
    return future.result(seconds)


def _system(path: Path) -> AbstractFileSystem:
    try:
        return _opened(scheme_of(path), secret_of(path).user)
    except ImportError as error:
        package = _EXTRAS.get(scheme_of(path))
        what = f"pip install {package}" if package else "pip install 'tagsight[remote]'"
        msg = f"expected another package for {scheme_of(path)}://, got none: {what}"
        raise DataError(msg) from error


@functools.cache
def _opened(scheme: str, user: str) -> AbstractFileSystem:
    import fsspec

    options: dict[str, Any] = {}
    if user:
        import aiohttp

        name, _, word = user.partition(":")
        options["client_kwargs"] = {"auth": aiohttp.BasicAuth(unquote(name), unquote(word))}
    return fsspec.filesystem(scheme, **options)


def _address(path: Path) -> str:
    query = secret_of(path).query
    return shown(path) + (f"?{query}" if query else "")


def _reason(error: Exception) -> Exception:
    """Return the answer of a web server, which fsspec hides behind "not found"."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, Exception):
        return error if _status(cause) in {None, *_GONE} else cause
    return error


def _status(error: Exception) -> int | None:
    status = getattr(error, "status", None)
    if status is None:  # as botocore has it
        answer = getattr(error, "response", None)
        facts = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
        status = facts.get("HTTPStatusCode", getattr(answer, "status_code", None))  # as the Hub
    return status if isinstance(status, int) else None


def _is_passing(error: Exception) -> bool:
    """Return whether another try may succeed."""
    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    return isinstance(error, TimeoutError | ConnectionError) or "Connect" in type(error).__name__


def _sentence(path: Path, error: Exception) -> str:
    url, kind = shown(path), type(error).__name__
    refused = isinstance(error, PermissionError) or _status(error) in _REFUSED
    if refused or "Credential" in kind:
        return f"expected access to {url}, got none: {REMEDIES[scheme_of(path)]}"
    if isinstance(error, TimeoutError):
        return f"expected an answer from {url} within {PATIENCE:g} s, got none in {TRIES} tries"
    status = _status(error)
    return f"expected a file or folder at {url}, got {kind}" + (f" {status}" if status else "")
