"""Small pictures of the photos of an index: of those in it, and of no other file."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path as InPath
from fastapi import Response
from PIL import Image
from starlette.exceptions import HTTPException

from tagsight.data.photos import open_photo
from tagsight.errors import DataError
from tagsight.server.answers import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tagsight.search.index import SearchIndex

SIDE, QUALITY = 320, 80
"""Of a small picture: its longest side in pixels, and how well it is kept."""


def add_thumbnails(
    app: FastAPI, index: SearchIndex, options: dict[str, Any], *, max_pixels: int
) -> None:
    """Answer with small pictures of the photos of an index.

    Args:
        app: Gets the route.
        index: Whose photos they are.
        options: Of the route: who may ask, and how it refuses.
        max_pixels: Most pixels of a photo.
    """
    picture: dict[int | str, dict[str, Any]] = {
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        404: {"model": Problem, "description": "Not in the index, or no longer on the disk."},
    }

    @app.get(
        "/v1/photos/{photo}",
        tags=["search"],
        dependencies=options["dependencies"],
        responses={**options["responses"], **picture},
        response_class=Response,
    )
    async def thumbnail(
        photo: Annotated[str, InPath(pattern="^[0-9a-f]{64}$", description="its id")],
    ) -> Response:
        """A small picture of a photo that a search has found."""
        found = await asyncio.to_thread(_drawn, index, bytes.fromhex(photo), max_pixels)
        if found is None:
            raise HTTPException(404, "expected a photo of the index, got one that is not there")
        return Response(found, media_type="image/jpeg")


def _drawn(index: SearchIndex, digest: bytes, max_pixels: int) -> bytes | None:
    for path in index.with_content([digest]).get(digest, []):
        try:
            photo = open_photo(Path(path), max_pixels=max_pixels, least_side=SIDE)
        except (DataError, OSError):
            continue  # it may lie elsewhere too
        photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=QUALITY)
        return file.getvalue()
    return None
