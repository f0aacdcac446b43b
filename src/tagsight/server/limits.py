"""What a client may ask for, and how a request is kept within it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM = "multipart/form-data"
RETRY_AFTER = {"Retry-After": "1"}


@dataclass(frozen=True)
class Limits:
    """Bounds of requests, of the work that they cause, and of connections.

    Args:
        body: Bytes of a request's body.
        bodies: Bytes of the bodies of all requests at work.
        marks: Commas, quotes, brackets and escapes in a body that is no form: parsing JSON costs
            time and memory by these.
        photos: Photos in a request.
        pixels: Of a photo.
        seconds: Until the whole body has come, and from then on until it is answered.
        room: Photos of all requests that wait or are being recognised.
        decoding: Seconds that the decoding of a photo may take.
        memory: Bytes that it may take.
        header: Bytes of a request's header.
        header_seconds: From the opening of a connection, or the end of an answer, until the next
            request's header has come.
        exchange_seconds: From then on until the answer has gone out.
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


class InMemoryForm(MultiPartParser):
    """A form whose files never touch the disk; `Bounded` bounds them."""

    spool_max_size = 2**40


class Bounded:
    """Keeps the body and the answer of each request within the limits, on every route.

    413 for a body that is too long, whatever it says of its length; 429 while the bodies of others
    leave no room; 408 for one that does not come in time; 503 if there is no answer in time. When a
    client goes away, the work for it ends.

    Args:
        app: The application behind it.
        limits: Of requests.
        freed: Told the bytes of each body when its request is done.
    """

    def __init__(self, app: ASGIApp, limits: Limits, freed: Callable[[int], None]) -> None:
        self._app = app
        self._limits = limits
        self._freed = freed
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, receive, Headers(scope=scope))
        try:
            async with asyncio.timeout(self._limits.seconds) as clock:
                body.clock = clock
                await self._app(scope, body.receive, body.before(send))
        except TimeoutError:
            if not body.gone:
                await self._late(whole=body.whole)(scope, receive, send)
        finally:
            body.close()
            self._at_work -= body.size
            self._freed(body.size)

    def refusal(self, size: int, new: int, marks: int) -> HTTPException | None:
        """Take another part of a body, or say why not.

        Args:
            size: Bytes of the body, as far as they have come or were declared.
            new: Bytes that have just come.
            marks: Of the body so far.
        """
        self._at_work += new
        if size > self._limits.body:
            return HTTPException(413, f"expected at most {self._limits.body:,} bytes, got more")
        if marks > self._limits.marks:
            message = f"expected JSON of at most {self._limits.marks:,} commas, quotes, brackets"
            return HTTPException(413, f"{message} and escapes, got more: send photos as a form")
        if self._at_work > self._limits.bodies:
            message = "expected room for another body, got none: come again"
            return HTTPException(429, message, RETRY_AFTER)
        return None

    def answering_ends(self) -> float:
        """When a request must be answered whose body has just come, on the loop's clock."""
        return asyncio.get_running_loop().time() + self._limits.seconds

    def _late(self, *, whole: bool) -> JSONResponse:
        seconds = self._limits.seconds
        if whole:
            message = f"expected an answer within {seconds:g} seconds, got none"
            return JSONResponse({"error": message}, 503, RETRY_AFTER)
        message = f"expected the whole body within {seconds:g} seconds, got a part"
        return JSONResponse({"error": message}, 408)


class _Body:
    """A request's body on its way in, and what watches over its answer.

    Attributes:
        size: Bytes that have come.
        whole: Whether nothing more is to come.
        gone: Whether the client has gone away before it was answered.
    """

    clock: asyncio.Timeout

    def __init__(self, bounds: Bounded, receive: Receive, headers: Headers) -> None:
        self._bounds = bounds
        self._receive = receive
        declared = headers.get("content-length", "0")[:20]
        self._declared = int(declared) if declared.isdecimal() else 0
        self._is_form = headers.get("content-type", "").lower().startswith(FORM)
        self._marks = 0
        self._watch: asyncio.Task[None] | None = None
        self.size = 0
        self.whole = not self._declared and "transfer-encoding" not in headers
        self.gone = False

    async def receive(self) -> Message:
        """Pass on the next part of the body."""
        if self._watch is not None:
            await asyncio.wait([self._watch])
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
                self.clock.reschedule(self._bounds.answering_ends())
                self._watch = asyncio.create_task(self._until_gone())
        return message

    def before(self, send: Send) -> Send:
        """From the first byte of the answer on, the connection's own time limit holds."""

        async def answering(message: Message) -> None:
            self.close()
            if not self.clock.expired():
                self.clock.reschedule(None)
            await send(message)

        return answering

    def close(self) -> None:
        """Watch no longer."""
        if self._watch is not None:
            self._watch.cancel()

    def _check(self, size: int, part: bytes) -> None:
        if not self._is_form:
            self._marks += sum(part.count(mark) for mark in b',"[{\\')
        refusal = self._bounds.refusal(size, len(part), self._marks)
        if refusal is not None:
            raise refusal

    async def _until_gone(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.clock.expired():
            self.gone = True
            self.clock.reschedule(asyncio.get_running_loop().time())
