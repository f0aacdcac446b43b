"""Routes of single photos of the index: pictures of them, their labels and their evidence."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Path as InPath
from fastapi import Query, Response
from starlette.exceptions import HTTPException

from tagsight.errors import DataError
from tagsight.server.data_urls import draw_evidence
from tagsight.server.responses import (
    ERROR_RESPONSES,
    IndexedPhoto,
    Problem,
    recognised_photo,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from PIL import Image

    from tagsight.inference.result import Result
    from tagsight.search.index import SearchIndex
    from tagsight.server.decoding import DecoderPool
    from tagsight.server.service import Recognise, Service

THUMBNAIL_SIDE, LARGEST_SIDE, QUALITY = 320, 2048, 80
"""Longest side of a thumbnail and of the largest picture in pixels, and their JPEG quality."""

Outcome = TypeVar("Outcome")

DIGEST = InPath(pattern="^[0-9a-f]{64}$", description="its id")
SIDE = Query(ge=16, le=LARGEST_SIDE, description="longest side in pixels")

NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "Not in the index, or no longer on disk."}
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


def add_indexed_photos(
    app: FastAPI,
    service: Service,
    index: SearchIndex,
    decoders: DecoderPool,
    recognise: Recognise,
) -> None:
    """Add the routes of ``/v1/photos``, which open photos of the index and no other files.

    Args:
        app: Gets the routes.
        service: The model.
        index: The photos that may be shown.
        decoders: Processes that decode them.
        recognise: Recognises photos.

    Example:
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.search.index import SearchIndex
        >>> from tagsight.server.app import create_app
        >>> from tagsight.server.service import Service
        >>> _ = ts.index("runs/first/model", "photos", out="runs/served", progress=False)
        >>> service = Service(ts.load("runs/first/model"), SearchIndex.open("runs/served"))
        >>> client = TestClient(create_app(service), base_url="http://localhost")
        >>> client.get(f"/v1/photos/{'0' * 64}").json()
        {'error': 'expected a photo of the index, got one that is not there'}
    """

    @app.get(
        "/v1/photos/{photo}",
        tags=["search"],
        responses={**ERROR_RESPONSES, **PICTURE, **NOT_THERE},
        response_class=Response,
    )
    async def picture(
        photo: Annotated[str, DIGEST], side: Annotated[int, SIDE] = THUMBNAIL_SIDE
    ) -> Response:
        """Get a picture of a photo that a search has found."""
        reduced = partial(decoders.open, then=_jpeg, least_side=side, fit=side)
        drawn, _ = await _first_readable(index, photo, reduced)
        return Response(drawn, media_type="image/jpeg")

    @app.get(
        "/v1/photos/{photo}/labels",
        tags=["search"],
        responses={**ERROR_RESPONSES, **NOT_THERE},
    )
    async def labels(photo: Annotated[str, DIGEST]) -> IndexedPhoto:
        """Predict the labels of a photo that a search has found, and draw their evidence."""

        async def recognised(path: Path) -> Result:
            return (await recognise([path]))[0]

        result, paths = await _first_readable(index, photo, recognised)
        evidence = await asyncio.to_thread(draw_evidence, result)
        decision = service.recognizer.decision
        described = recognised_photo(Path(paths[0]).name, result, decision, {}, evidence)
        return IndexedPhoto(paths=paths, **dict(described))


async def _first_readable(
    index: SearchIndex, photo: str, read: Callable[[Path], Awaitable[Outcome]]
) -> tuple[Outcome, list[str]]:
    """Read a photo at the first of its paths where it still is; that path comes first."""
    digest = bytes.fromhex(photo)
    paths = sorted((await asyncio.to_thread(index.with_content, [digest])).get(digest, []))
    for path in paths:
        try:
            read_photo = await read(Path(path))
        except DataError:  # the same photo may exist at another path
            continue
        return read_photo, [path, *(other for other in paths if other != path)]
    raise HTTPException(404, "expected a photo of the index, got one that is not there")


def _jpeg(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
