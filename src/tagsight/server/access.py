"""Who is let in: requests for our own names, from our own page, with the token."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/health"})
OPEN_FOLDER = "/web/"
"""What needs no token: the page and its parts, the state of the server, and its description."""

DEFAULT_PORTS = {"http": 80, "https": 443}
EVERYWHERE = frozenset({"0.0.0.0", "::"})

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5})?)?", re.ASCII)


class Authority(NamedTuple):
    """A host and port as in a URL or the header ``Host``.

    Attributes:
        host: Name in lower case without a final dot, or an IP address in its shortest form.
        port: None if it is the default of the scheme.
    """

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``host``, ``host:port`` or ``[address]:port``; None if it is something else.

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
        """The same with its port, also where that is the default of the scheme."""
        return self._replace(port=self.port or DEFAULT_PORTS[scheme])


@dataclass(frozen=True)
class Hosts:
    """The hosts that requests may be for. ``localhost`` and loopback addresses always are.

    A page of somebody else can give its own name the address of this server (DNS rebinding), but
    cannot make a browser send another name or an address in its place.

    Args:
        names: Other names and addresses, as `Authority` has them.
        any_address: Whether every IP address is ours, as for a server that listens at all.
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def listening_at(cls, host: str, allowed: Iterable[str] = ()) -> Self:
        """The hosts of a server.

        Args:
            host: The name or address that it listens at.
            allowed: Other names and addresses by which clients reach it, without port.

        Raises:
            DataError: If one of them is no host.
        """
        names = {_host(name) for name in allowed}
        return cls(frozenset(names | {_host(host)}), any_address=host in EVERYWHERE)

    def __contains__(self, host: str) -> bool:
        if host == "localhost" or host in self.names:
            return True
        address = _address(host)
        return address is not None and (self.any_address or address.is_loopback)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    return host.strip("[]") in Hosts()


class Access:
    """Refuses requests before anything of their body is read.

    400 without exactly one host; 403 for the host of another server, or from another origin than
    our own page; 401 without the token. Requests that browsers do not make have no origin.

    Args:
        app: The application behind it.
        hosts: Hosts that requests may be for.
        token: What a client must say; None lets everybody in.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let answer."""
        answer = self._app if scope["type"] != "http" else self._refusal(scope) or self._app
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        own = Authority.parse(headers.get("host", ""))
        if own is None or len(headers.getlist("host")) > 1:
            return _refused(400, "expected one header 'Host' with a name and port, got another")
        if own.host not in self._hosts:
            return _refused(
                403,
                f"expected a host of this server, got {own.host!r}: if clients reach it by "
                f"this name, start it with --allowed-host {own.host}",
            )
        if not self._is_own_page(scope, headers, own):
            return _refused(403, "expected a request of this server's own page, got one of another")
        if self._token is None or is_open(scope["path"]):
            return None
        if hmac.compare_digest(_secret(headers).encode(), self._token.encode()):
            return None
        message = "expected the header 'Authorization: Bearer TOKEN' with the server's token"
        return _refused(401, message, {"WWW-Authenticate": "Bearer"})

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
        # A proxy may have put another host into the request than the page was asked from.
        behind_proxy = found.port is None and found.host in self._hosts.names
        return behind_proxy or found.at(scheme) == own.at(scheme)


def is_open(path: str) -> bool:
    """Whether a path is answered without the token."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether a link of another page was followed to ours, which opens in its own window."""
    wanted = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    sent = all(headers.get(name) == value for name, value in wanted.items())
    return sent and scope["path"] == "/" and scope["method"] in {"GET", "HEAD"}


def _secret(headers: Headers) -> str:
    """What a client says: a token, or as some programs do it a password for any user."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    if kind.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
    return ""


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


def _host(name: str) -> str:
    """A host that a user has given, as `Authority` has it."""
    with contextlib.suppress(UnicodeError):
        name = name.encode("idna").decode()
    found = Authority.parse(f"[{name}]" if ":" in name and "[" not in name else name)
    if found is None or found.port is not None:
        msg = f"expected a host name or address without port, got {name!r}"
        raise DataError(msg)
    return found.host
