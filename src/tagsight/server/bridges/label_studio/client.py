"""A client of one Label Studio: its photos, and its interface for programs."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import httpx

from tagsight.errors import DataError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

LARGEST_PHOTO = 64 * 2**20
LARGEST_ANSWER = 8 * 2**20
"""Bytes of a photo, and of any other response."""

SECONDS = 20.0
"""Seconds for a request with its redirects and its whole response."""

MOST_REDIRECTS = 3
AT_ONCE = 4
"""Photos that are fetched at the same time."""

LONGEST_ADDRESS = 8192
PHOTO_PATHS = ("/data/", "/tasks/", "/storage-data/")
"""Where Label Studio serves the photos of tasks."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PERSONAL = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""A personal access token is a JSON web token; a legacy token is not."""


class LabelStudioError(DataError):
    """Label Studio refuses a request, cannot be reached, or sends something unexpected."""


class Origin(NamedTuple):
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self | None:
        """Return the origin of an http or https URL, or None for anything else.

        Example:
            >>> Origin.of("HTTP://localhost/data"), Origin.of("file:///etc/passwd")
            (Origin(scheme='http', host='localhost', port=80), None)
        """
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError:
            return None
        if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
            return None
        return cls(scheme, host, port or _DEFAULT_PORTS[scheme])


