"""The photos of a request: from a form, or from JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from tagsight.runtime.amounts import amount
from tagsight.server.limits import FORM

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from tagsight.server.limits import Limits

JSON = "application/json"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
"""A red photo of one pixel, for the examples of the OpenAPI document."""


class Upload(NamedTuple):
    """A photo sent by a client.

    Attributes:
        name: File name, if the client sent one; never used as a path.
        content: Content of the file.
    """

    name: str | None
    content: bytes


class _InMemoryForm(MultiPartParser):
    """A form whose files stay in memory; `LimitsMiddleware` limits their size."""

    spool_max_size = 2**40


class _Photos(BaseModel):
    model_config = ConfigDict(extra="forbid")

    photos: list[str]


def request_body() -> dict[str, Any]:
    """Describe a body with photos for the OpenAPI document.

    Example:
        >>> sorted(request_body()["requestBody"]["content"])
        ['application/json', 'multipart/form-data']
    """
    form = {
        "type": "object",
        "required": ["photos"],
        "properties": {
            "photos": {"type": "array", "items": {"type": "string", "format": "binary"}}
        },
    }
    plain = {
        "type": "object",
        "required": ["photos"],
        "additionalProperties": False,
        "properties": {
            "photos": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "contentEncoding": "base64"},
            }
        },
        "examples": [{"photos": [PIXEL]}],
    }
    content = {FORM: {"schema": form}, JSON: {"schema": plain}}
    return {"requestBody": {"required": True, "content": content}}


async def photos_of(request: Request, limits: Limits) -> list[Upload]:
    """Read the photos of a request.

    Raises:
        HTTPException: 413 if there are too many, 415 if the content type is not supported, 422 if
            there is none or the body is malformed.

    Example:
        >>> from fastapi import FastAPI, Request
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.limits import Limits
        >>> app = FastAPI()
        >>> @app.post("/")
        ... async def names(request: Request) -> list[str]:
        ...     return [photo.name for photo in await photos_of(request, Limits())]
        >>> TestClient(app).post("/", files={"photos": ("dog.jpg", b"its content")}).json()
        ['dog.jpg']
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        uploads = await _from_form(request, limits)
    elif kind == JSON:
        uploads = _from_json(await request.body())
    else:
        raise HTTPException(415, f"expected {FORM} or {JSON}, got {kind or 'no content type'}")
    if not uploads:
        raise HTTPException(422, "expected at least one photo in the field 'photos', got none")
    if len(uploads) > limits.photos:
        message = f"expected at most {amount(limits.photos, 'photo')}, got {len(uploads)}"
        raise HTTPException(413, message)
    return uploads


async def form_of(request: Request, limits: Limits) -> FormData:
    """Read a form whose files stay in memory; the caller closes it.

    Raises:
        HTTPException: 413 if there are too many files, 422 if it is malformed.

    Example:
        >>> from fastapi import FastAPI, Request
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.limits import Limits
        >>> app = FastAPI()
        >>> @app.post("/")
        ... async def fields(request: Request) -> list[str]:
        ...     form = await form_of(request, Limits())
        ...     await form.close()
        ...     return sorted(form)
        >>> sent = {"image": b"its content", "text": (None, "a dog")}
        >>> TestClient(app).post("/", files=sent).json()
        ['image', 'text']
    """
    parser = _InMemoryForm(
        request.headers, request.stream(), max_files=limits.photos + 1, max_fields=16
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        many = "Too many files" in error.message
        raise HTTPException(413 if many else 422, f"malformed form: {error.message}") from error
    except (KeyError, ValueError, AssertionError) as error:
        raise HTTPException(422, "expected a form with a boundary, got none") from error


async def _from_form(request: Request, limits: Limits) -> list[Upload]:
    form = await form_of(request, limits)
    try:
        files = form.getlist("photos")
        if not all(isinstance(file, UploadFile) for file in files):
            raise HTTPException(422, "expected files in the field 'photos', got text")
        return [
            Upload(file.filename, await file.read())
            for file in files
            if isinstance(file, UploadFile)
        ]
    finally:
        await form.close()


def _from_json(body: bytes) -> list[Upload]:
    try:
        given = _Photos.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(
            422, f"expected {{'photos': [base64, ...]}}: {_first_error(error)}"
        ) from error
    uploads = []
    for place, text in enumerate(given.photos, 1):
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise HTTPException(422, f"expected photo {place} as base64: {error}") from error
        uploads.append(Upload(None, content))
    return uploads


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
