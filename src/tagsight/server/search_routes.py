"""Routes of the index: search for photos, and the labels to search for."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tagsight.search.corrections import corrections
from tagsight.search.expression import UnknownLabelError, parse
from tagsight.server.responses import (
    ERROR_RESPONSES,
    IndexedLabel,
    IndexedLabels,
    SearchResults,
    UnknownLabel,
    search_results,
)
from tagsight.server.uploads import request_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI

    from tagsight.inference.result import Result
    from tagsight.search.index import Hit, SearchIndex
    from tagsight.server.uploads import Upload

    RecogniseUploads = Callable[[Request], Awaitable[tuple[list[Upload], list[Result]]]]

TOP = Query(ge=1, le=1000, description="maximum number of photos")
WHERE = Query(max_length=1000, examples=["dog and not person"])
SKIP = Query(ge=0, le=10_000_000, description="number of photos to leave out before them")

RESPONSES: dict[int | str, dict[str, Any]] = {
    **ERROR_RESPONSES,
    422: {"model": UnknownLabel, "description": ERROR_RESPONSES[422]["description"]},
}


def add_search(app: FastAPI, index: SearchIndex, recognise: RecogniseUploads) -> None:
    """Add the routes of ``/v1/search``.

    Args:
        app: Gets the routes.
        index: The photos to search in.
        recognise: Recognises the photos of a request.

    Example:
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.search.index import SearchIndex
        >>> from tagsight.server.app import create_app
        >>> from tagsight.server.service import Service
        >>> _ = ts.index("runs/first/model", "photos", out="runs/served", progress=False)
        >>> service = Service(ts.load("runs/first/model"), SearchIndex.open("runs/served"))
        >>> client = TestClient(create_app(service), base_url="http://localhost")
        >>> client.get("/v1/search", params={"where": "dog or not dog"}).json()["matching"]
        24
    """

    @app.post("/v1/search", tags=["search"], openapi_extra=request_body(), responses=RESPONSES)
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

    @app.get("/v1/search", tags=["search"], responses=RESPONSES)
    async def search_where(
        where: Annotated[str | None, WHERE] = None,
        top: Annotated[int, TOP] = 20,
        skip: Annotated[int, SKIP] = 0,
    ) -> SearchResults:
        """Find the indexed photos whose labels match an expression, or browse all of them."""
        expression = parse(where, index.facts.names) if where is not None else None

        def found() -> SearchResults:
            hits = index.having(expression, top, skip)
            return search_results(hits, index.matching(expression))

        return await asyncio.to_thread(found)

    label_counts = cache(partial(_label_counts, index))  # an open index does not change

    @app.get("/v1/search/labels", tags=["search"], responses=ERROR_RESPONSES)
    async def search_labels() -> IndexedLabels:
        """Count the indexed photos that have each label."""
        return await asyncio.to_thread(label_counts)

    @app.exception_handler(UnknownLabelError)
    async def unknown_label(_: Request, error: UnknownLabelError) -> JSONResponse:
        meant = await asyncio.to_thread(corrections, error, index.facts.names)
        told = UnknownLabel(error=str(error), unknown=error.name, meant=meant)
        return JSONResponse(told.model_dump(), 422)


def _label_counts(index: SearchIndex) -> IndexedLabels:
    counts = index.label_counts()
    labels = [IndexedLabel(name=name, photos=photos) for name, photos in counts.items()]
    return IndexedLabels(photos=len(index), labels=labels)