class LabelStudio:
    """One Label Studio, and nothing but it: no other host is asked, whatever a task says.

    Redirects within it are followed, those to other hosts refused. Size and time of every response
    are limited.

    Args:
        url: Its address, such as ``http://localhost:8080``.
        key: A personal access token or a legacy token of one of its users.
        transport: Sends the requests; by default over the network.

    Raises:
        DataError: If the address or the key is none.
    """

    def __init__(
        self, url: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        origin = Origin.of(self.url)
        if origin is None or not url.isprintable() or urlsplit(url).query:
            msg = (
                "expected the address of Label Studio, such as http://localhost:8080, got "
                f"{url!r:.200}"
            )
            raise DataError(msg)
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            msg = "expected a token of Label Studio as key, got text with other characters or none"
            raise DataError(msg)
        self._origin = origin
        self._path = urlsplit(self.url).path
        self._key = key
        self._access: str | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._transport = transport
        self._trusted = ssl.create_default_context()

    def address(self, value: str) -> str:
        """Return the URL of a photo as a task names it.

        Args:
            value: A path such as ``/data/upload/1/a.jpg``, or a URL at the address.

        Raises:
            LabelStudioError: If it leads anywhere else.

        Example:
            >>> studio = LabelStudio("http://localhost:8080", "0123456789")
            >>> studio.address("/data/local-files/?d=a.jpg")
            'http://localhost:8080/data/local-files/?d=a.jpg'
        """
        if len(value) > LONGEST_ADDRESS or not value.isprintable() or "\\" in value:
            msg = f"expected the path of a photo in Label Studio, got {value!r:.80}"
            raise LabelStudioError(msg)
        path = value
        if not value.startswith("/") or value.startswith("//"):
            if Origin.of(value) != self._origin:
                msg = (
                    f"expected a photo at {self.url}, the only host that is asked, got "
                    f"{value!r:.80}"
                )
                raise LabelStudioError(msg)
            parts = urlsplit(value)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        path = path.removeprefix(self._path) if path.startswith(f"{self._path}/") else path
        steps = unquote(urlsplit(path).path)
        if not steps.startswith(PHOTO_PATHS) or ".." in steps.split("/"):
            msg = f"expected a photo below one of {', '.join(PHOTO_PATHS)}, got {value!r:.80}"
            raise LabelStudioError(msg)
        return self.url + path

    async def photo(self, value: str) -> bytes:
        """Fetch a photo as a task names it.

        Raises:
            LabelStudioError: If it is elsewhere, or there is none.
            TooLargeError: If it has more bytes than `LARGEST_PHOTO`.
        """
        address = self.address(value)
        async with self._turn, self._client() as client:
            response, content = await self._requested(client, "GET", address, LARGEST_PHOTO)
        if response.status_code != httpx.codes.OK:
            raise LabelStudioError(_why_no_photo(response.status_code, address))
        if response.headers.get("content-type", "").startswith("text/html"):
            msg = f"expected a photo at {address}, got a web page: does the key belong to it?"
            raise LabelStudioError(msg)
        return content

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        largest: int = LARGEST_ANSWER,
    ) -> tuple[int, Any]:
        """Ask its interface for programs.

        Args:
            method: ``GET``, ``POST`` or ``PATCH``.
            path: Path below the address, such as ``/api/ml``.
            body: Sent as JSON.
            largest: Bytes of the response.

        Returns:
            The status and the response, from JSON; None if it is not JSON.

        Raises:
            LabelStudioError: If it cannot be reached, or refuses the key.
        """
        async with self._client() as client:
            response, content = await self._requested(
                client, method, self.url + path, largest, body
            )
        try:
            return response.status_code, httpx.Response(200, content=content).json()
        except (ValueError, RecursionError):
            return response.status_code, None

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open connections to it alone: proxies in the environment are not asked."""
        async with httpx.AsyncClient(
            transport=self._transport,
            verify=self._trusted,
            trust_env=False,
            timeout=SECONDS,
            headers={"Accept-Encoding": "identity"},
        ) as client:
            try:
                async with asyncio.timeout(SECONDS):
                    yield client
            except TimeoutError as error:
                msg = f"expected a response of {self.url} within {SECONDS:g} seconds, got none"
                raise LabelStudioError(msg) from error
            except httpx.HTTPError as error:
                kind = type(error).__name__
                msg = f"expected Label Studio at {self.url}, got: {error or kind}"
                raise LabelStudioError(msg) from error

    async def _requested(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        largest: int,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[httpx.Response, bytes]:
        """Send a request with the key; a personal token is exchanged for access as needed."""
        fresh = self._access is None
        response, content = await self._sent(client, method, url, largest, body)
        if response.status_code == httpx.codes.UNAUTHORIZED and not fresh:
            self._access = None
            response, content = await self._sent(client, method, url, largest, body)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise LabelStudioError(self._why_refused())
        return response, content

    async def _sent(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        largest: int,
        body: Mapping[str, Any] | None,
    ) -> tuple[httpx.Response, bytes]:
        headers = {"Authorization": await self._authorization(client)}
        for _ in range(MOST_REDIRECTS + 1):
            response, content = await _exchange(client, method, url, largest, headers, body)
            if not response.has_redirect_location:
                return response, content
            target = str(httpx.URL(url).join(response.headers["location"]))
            if Origin.of(target) != self._origin:
                msg = (
                    f"expected a response of {self.url}, the only host that is asked, got a "
                    f"redirect to {target!r:.80}"
                )
                raise LabelStudioError(msg)
            method, url, body = "GET", target, None
        msg = f"expected at most {MOST_REDIRECTS} redirects from {self.url}, got more"
        raise LabelStudioError(msg)

    async def _authorization(self, client: httpx.AsyncClient) -> str:
        if not _PERSONAL.fullmatch(self._key):
            return f"Token {self._key}"
        if self._access is None:
            url, body = f"{self.url}/api/token/refresh/", {"refresh": self._key}
            response, content = await _exchange(client, "POST", url, LARGEST_ANSWER, {}, body)
            try:
                found = httpx.Response(200, content=content).json()["access"]
            except (ValueError, RecursionError, KeyError, TypeError):
                found = None
            if response.status_code != httpx.codes.OK or not isinstance(found, str):
                raise LabelStudioError(self._why_refused())
            self._access = found
        return f"Bearer {self._access}"

    def _why_refused(self) -> str:
        if _PERSONAL.fullmatch(self._key):
            return (
                f"{self.url} refuses the key (401): expected a personal access token that is "
                "neither expired nor revoked, from 'Account & Settings', 'Personal Access Token'"
            )
        return (
            f"{self.url} refuses the key (401): a legacy token works only if the organization "
            "allows legacy tokens ('Organization', 'Access Token Settings'); use a personal access "
            "token instead"
        )


async def _exchange(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    largest: int,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None,
) -> tuple[httpx.Response, bytes]:
    """Send one request and read the response as it is sent, up to a limit."""
    async with client.stream(method, url, headers=headers, json=body) as response:
        if response.headers.get("content-encoding", "identity") != "identity":
            msg = f"expected a response without compression from {url}, got one with it"
            raise LabelStudioError(msg)
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > largest:
                msg = f"expected at most {largest:,} bytes from {url}, got more"
                raise TooLargeError(msg)
    return response, bytes(content)


def _why_no_photo(status: int, address: str) -> str:
    message = f"expected a photo at {address}, got status {status}"
    if "/data/local-files/" in address:
        return (
            f"{message}: Label Studio must run with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true, "
            "and the project needs a local storage for this folder below "
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"
        )
    return f"{message}: does the key's user see the project?"
