"""Access control by host, origin and token, and security headers of responses."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/health"})
OPEN_FOLDER = "/web/"
"""Paths that need no token: the page and its files, the server's state and its description."""

SIGN_IN_PATHS = {"/label/": "/web/label/closed.html"}
"""Pages that may be opened with the token in their address, and what a browser gets without it."""

DEFAULT_PORTS = {"http": 80, "https": 443}
ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5})?)?", re.ASCII)


class Authority(NamedTuple):
    """A host and port, as in a URL or the header ``Host``.

    Attributes:
        host: Name in lower case without a final dot, or an IP address in its shortest form.
        port: None for the default port of the scheme.
    """

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse ``host``, ``host:port`` or ``[address]:port``; return None for anything else.

        Example:
            >>> Authority.parse("LocalHost.:8000"), Authority.parse("[0::1]")
            (Authority(host='localhost', port=8000), Authority(host='::1', port=None))
        """
        found = _AUTHORITY.fullmatch(text)
        if found is None:
            return None
        host, port = found[1].lower().removesuffix("."), int(found[2]) if found[2] else None
        address = _address(host.removeprefix("[").removesuffix("]"))
        if not host or (port or 0) > 65535 or (host.startswith("[") and address is None):
            return None
        return cls(host if address is None else str(address), port)

    def at(self, scheme: str) -> Self:
        """Return this authority with an explicit port."""
        return self._replace(port=self.port or DEFAULT_PORTS[scheme])


@dataclass(frozen=True)
class Hosts:
    """Host names that requests may use; ``localhost`` and loopback addresses always belong to them.

    Checking the name prevents DNS rebinding: another page can map its own host name to the address
    of this server, but cannot make a browser send a different name in the header ``Host``.

    Args:
        names: Further names and addresses, in the form of `Authority`.
        any_address: Accept every IP address, for a server that listens at all addresses.

    Example:
        >>> hosts = Hosts.listening_at("192.168.0.7", ["photos.example.org"])
        >>> "photos.example.org" in hosts, "127.0.0.1" in hosts, "evil.example" in hosts
        (True, True, False)
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def listening_at(cls, host: str, allowed: Iterable[str] = ()) -> Self:
        """Collect the host names of a server.

        Args:
            host: Name or address at which it listens.
            allowed: Further names and addresses by which clients reach it, without port.

        Raises:
            DataError: If one of them is not a host.
        """
        names = {_host(name) for name in allowed}
        return cls(frozenset(names | {_host(host)}), any_address=host in ALL_ADDRESSES)

    def __contains__(self, host: str) -> bool:
        if host == "localhost" or host in self.names:
            return True
        address = _address(host)
        return address is not None and (self.any_address or address.is_loopback)


