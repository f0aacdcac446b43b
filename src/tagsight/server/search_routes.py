"""Routes of the index: search for photos, and their thumbnails."""

from __future__ import annotations

import asyncio
import hashlib
import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path as InPath
from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException

from tagsight.errors import DataError
from tagsight.search.expression import parse
from tagsight.server.responses import ERROR_RESPONSES, Problem, SearchResults, search_results
from tagsight.server.uploads import request_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from PIL import Image

    from tagsight.inference.result import Result
    from tagsight.search.index import Hit, SearchIndex
    from tagsight.server.decoding import DecoderPool
    from tagsight.server.uploads import Upload

    RecogniseUploads = Callable[[Request], Awaitable[tuple[list[Upload], list[Result]]]]

TOP = Query(ge=1, le=1000, description="maximum number of photos")
WHERE = Query(max_length=1000, examples=["dog and not person"])
THUMBNAIL_SIDE, QUALITY = 320, 80
"""Longest side of a thumbnail in pixels, and its JPEG quality."""


def add_search(app: FastAPI, index: SearchIndex, recognise: RecogniseUploads) -> None:
    """Add the routes of ``/v1/search``.

    Args:
        app: Gets the routes.
        index: The photos to search in.
        recognise: Recognises the photos of a request.
    """

    @app.post(
        "/v1/search", tags=["search"], openapi_extra=request_body(), responses=ERROR_RESPONSES
    )
    async def search_like(
        request: Request,
        where: Annotated[str | None, WHERE] = None,
        top: Annotated[int, TOP] = 20,
    ) -> SearchResults:
        """Find the indexed photos most similar to the photo sent, except that photo itself."""
        expression = parse(where, index.facts.names) if where is not None else None
        uploads, results = await recognise(request)
        if len(results) != 1:
            raise HTTPException(422, f"expected one photo to search with, got {len(results)}")

        def found() -> list[Hit]:
            itself = hashlib.sha256(uploads[0].content).digest()
            return index.like(results[0].embedding, top, expression=expression, without=itself)

        return search_results(await asyncio.to_thread(found))

    @app.get("/v1/search", tags=["search"], responses=ERROR_RESPONSES)
    async def search_where(
        where: Annotated[str, WHERE], top: Annotated[int, TOP] = 20
    ) -> SearchResults:
        """Find the indexed photos whose labels match an expression."""
        expression = parse(where, index.facts.names)
        return search_results(await asyncio.to_thread(index.having, expression, top))


def add_thumbnails(app: FastAPI, index: SearchIndex, decoders: DecoderPool) -> None:
    """Add the route of ``/v1/photos``, which opens photos of the index and no other files.

    Args:
        app: Gets the route.
        index: The photos that may be shown.
        decoders: Processes that decode them.
    """
    responses: dict[int | str, dict[str, Any]] = {
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        404: {"model": Problem, "description": "Not in the index, or no longer on disk."},
    }

    @app.get(
        "/v1/photos/{photo}",
        tags=["search"],
        responses={**ERROR_RESPONSES, **responses},
        response_class=Response,
    )
    async def thumbnail(
        photo: Annotated[str, InPath(pattern="^[0-9a-f]{64}$", description="its id")],
    ) -> Response:
        """Get a thumbnail of a photo that a search has found."""
        digest = bytes.fromhex(photo)
        found = await asyncio.to_thread(index.with_content, [digest])
        for path in found.get(digest, []):
            with suppress(DataError):  # the same photo may exist at another path
                drawn = await decoders.open(
                    Path(path), _jpeg, least_side=THUMBNAIL_SIDE, fit=THUMBNAIL_SIDE
                )
                return Response(drawn, media_type="image/jpeg")
        raise HTTPException(404, "expected a photo of the index, got one that is not there")


def _jpeg(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
