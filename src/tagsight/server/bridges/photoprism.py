"""PhotoPrism's vision service: labels for the photos of its library.

https://docs.photoprism.app/developer-guide/vision/ describes the interface.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tagsight.data.tags.text import leaf
from tagsight.errors import DataError
from tagsight.server.data_urls import decode_data_urls
from tagsight.server.problems import DATA_STATUSES
from tagsight.server.responses import ERROR_RESPONSES

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tagsight.server.service import Recognise, Service


class VisionRequest(BaseModel):
    """A request from PhotoPrism; further fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(None, max_length=200, description="returned in the response")
    images: list[str] = Field(min_length=1, description="photos as data: URLs")


class VisionModel(BaseModel):
    """The model that labels."""

    type: Literal["labels"] = "labels"
    name: str
    version: str


class VisionLabel(BaseModel):
    """A label in PhotoPrism's form."""

    name: str
    source: Literal["image"] = "image"
    priority: int = 0
    confidence: float = Field(ge=0, le=1)
    topicality: float = Field(ge=0, le=1)
    categories: list[str]


class VisionResult(BaseModel):
    """The labels of all photos of a request."""

    labels: list[VisionLabel]


class VisionAnswer(BaseModel):
    """The response to PhotoPrism."""

    id: str
    code: Literal[200] = 200
    model: VisionModel
    result: VisionResult


def add_photoprism(app: FastAPI, service: Service, recognise: Recognise) -> None:
    """Add the route of PhotoPrism's vision service.

    Args:
        app: Gets the route.
        service: The model and its limits.
        recognise: Recognises the contents of photos.

    Example:
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.app import create_app
        >>> from tagsight.server.service import Service
        >>> app = create_app(Service(ts.load("runs/first/model"), bridges=("photoprism",)))
        >>> client = TestClient(app, base_url="http://localhost")
        >>> asked = {"id": "1", "images": ["http://elsewhere/a.jpg"]}
        >>> answer = client.post("/api/v1/vision/labels", json=asked).json()
        >>> answer["code"], answer["error"].rpartition(": ")[2]
        (422, 'this server fetches no URLs')
    """
    model = VisionModel(name=service.recognizer.info.recipe, version=service.digest)

    @app.post(
        "/api/v1/vision/labels",
        tags=["photoprism"],
        responses=ERROR_RESPONSES,
        response_model=VisionAnswer,
    )
    async def labels(request: VisionRequest) -> VisionAnswer | JSONResponse:
        """Predict the labels of one picture; of several sizes of it, each label once."""
        try:
            results = await recognise(decode_data_urls(request.images, service.limits.photos))
        except (HTTPException, DataError) as error:
            return _refusal(request, error)
        found: dict[str, float] = {}
        for label in (label for result in results for label in result.labels):
            found[label.name] = max(label.score, found.get(label.name, 0.0))
        return VisionAnswer(
            id=request.id or str(uuid.uuid4()),
            model=model,
            result=VisionResult(labels=[_label(name, score) for name, score in found.items()]),
        )


def _refusal(request: VisionRequest, error: HTTPException | DataError) -> JSONResponse:
    """Explain why there are no labels; PhotoPrism shows the error only beside its code."""
    if isinstance(error, HTTPException):
        code, message = error.status_code, str(error.detail)
    else:
        code, message = DATA_STATUSES.get(type(error), 422), str(error)
    return JSONResponse({"id": request.id or "", "code": code, "error": message}, code)


def _label(name: str, score: float) -> VisionLabel:
    return VisionLabel(
        name=leaf(name), confidence=score, topicality=score, categories=name.split("/")[:-1]
    )
