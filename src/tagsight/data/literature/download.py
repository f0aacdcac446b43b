"""Downloads of files: bounded in size, verified, and resumed after a broken connection."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from typing import IO, TYPE_CHECKING, NamedTuple, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

BLOCK = 2**20
PATIENCE = 30.0
"""Seconds without a byte after which a connection counts as broken."""

AGAIN = "the partial file belonged to another one and was removed: try again"
LARGEST_UNKNOWN = 2**30
"""Bytes of a file whose size only the server states."""


class _ShorterError(Exception):
    """The server's file is shorter than the requested offset."""


class UnreachableError(DataError):
    """The host does not answer, or answers with something else."""


class Remote(NamedTuple):
    """A file on the web.

    Attributes:
        url: Its address.
        size: Bytes, or None to ask the server.
        md5: Hexadecimal MD5 if its publisher states one.

    Example:
        >>> Remote("https://host/files/images.zip?signature=1", size=None).name
        'images.zip'
    """

    url: str
    size: int | None
    md5: str | None = None

    @property
    def name(self) -> str:
        """Last part of the address."""
        return Path(urlsplit(self.url).path).name


def fetch(
    remote: Remote, folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Download a file into a folder, unless it is already there.

    Until it is complete and verified, it is named ``<name>.part``. If the connection breaks, the
    rest is requested again as long as each attempt brings some bytes, and otherwise by the next
    call. The request names the version of the partial file; if the server's file has changed, or
    the server does not support partial requests, the download starts from the beginning.

    Args:
        remote: The file.
        folder: The target folder.
        progress: Called with the bytes received in this call, and the number it needs.

    Returns:
        The file's path.

    Raises:
        UnreachableError: If the host cannot be reached, or the transfer breaks off; the partial
            file is kept.
        DataError: If the received or the existing file is not the expected one.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "photos.zip").write_bytes(b"12345")
        ...     fetch(Remote("https://example.org/photos.zip", 5), Path(folder)).name  # is there
        'photos.zip'
    """
    target = folder / remote.name
    if target.exists():
        _verify(target, remote, f"remove {target} to fetch it again")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    size = _stated_size(remote) if remote.size is None else remote.size
    while part.size < size or not part.path.exists():
        before = part.size
        try:
            _transfer(remote.url, size, part, progress or (lambda _done, _total: None))
        except UnreachableError:
            if part.size <= before:
                raise
        except _ShorterError as error:
            part.forget()
            msg = f"{remote.url}: expected {size:,} bytes, got fewer; {AGAIN}"
            raise DataError(msg) from error
    try:
        _verify(part.path, remote, "try again later")
    except DataError:
        part.forget()
        raise
    part.path.replace(target)
    part.forget()
    return target


class _Part:
    """A partial file, and the validator (RFC 9110) that identifies its version to the server."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._mark = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str:
        try:
            value = json.loads(self._mark.read_text(encoding="utf-8"))["validator"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return value if isinstance(value, str) and value.isprintable() else ""

    def begin(self, validator: str) -> None:
        self.path.write_bytes(b"")
        self._mark.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)


class _NoDowngrade(HTTPRedirectHandler):
    """Follow redirections, but never from https to http."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            failure = f"expected {req.full_url} to stay encrypted, got redirected to {newurl}"
            raise UnreachableError(failure)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # typeshed names the other class of headers


def _stated_size(remote: Remote) -> int:
    with _answer(Request(remote.url, method="HEAD")) as response:
        length = response.headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,12}", length) or not 0 < int(length) <= LARGEST_UNKNOWN:
        msg = f"{remote.url}: expected 1 to {LARGEST_UNKNOWN:,} bytes, got {length or 'no length'}"
        raise DataError(msg)
    return int(length)


def _transfer(url: str, size: int, part: _Part, progress: Callable[[int, int], None]) -> None:
    validator = part.validator
    offset = part.size if validator else 0
    request = Request(url, headers={"Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        request.add_header("If-Range", validator)
    with _answer(request) as response:
        if not (offset and _continues(response, part, size, validator)):
            _require_size(response, url, size)
            part.begin(_validator(response))
        _copy(response, part, size, progress)


@contextmanager
def _answer(request: Request) -> Iterator[HTTPResponse]:
    """Open an address; every network failure becomes an `UnreachableError`."""
    trouble = f"{urlsplit(request.full_url).hostname} cannot be reached"
    try:
        opener = build_opener(_NoDowngrade)
        with cast("HTTPResponse", opener.open(request, timeout=PATIENCE)) as response:
            trouble = f"{request.full_url} broke off, and another call resumes it"
            yield response
    except HTTPError as error:
        with error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _ShorterError from error
            msg = f"{request.full_url}: expected the file, got the answer {error.code}"
            raise UnreachableError(msg) from error
    except (URLError, HTTPException, SSLError, TimeoutError, ConnectionError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        msg = f"{trouble}: {text}"
        raise UnreachableError(msg) from error


def _continues(response: HTTPResponse, part: _Part, size: int, validator: str) -> bool:
    """Return whether a response continues the partial file; otherwise it is the whole file."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return False
    expected = f"bytes {part.size}-{size - 1}/{size}"
    there = response.headers.get("Content-Range", "").strip()
    if there != expected or _validator(response) not in {"", validator}:
        part.forget()
        msg = f"{response.url}: expected {expected!r} of an unchanged file, got {there!r}; {AGAIN}"
        raise DataError(msg)
    return True


def _require_size(response: HTTPResponse, url: str, size: int) -> None:
    length = response.headers.get("Content-Length")
    if length is not None and length.strip() != str(size):
        msg = f"{url}: expected {size:,} bytes, got {length}: it is no longer the file known here"
        raise DataError(msg)


def _validator(response: HTTPResponse) -> str:
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _copy(
    response: HTTPResponse, part: _Part, size: int, progress: Callable[[int, int], None]
) -> None:
    room = left = size - part.size
    with part.path.open("ab") as file:
        while left and (block := response.read(min(BLOCK, left))):
            file.write(block)
            left -= len(block)
            progress(room - left, room)
    if left:
        msg = f"the connection was closed {left:,} bytes before the end"
        raise ConnectionError(msg)


def _verify(path: Path, remote: Remote, advice: str) -> None:
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        msg = f"expected {remote.size:,} bytes in {path}, got {size:,}; {advice}"
        raise DataError(msg)
    if remote.md5 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != remote.md5:
        msg = f"expected the MD5 {remote.md5} of {path}, got {found}; {advice}"
        raise DataError(msg)
