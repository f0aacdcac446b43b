"""Server-sent events: what others judge, what was learned, and how far the encoding is."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from tagsight.tagging.labelling.events import Event
    from tagsight.tagging.labelling.session import Session

MOST_STREAMS = 64
MOST_WAITING = 1000
"""Events that wait for a slow client; then its stream ends, and it asks again from its revision."""

LONGEST = 90.0
"""Seconds after which a stream ends and the browser opens the next; connections may take longer."""

BEAT = 15.0
"""Seconds without an event after which a comment is sent, so that a dead connection is noticed."""

RETRY = "retry: 500\n\n"
"""Tells the browser to open the next stream after half a second."""


class Streams:
    r"""The streams of a session.

    Args:
        session: The project in use.

    Example:
        >>> streams = Streams(session)
        >>> async def first():
        ...     return await anext(streams.events(since=None))
        >>> asyncio.run(first()), streams.count
        ('retry: 500\n\n', 0)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ends: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False

    @property
    def count(self) -> int:
        """Number of open streams."""
        return len(self._ends)

    def end(self) -> None:
        """End all streams, as the server stops; may be called by any thread.

        A browser opens the next stream at once: it ends at once, too.
        """
        self._is_over = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        for end in self._ends:
            end.set()

    async def events(self, since: int | None) -> AsyncIterator[str]:
        """Yield the judgements since a revision, what is so now, and from then on all events.

        Args:
            since: The revision; None for what happens from now on.
        """
        loop = self._loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Event] = asyncio.Queue()
        end = asyncio.Event()

        def receive(event: Event) -> None:
            if waiting.qsize() < MOST_WAITING:
                waiting.put_nowait(event)
            else:
                end.set()

        if self._is_over:
            return
        leave = self._session.listeners.join(
            lambda event: loop.call_soon_threadsafe(receive, event)
        )
        self._ends.add(end)
        try:
            yield RETRY
            last = self._session.project.revision if since is None else since
            for missed in await asyncio.to_thread(self._session.missed, last):
                last = max(last, missed.data["revision"])
                yield worded(missed)
            for known in await asyncio.to_thread(self._session.state):
                yield worded(known)
            async for event in _until(end, waiting):
                if event is None:
                    yield ": still here\n\n"
                elif event.kind != "judgements" or event.data["revision"] > last:
                    yield worded(event)
        finally:
            leave()
            self._ends.discard(end)


async def _until(end: asyncio.Event, waiting: asyncio.Queue[Event]) -> AsyncIterator[Event | None]:
    """Yield events as they come, None after each pause, until the stream is to end."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + LONGEST
    ended = asyncio.create_task(end.wait())
    try:
        while not end.is_set() and loop.time() < latest:
            arriving = asyncio.create_task(waiting.get())
            try:
                await asyncio.wait(
                    {arriving, ended}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                if not arriving.done():
                    arriving.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await arriving
            if arriving.done() and not arriving.cancelled():
                yield arriving.result()
            elif not end.is_set():
                yield None
    finally:
        ended.cancel()


def worded(event: Event) -> str:
    r"""Write an event as server-sent events are written; its revision is the id to go on from.

    Example:
        >>> from tagsight.tagging.labelling.events import Event
        >>> worded(Event("judgements", {"revision": 3}))
        'id: 3\nevent: judgements\ndata: {"revision":3}\n\n'
    """
    text = json.dumps(event.data, separators=(",", ":"), default=_plain)
    number = f"id: {event.data['revision']}\n" if event.kind == "judgements" else ""
    return f"{number}event: {event.kind}\ndata: {text}\n\n"


def _plain(value: Any) -> object:  # noqa: ANN401 - plain-data border
    return dataclasses.asdict(value)


def add_events(app: FastAPI, streams: Streams) -> None:
    """Add the route of events.

    Args:
        app: Gets the route.
        streams: The streams of the session.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> add_events(app, Streams(session))
        >>> "/label/events" in app.openapi()["paths"]
        True
    """

    @app.get("/label/events", tags=["project"], response_class=StreamingResponse)
    async def events(
        since: Annotated[int | None, Query(ge=0, le=2**62)] = None,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> StreamingResponse:
        """Stream events: judgements, labels, model and features."""
        if streams.count >= MOST_STREAMS:
            raise HTTPException(429, f"expected at most {MOST_STREAMS} pages, got another one")
        if last_event_id is not None and last_event_id.isdecimal():
            since = int(last_event_id)
        return StreamingResponse(
            streams.events(since),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