def is_loopback(host: str) -> bool:
    """Return whether a host can be reached from this machine only.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    return host.strip("[]") in Hosts()


class AccessMiddleware:
    """Refuses requests before their body is read.

    Status 400 without exactly one host; 403 for another host, or from another origin than the
    server's own page; 401 without the token. Requests that are not from a browser have no origin.
    A page of `SIGN_IN_PATHS` that is opened with ``?token=TOKEN`` sets a cookie, which pictures
    and streams of the page are requested with, and is opened again without it. A browser that opens
    it without the token is sent to a page that says so.

    Args:
        app: The wrapped ASGI application.
        hosts: Host names that requests may use.
        token: Secret that clients must send; None admits every client.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.testclient import TestClient
        >>> app = AccessMiddleware(Starlette(), Hosts(), token="correct horse battery")
        >>> client = TestClient(app, base_url="http://localhost:8000")
        >>> client.get("/v1/model").json()
        {'error': "expected the header 'Authorization: Bearer TOKEN' with the server's token"}
        >>> client.get("/", headers={"Host": "evil.example"}).status_code
        403
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._cookie = hashlib.sha256((token or "").encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        """Refuse the request, sign its sender in, or return None to pass it on."""
        headers = Headers(scope=scope)
        own = Authority.parse(headers.get("host", ""))
        if own is None or len(headers.getlist("host")) > 1:
            return _refused(400, "expected one header 'Host' with a name and port, got another")
        if own.host not in self._hosts:
            return _refused(
                403,
                f"expected a host of this server, got {own.host!r}: if clients reach it by "
                "this name, start it with this allowed host",
            )
        if not self._is_own_page(scope, headers, own):
            return _refused(
                403, "expected a request from this server's own page, got one from another"
            )
        return None if self._token is None else self._unless_known(scope, headers, own)

    def _unless_known(self, scope: Scope, headers: Headers, own: Authority) -> Response | None:
        """Ask for the token, unless the path needs none or the sender has sent it."""
        cookie = f"tagsight-{own.at(scope['scheme']).port}"
        if is_open(scope["path"]) or self._is_token(_sent_token(headers)):
            return None
        if hmac.compare_digest(_cookie(headers, cookie).encode(), self._cookie.encode()):
            return None
        if scope["path"] in SIGN_IN_PATHS and self._is_token(_token_in_address(scope)):
            response = RedirectResponse(_without_token(scope), 303)
            response.set_cookie(cookie, self._cookie, httponly=True, samesite="strict")
            return response
        if scope["path"] in SIGN_IN_PATHS and "text/html" in headers.get("accept", ""):
            return RedirectResponse(SIGN_IN_PATHS[scope["path"]], 303)
        message = "expected the header 'Authorization: Bearer TOKEN' with the server's token"
        return _refused(401, message, {"WWW-Authenticate": "Bearer"})

    def _is_token(self, sent: str) -> bool:
        return hmac.compare_digest(sent.encode(), (self._token or "").encode())

    def _is_own_page(self, scope: Scope, headers: Headers, own: Authority) -> bool:
        origins = headers.getlist("origin")
        if not all(self._is_own_origin(origin, own) for origin in origins) or len(origins) > 1:
            return False
        site = headers.get("sec-fetch-site", "none")
        return site in {"none", "same-origin"} or _is_link(scope, headers)

    def _is_own_origin(self, origin: str, own: Authority) -> bool:
        scheme, _, rest = origin.partition("://")
        found = Authority.parse(rest)
        if found is None or scheme not in DEFAULT_PORTS:
            return False
        # Behind a proxy, ``Host`` may differ from the host from which the browser got the page.
        behind_proxy = found.port is None and found.host in self._hosts.names
        return behind_proxy or found.at(scheme) == own.at(scheme)


class SecurityHeadersMiddleware:
    """Adds `SECURITY_HEADERS` to responses that do not set them.

    Args:
        app: The wrapped ASGI application.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.testclient import TestClient
        >>> TestClient(SecurityHeadersMiddleware(Starlette())).get("/").headers["referrer-policy"]
        'no-referrer'
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its response."""

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, secured if scope["type"] == "http" else send)


def is_open(path: str) -> bool:
    """Return whether a path needs no token.

    Example:
        >>> is_open("/healthz"), is_open("/web/page.js"), is_open("/v1/predict")
        (True, True, False)
    """
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether a user followed a link from another page to ours, in a window and no frame."""
    wanted = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    sent = all(headers.get(name) == value for name, value in wanted.items())
    return sent and scope["path"] in {"/", *SIGN_IN_PATHS} and scope["method"] in {"GET", "HEAD"}


def _sent_token(headers: Headers) -> str:
    """Return the token that a client sends: as a bearer token, or as the password of any user."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    if kind.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
    return ""


def _cookie(headers: Headers, name: str) -> str:
    """Return the value of a cookie, or nothing."""
    given = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in given if key == name), "")


def _token_in_address(scope: Scope) -> str:
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8)
    return query.get("token", [""])[0]


def _without_token(scope: Scope) -> str:
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8)
    rest = {name: values for name, values in query.items() if name != "token"}
    return f"{scope['path']}?{urlencode(rest, doseq=True)}" if rest else str(scope["path"])


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


def _host(name: str) -> str:
    """Normalise a host that a user has given."""
    with contextlib.suppress(UnicodeError):
        name = name.encode("idna").decode()
    found = Authority.parse(f"[{name}]" if ":" in name and "[" not in name else name)
    if found is None or found.port is not None:
        msg = f"expected a host name or address without port, got {name!r}"
        raise DataError(msg)
    return found.host
