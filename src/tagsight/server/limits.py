"""Limits of requests in size, time and memory."""

from __future__ import annotations

import asyncio
import ctypes
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tagsight.runtime.amounts import data_size

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM = "multipart/form-data"
RETRY_AFTER = {"Retry-After": "1"}


@dataclass(frozen=True)
class Limits:
    """Limits of requests, of the work that they cause, and of connections.

    Args:
        body: Bytes of a request's body.
        bodies: Bytes of the bodies of all requests in progress.
        marks: Commas, quotes, brackets and escapes in a body that is not a form; the time and
            memory for parsing JSON grow with these.
        photos: Photos in a request.
        pixels: Pixels of a photo.
        seconds: Seconds until the whole body has arrived, and from then on until the response.
        room: Photos of all requests that are waiting or being recognised.
        decoding: Seconds for decoding a photo.
        memory: Bytes for decoding a photo.
        header: Bytes of a request's header.
        header_seconds: Seconds from the opening of a connection, or the end of a response, until
            the next request's header has arrived.
        exchange_seconds: Seconds from then on until the response has been sent.
    """

    body: int = 64 * 2**20
    bodies: int = 2**30
    marks: int = 200_000
    photos: int = 32
    pixels: int = 50_000_000
    seconds: float = 30.0
    room: int = 256
    decoding: float = 10.0
    memory: int = 2**30
    header: int = 2**16
    header_seconds: float = 10.0
    exchange_seconds: float = 120.0


class LimitsMiddleware:
    """Enforces the limits of bodies and response times, on every route.

    Status 413 for a body that is too long, whatever length it declares; 429 while other bodies take
    all the room; 408 for a body that does not arrive in time; 503 if there is no response in time.
    When a client disconnects, its work is cancelled.

    Args:
        app: The wrapped ASGI application.
        limits: The limits.
        trimmer: Receives the size of each body when its request is done.

    Example:
        >>> from fastapi import FastAPI, Request
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> @app.post("/")
        ... async def size(request: Request) -> int:
        ...     return len(await request.body())
        >>> app.add_middleware(LimitsMiddleware, limits=Limits(body=4), trimmer=MemoryTrimmer())
        >>> client = TestClient(app)
        >>> client.post("/", content=b"four").json(), client.post("/", content=b"fives").status_code
        (4, 413)
    """

    def __init__(self, app: ASGIApp, limits: Limits, trimmer: MemoryTrimmer) -> None:
        self._app = app
        self._limits = limits
        self._trimmer = trimmer
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, receive, Headers(scope=scope))
        try:
            async with asyncio.timeout(self._limits.seconds) as clock:
                body.clock = clock
                await self._app(scope, body.receive, body.watching(send))
        except TimeoutError:
            if not body.disconnected:
                await self._timed_out(whole=body.whole)(scope, receive, send)
        finally:
            body.close()
            self._in_progress -= body.size
            self._trimmer(body.size)

    def refusal(self, size: int, new: int, marks: int) -> HTTPException | None:
        """Count another part of a body; return an error if it exceeds a limit.

        Args:
            size: Bytes of the body that have arrived or were declared.
            new: Bytes that have just arrived.
            marks: Marks of the body so far.
        """
        self._in_progress += new
        if size > self._limits.body:
            largest = data_size(self._limits.body)
            return HTTPException(413, f"expected at most {largest} in a request, got more")
        if marks > self._limits.marks:
            message = f"expected JSON of at most {self._limits.marks:,} commas, quotes, brackets"
            return HTTPException(413, f"{message} and escapes, got more: send photos as a form")
        if self._in_progress > self._limits.bodies:
            message = "expected room for another body, got none: try again later"
            return HTTPException(429, message, RETRY_AFTER)
        return None

    def deadline(self) -> float:
        """Return the time, on the loop's clock, by which a complete request needs a response."""
        return asyncio.get_running_loop().time() + self._limits.seconds

    def _timed_out(self, *, whole: bool) -> JSONResponse:
        seconds = self._limits.seconds
        if whole:
            message = f"expected a result within {seconds:g} seconds, got none"
            return JSONResponse({"error": message}, 503, RETRY_AFTER)
        message = f"expected the whole body within {seconds:g} seconds, got a part"
        return JSONResponse({"error": message}, 408)


