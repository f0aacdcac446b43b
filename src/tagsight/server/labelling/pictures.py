"""Routes of pictures: thumbnails, photos to look at, and evidence."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from tagsight.inference.heatmaps import colour_bar
from tagsight.server.data_urls import BAR_LENGTH
from tagsight.server.labelling.routes import RESPONSES, PathId
from tagsight.tagging.labelling.thumbnails import SIDE, jpeg_of, state_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tagsight.server.decoding import DecoderPool
    from tagsight.tagging.labelling.photos import Photo
    from tagsight.tagging.labelling.session import Session

PICTURE_SIDE = 1600
"""Longest side in pixels of a photo that is looked at."""

CACHED = "private, max-age=600"
"""The browser need not ask for a picture again that it has shown some minutes ago."""


def add_pictures(app: FastAPI, session: Session, decoders: DecoderPool) -> None:
    """Add the routes of pictures, which open photos of the project and no other.

    Args:
        app: Gets the routes.
        session: The project in use.
        decoders: Processes that decode photos.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.decoding import DecoderPool
        >>> from tagsight.server.limits import Limits
        >>> app = FastAPI()
        >>> add_pictures(app, session, DecoderPool(1, Limits(), freed=lambda size: None))
        >>> TestClient(app).get("/label/evidence-bar").headers["content-type"]
        'image/png'
    """
    _add_photos(app, session, decoders)
    _add_evidence(app, session, decoders)


def _add_photos(app: FastAPI, session: Session, decoders: DecoderPool) -> None:
    thumbnails = session.thumbnails

    @app.get("/label/photos/{photo}/thumbnail", **_pictures("image/jpeg"))
    async def thumbnail(request: Request, photo: PathId) -> Response:
        """Get a thumbnail, 256 pixels at most on its longest side."""
        one = await _found(session, photo)
        if unchanged := _not_modified(request, one):
            return unchanged
        jpeg = await asyncio.to_thread(thumbnails.get, one)
        if jpeg is None:
            jpeg = await reduced(one, SIDE)
            await asyncio.to_thread(thumbnails.put, one, jpeg)
        return Response(jpeg, media_type="image/jpeg", headers=_headers(one))

    @app.get("/label/photos/{photo}/picture", **_pictures("image/jpeg"))
    async def picture(request: Request, photo: PathId) -> Response:
        """Get a photo to look at, 1,600 pixels at most on its longest side."""
        one = await _found(session, photo)
        if unchanged := _not_modified(request, one):
            return unchanged
        jpeg = await reduced(one, PICTURE_SIDE)
        return Response(jpeg, media_type="image/jpeg", headers=_headers(one))

    async def reduced(photo: Photo, side: int) -> bytes:
        path, draw = session.project.photos.path_of(photo), partial(jpeg_of, side=side)
        return await decoders.open(path, draw, least_side=side, fit=side)


def _add_evidence(app: FastAPI, session: Session, decoders: DecoderPool) -> None:
    @app.get("/label/photos/{photo}/evidence/{label}", **_pictures("image/png"))
    async def evidence(photo: PathId, label: PathId) -> Response:
        """Get the evidence for a label, a layer to put over the photo.

        The header ``X-Peak`` has the place where it is strongest, as fractions ``x,y``; ``X-Top``
        the evidence in logits that the last colour stands for.
        """
        one = await _found(session, photo)
        if session.grids.get(one) is None:
            path, compute = session.project.photos.path_of(one), partial(session.grids.compute, one)
            await decoders.open(path, compute, least_side=session.encoder.least_side)
        drawn = await asyncio.to_thread(session.evidence, one, label)
        if drawn is None:
            raise HTTPException(404, "no evidence for this label yet: judge a few photos first")
        headers = {"X-Top": f"{drawn.top:.4g}"}
        if drawn.peak is not None:
            headers["X-Peak"] = f"{drawn.peak[0]:.4f},{drawn.peak[1]:.4f}"
        return Response(drawn.png, media_type="image/png", headers=headers)

    @app.get("/label/evidence-bar", **_pictures("image/png"))
    async def bar() -> Response:
        """Get the colours of evidence, from none at the left to the strongest at the right."""
        file = io.BytesIO()
        colour_bar((BAR_LENGTH, 1)).save(file, "PNG")
        return Response(file.getvalue(), media_type="image/png", headers={"Cache-Control": CACHED})


async def _found(session: Session, number: int) -> Photo:
    (photo,) = await asyncio.to_thread(session.project.photos.rows, [number])
    return photo


def _pictures(kind: str) -> dict[str, Any]:
    content = {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}
    responses = {**RESPONSES, 200: content}
    return {"tags": ["photos"], "responses": responses, "response_class": Response}


def _headers(photo: Photo) -> dict[str, str]:
    return {"ETag": f'"{state_of(photo)}"', "Cache-Control": CACHED}


def _not_modified(request: Request, photo: Photo) -> Response | None:
    headers = _headers(photo)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return None
