"""How connections are served: none is kept for a client that does not get on with its request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from fastapi import FastAPI

    from tagsight.server.limits import Limits


class BoundedConnection(HttpToolsProtocol):
    """A connection with a time limit at every moment; uvicorn's own has one only between requests.

    A request's header must have come in time after the opening of the connection or the answer
    before, and its answer must have gone out in time after that; or the connection is cut, whatever
    it is that the client does slowly.

    Args:
        limits: Seconds of both, and bytes of a header.
        options: As uvicorn gives them.
    """

    def __init__(self, *, limits: Limits, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**options)
        self._limits = limits
        self._held = 0
        self._is_body = False
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Wait for the first header."""
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._cut_in(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take more of a request; the parser itself would hold headers and trailers of any size."""
        self._held += len(data)
        super().data_received(data)
        if self._held > self._limits.header:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; one that comes after the body is none that a request was let in by."""
        if not self._is_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer; a request that was sent before the answer to the last does not win time by it."""
        idle = self.cycle is None or self.cycle.response_complete
        super().on_headers_complete()
        self._held, self._is_body = 0, True
        if idle:
            self._cut_in(self._limits.exchange_seconds)

    def on_body(self, body: bytes) -> None:
        """Take more of a body."""
        super().on_body(body)
        self._held = 0

    def on_message_complete(self) -> None:
        """Wait for the next header."""
        super().on_message_complete()
        self._held, self._is_body = 0, False

    def on_response_complete(self) -> None:
        """Wait for the next header, or answer the next request if it has come already."""
        waiting = bool(self.pipeline)
        super().on_response_complete()
        if waiting:
            self._cut_in(self._limits.exchange_seconds)
        else:
            self._await_header()

    def _await_header(self) -> None:
        self._cut_in(self._limits.header_seconds)

    def _cut_in(self, seconds: float | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        # Closing would wait until a client has read all of its answer.
        self._cut = None if seconds is None else self.loop.call_later(seconds, self._abort)

    def _abort(self) -> None:
        self.transport.abort()


def configured(app: FastAPI, limits: Limits, **options: Any) -> uvicorn.Config:  # noqa: ANN401
    """Configure uvicorn to serve the application within the limits.

    Args:
        app: The application.
        limits: Of its connections and requests.
        options: More of `uvicorn.Config`: host, port and the like.
    """
    return uvicorn.Config(
        app,
        http=partial(BoundedConnection, limits=limits),  # type: ignore[arg-type] # called only
        ws="none",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=round(limits.seconds),
        **options,
    )
