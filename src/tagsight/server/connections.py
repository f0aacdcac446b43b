"""Connections with time limits, so that slow clients cannot hold them."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tagsight.errors import DataError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tagsight.server.limits import Limits


class TimedConnection(HttpToolsProtocol):
    """A connection that always has a time limit; uvicorn's own has one only between requests.

    A request's header must arrive in time after the opening of the connection or the previous
    response, and its own response must be sent in time after that. Otherwise the connection is
    closed.

    Args:
        limits: Seconds of both, and bytes of a header.
        options: Passed by uvicorn.
    """

    def __init__(self, *, limits: Limits, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**options)
        self._limits = limits
        self._header_bytes = 0
        self._in_body = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Start the time limit of the first header."""
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        self._abort_in(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more of a request; limit its header here, because the parser accepts any size."""
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes > self._limits.header:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; ignore trailers, which arrive after the request was admitted."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the response; a pipelined request does not extend the current time limit."""
        idle = self.cycle is None or self.cycle.response_complete
        super().on_headers_complete()
        self._header_bytes, self._in_body = 0, True
        if idle:
            self._abort_in(self._limits.exchange_seconds)

    def on_body(self, body: bytes) -> None:
        """Receive more of a body."""
        super().on_body(body)
        self._header_bytes = 0

    def on_message_complete(self) -> None:
        """Start counting the next header."""
        super().on_message_complete()
        self._header_bytes, self._in_body = 0, False

    def on_response_complete(self) -> None:
        """Start the time limit of a pipelined request, or that of the next header."""
        waiting = bool(self.pipeline)
        super().on_response_complete()
        if waiting:
            self._abort_in(self._limits.exchange_seconds)
        else:
            self._await_header()

    def _await_header(self) -> None:
        self._abort_in(self._limits.header_seconds)

    def _abort_in(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # abort(), because close() would wait until the client has read all of its response.
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._abort)

    def _abort(self) -> None:
        self.transport.abort()


def server_config(app: FastAPI, limits: Limits, **options: Any) -> uvicorn.Config:  # noqa: ANN401
    """Configure uvicorn to serve the application within the limits.

    Args:
        app: The application.
        limits: Limits of its connections and requests.
        options: Further options of `uvicorn.Config`, such as host and port.

    Example:
        >>> from fastapi import FastAPI
        >>> from tagsight.server.limits import Limits
        >>> server_config(FastAPI(), Limits(seconds=20), port=8000).timeout_graceful_shutdown
        20
    """
    return uvicorn.Config(
        app,
        http=partial(TimedConnection, limits=limits),  # type: ignore[arg-type] # called only
        ws="none",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=round(limits.seconds),
        **options,
    )


@contextmanager
def listener(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """Listen at an address, before anything slow is done.

    Args:
        host: Name or address to listen at.
        port: Port; 0 takes a free one.

    Yields:
        The socket, and the address for a URL, ``host:port``.

    Raises:
        DataError: If the port is taken, or there is no such address here.

    Example:
        >>> with listener("127.0.0.1", 0) as (opened, place):
        ...     place == f"127.0.0.1:{opened.getsockname()[1]}"
        True
    """
    try:
        opened = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        msg = f"expected to listen at {host}:{port}, got: {error.strerror}; give another `port`"
        raise DataError(msg) from error
    with opened:
        place = f"[{host}]" if ":" in host else host
        yield opened, f"{place}:{opened.getsockname()[1]}"
