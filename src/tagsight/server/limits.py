"""What a client may ask for, and how its body is kept within it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Limits:
    """Bounds of a request.

    Args:
        body: Bytes of it all.
        photos: Photos in it.
        pixels: Of a photo.
        seconds: Until it is answered.
        room: Photos of all requests that wait or are being recognised.
    """

    body: int = 64 * 2**20
    photos: int = 32
    pixels: int = 50_000_000
    seconds: float = 30.0
    room: int = 256


class InMemoryForm(MultiPartParser):
    """A form whose files never touch the disk; `BodyLimit` bounds them."""

    spool_max_size = 2**40


class BodyLimit:
    """Refuses a request that is longer than it may be, whatever it says of its length.

    Args:
        app: Who answers.
        most: Bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        got = int(declared) if declared.isdecimal() else 0

        async def bounded() -> Message:
            nonlocal got
            if got > self._most:
                raise self._refusal()
            message = await receive()
            taken.append(len(message.get("body", b"")))
            got = max(got, sum(taken))
            if got > self._most:
                raise self._refusal()
            return message

        taken: list[int] = []
        await self._app(scope, bounded, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(413, f"expected at most {self._most:,} bytes, got more")
