"""Small pictures of the photos of an index: of those in it, and of no other file."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path as InPath
from fastapi import Response
from starlette.exceptions import HTTPException

from tagsight.errors import DataError
from tagsight.server.answers import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from PIL import Image

    from tagsight.search.index import SearchIndex
    from tagsight.server.decoding import Decoders

SIDE, QUALITY = 320, 80
"""Of a small picture: its longest side in pixels, and how well it is kept."""


def add_thumbnails(
    app: FastAPI,
    index: SearchIndex,
    decoders: Decoders,
    refusals: dict[int | str, dict[str, Any]],
) -> None:
    """Answer with small pictures of the photos of an index.

    Args:
        app: Gets the route.
        index: Whose photos they are.
        decoders: Processes that decode them.
        refusals: Answers of other kinds, for the description.
    """
    picture: dict[int | str, dict[str, Any]] = {
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        404: {"model": Problem, "description": "Not in the index, or no longer on the disk."},
    }

    @app.get(
        "/v1/photos/{photo}",
        tags=["search"],
        responses={**refusals, **picture},
        response_class=Response,
    )
    async def thumbnail(
        photo: Annotated[str, InPath(pattern="^[0-9a-f]{64}$", description="its id")],
    ) -> Response:
        """A small picture of a photo that a search has found."""
        digest = bytes.fromhex(photo)
        found = await asyncio.to_thread(index.with_content, [digest])
        for path in found.get(digest, []):
            with suppress(DataError):  # it may lie elsewhere too
                drawn = await decoders.open(Path(path), _jpeg, least_side=SIDE, fit=SIDE)
                return Response(drawn, media_type="image/jpeg")
        raise HTTPException(404, "expected a photo of the index, got one that is not there")


def _jpeg(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
