"""Ask file systems of fsspec: with limits of time, several tries, and errors in sentences."""

from __future__ import annotations

import functools
from concurrent.futures import Future
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from tagsight.data.remote.places import REMEDIES, scheme_of, secret_of, shown
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fsspec import AbstractFileSystem

Result = TypeVar("Result")

TRIES, PATIENCE, PAUSE = 3, 60.0, 0.5
"""How often a request is tried, how many seconds each time, and the first pause between two."""

_EXTRAS = {"gs": "gcsfs", "hf": "huggingface_hub"}
_REFUSED = (401, 403)
_GONE = (404, 410)


def required(
    path: Path, ask: Callable[[AbstractFileSystem], Result], seconds: float | None = None
) -> Result:
    """Ask the file system of a path, as `asked` does, for what must be there.

    Raises:
        DataError: If there is no such file or folder, or the answer is another error.

    Example:
        >>> from tagsight.data.remote.places import place
        >>> try:
        ...     required(place("memory://bucket/none.jpg"), lambda system: system.info("/none.jpg"))
        ... except DataError as error:
        ...     print(error)
        expected a file or folder at memory://bucket/none.jpg, got none
    """
    try:
        return asked(path, ask, seconds)
    except FileNotFoundError as error:
        msg = f"expected a file or folder at {shown(path)}, got none"
        raise DataError(msg) from error


def asked(
    path: Path, ask: Callable[[AbstractFileSystem], Result], seconds: float | None = None
) -> Result:
    """Ask the file system of a path, several times if it does not answer.

    Args:
        path: Stands for a URL.
        ask: Asks it.
        seconds: The time after which a try is given up; by default `PATIENCE`.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If the answer is another error.

    Example:
        >>> import fsspec
        >>> from tagsight.data.remote.places import place
        >>> fsspec.filesystem("memory").pipe("/bucket/a.jpg", b"...")
        >>> path = place("memory://bucket/a.jpg")
        >>> asked(path, lambda system: system.cat(address(path)))
        b'...'
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


def address(path: Path) -> str:
    """Return the URL of a path, with what is secret of it.

    Example:
        >>> from tagsight.data.remote.places import place
        >>> address(place("https://pictures.org/signed.jpg?signature=1"))
        'https://pictures.org/signed.jpg?signature=1'
    """
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
