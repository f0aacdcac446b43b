"""The application that serves a project: routes, pictures, events and the page."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from tagsight.runtime.version import __version__
from tagsight.server.access import AccessMiddleware, Hosts, SecurityHeadersMiddleware
from tagsight.server.decoding import DecoderPool
from tagsight.server.labelling.pictures import add_pictures
from tagsight.server.labelling.routes import add_routes
from tagsight.server.labelling.stream import Streams, add_events
from tagsight.server.limits import Limits, LimitsMiddleware, MemoryTrimmer
from tagsight.server.problems import DATA_STATUSES, add_error_handlers
from tagsight.server.web_page import add_web_files
from tagsight.tagging.labelling.errors import NoRoomError, UnknownIdError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tagsight.tagging.labelling.session import Session

MOST_DECODERS = 4

LIMITS = Limits(body=4 * 2**20, bodies=64 * 2**20, marks=2_000_000)
"""Limits of requests; a judgement of a hundred thousand photos fits in."""

STATUSES = {**DATA_STATUSES, UnknownIdError: 404, NoRoomError: 507}


def create_label_app(
    session: Session, *, token: str | None, hosts: Hosts, journal: Path, limits: Limits = LIMITS
) -> FastAPI:
    """Make the application; clients name photos by their ids, and never a path.

    Args:
        session: The project in use.
        token: Secret that clients must send; None admits every client.
        hosts: Host names that requests may use.
        journal: Journal of changes of sidecars.
        limits: Limits of requests.

    Returns:
        The application; ``state.streams`` are its streams of events, which end with `Streams.end`.

    Example:
        >>> from pathlib import Path
        >>> from fastapi.testclient import TestClient
        >>> journal = Path("journal.sqlite")
        >>> app = create_label_app(session, token=None, hosts=Hosts(), journal=journal)
        >>> client = TestClient(app, base_url="http://localhost")
        >>> client.get("/label/project").json()["revision"]
        0
    """
    trimmer = MemoryTrimmer()
    decoders = DecoderPool(min(MOST_DECODERS, os.cpu_count() or 1), limits, trimmer)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with decoders.running(at_once=True):
            yield

    app = FastAPI(
        title="tagsight label",
        version=__version__,
        description="Label photos, while heads learn from every judgement.",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
    )
    app.state.streams = Streams(session)
    add_routes(app, session, journal)
    add_pictures(app, session, decoders)
    add_events(app, app.state.streams)
    _add_page(app)
    add_error_handlers(app, STATUSES)
    # The last one added sees a request first.
    app.add_middleware(LimitsMiddleware, limits=limits, trimmer=trimmer)
    app.add_middleware(AccessMiddleware, hosts=hosts, token=token)
    app.add_middleware(SecurityHeadersMiddleware)
    return app


def _add_page(app: FastAPI) -> None:
    web = add_web_files(app)

    @app.api_route("/label/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        return web.respond(request, "label/index.html")

    @app.get("/", include_in_schema=False)
    async def start() -> Response:
        return RedirectResponse("/label/", 303)