class MemoryTrimmer:
    """Returns freed memory to the operating system.

    The C library keeps freed memory for the next batch (`Runtime.choose`), which suits the network
    but not the memory of large requests. Trimming frees both, and the network gets its pages back
    one by one, so it is done only after `ENOUGH_BYTES` and a pause of `QUIET_SECONDS`, or after
    `MOST_SECONDS` without a pause.

    Example:
        >>> async def answered(photos):
        ...     trimmer = MemoryTrimmer()
        ...     for photo in photos:
        ...         trimmer(3 * photo[0] * photo[1])  # bytes of its pixels
        >>> asyncio.run(answered([(4000, 3000), (640, 480)]))
    """

    ENOUGH_BYTES = 32 * 2**20
    QUIET_SECONDS, MOST_SECONDS = 1.0, 10.0

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
        self._freed = 0
        self._latest = 0.0
        self._due: asyncio.TimerHandle | None = None

    def __call__(self, size: int) -> None:
        """Note that this many bytes are freed now or very soon."""
        self._freed += size
        if not size or self._libc is None or self._freed < self.ENOUGH_BYTES:
            return
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._latest = loop.time() + self.MOST_SECONDS
        else:
            self._due.cancel()
        self._due = loop.call_at(min(loop.time() + self.QUIET_SECONDS, self._latest), self._trim)

    def _trim(self) -> None:
        assert self._libc is not None
        self._freed, self._due = 0, None
        asyncio.get_running_loop().run_in_executor(None, self._libc.malloc_trim, 0)


class _Body:
    """A body that is being received, and the time limit of its response.

    Attributes:
        size: Bytes that have arrived.
        whole: Whether all of it has arrived.
        disconnected: Whether the client disconnected before the response.
    """

    clock: asyncio.Timeout

    def __init__(self, middleware: LimitsMiddleware, receive: Receive, headers: Headers) -> None:
        self._middleware = middleware
        self._receive = receive
        declared = headers.get("content-length", "0")[:20]
        self._declared = int(declared) if declared.isdecimal() else 0
        self._is_form = headers.get("content-type", "").lower().startswith(FORM)
        self._marks = 0
        self._watch: asyncio.Task[None] | None = None
        self.size = 0
        self.whole = not self._declared and "transfer-encoding" not in headers
        self.disconnected = False

    async def receive(self) -> Message:
        """Receive the next part of the body."""
        if self._watch is not None:
            await asyncio.wait([self._watch])
            if self._watch.cancelled():  # the response has begun
                return await self._receive()
            return {"type": "http.disconnect"}
        if self.size == 0:
            self._check(self._declared, b"")
        message = await self._receive()
        if message["type"] == "http.request":
            part = message.get("body", b"")
            self.size += len(part)
            self._check(max(self.size, self._declared), part)
            if not message.get("more_body", False):
                self.whole = True
                self.clock.reschedule(self._middleware.deadline())
                self._watch = asyncio.create_task(self._until_disconnected())
        return message

    def watching(self, send: Send) -> Send:
        """Wrap `send`: once the response begins, only the connection's own time limit applies."""

        async def sending(message: Message) -> None:
            self.close()
            if not self.clock.expired():
                self.clock.reschedule(None)
            await send(message)

        return sending

    def close(self) -> None:
        """Stop watching for a disconnect."""
        if self._watch is not None:
            self._watch.cancel()

    def _check(self, size: int, part: bytes) -> None:
        if not self._is_form:
            self._marks += sum(part.count(mark) for mark in b',"[{\\')
        refusal = self._middleware.refusal(size, len(part), self._marks)
        if refusal is not None:
            raise refusal

    async def _until_disconnected(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.clock.expired():
            self.disconnected = True
            self.clock.reschedule(asyncio.get_running_loop().time())
