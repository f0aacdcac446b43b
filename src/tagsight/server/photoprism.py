"""PhotoPrism's vision requests: labels for photos of a library that PhotoPrism keeps.

https://docs.photoprism.app/developer-guide/vision/ describes what is asked and answered.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tagsight.server.data_urls import photos_in
from tagsight.tagging.sidecars.edit import leaf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fastapi import FastAPI

    from tagsight.inference.result import Result
    from tagsight.server.app import Service

    Refusals = dict[int | str, dict[str, Any]]
    Recognise = Callable[[Sequence[bytes]], Awaitable[list[Result]]]

EXAMPLE = "data:image/png;base64,"


class VisionRequest(BaseModel):
    """What PhotoPrism asks; what else it may say is not looked at."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(None, max_length=200, description="of the request, which comes back")
    images: list[str] = Field(min_length=1, description="photos as data: URLs")


class VisionModel(BaseModel):
    """Who answers."""

    type: Literal["labels"] = "labels"
    name: str
    version: str


class VisionLabel(BaseModel):
    """A label, as PhotoPrism takes it."""

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
    """What PhotoPrism is answered."""

    id: str
    model: VisionModel
    result: VisionResult


def add_photoprism(
    app: FastAPI, service: Service, recognise: Recognise, refusals: Refusals
) -> None:
    """Answer PhotoPrism.

    Args:
        app: Gets the route.
        service: What is served.
        recognise: Takes the contents of photos.
        refusals: Answers of other kinds, for the description.
    """
    who = VisionModel(name=service.recognizer.info.recipe, version=service.digest)

    @app.post("/api/v1/vision/labels", tags=["photoprism"], responses=refusals)
    async def labels(asked: VisionRequest) -> VisionAnswer:
        """Labels of photos; of several photos of one picture, each label once."""
        results = await recognise(photos_in(asked.images, service.limits.photos))
        found: dict[str, float] = {}
        for label in (label for result in results for label in result.labels):
            found[label.name] = max(label.score, found.get(label.name, 0.0))
        return VisionAnswer(
            id=asked.id or str(uuid.uuid4()),
            model=who,
            result=VisionResult(labels=[_label(name, score) for name, score in found.items()]),
        )


def _label(name: str, score: float) -> VisionLabel:
    return VisionLabel(
        name=leaf(name), confidence=score, topicality=score, categories=name.split("/")[:-1]
    )
