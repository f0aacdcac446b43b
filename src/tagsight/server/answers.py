"""What the server says, as types: the OpenAPI document is made from them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundLabel(_Answer):
    """A label and how sure the model is of it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "dog", "score": 0.93, "threshold": 0.41}]}
    )

    name: str
    score: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1, description="score from which on the label is found")
    heatmap: str | None = Field(
        None, description="the evidence over the photo, a PNG as a data: URL, if it was asked for"
    )


class RecognisedPhoto(_Answer):
    """What is in a photo."""

    name: str | None = Field(None, description="the file's name, as it was sent")
    width: int = Field(description="in pixels, upright")
    height: int
    labels: list[FoundLabel] = Field(description="labels found, the surest first")
    scores: dict[str, float] = Field(description="of every label")


class Predictions(_Answer):
    """What is in the photos of a request, in their order."""

    model: str = Field(description="digest of the model", examples=["3f2a9c0d11ee"])
    photos: list[RecognisedPhoto]


class Embeddings(_Answer):
    """What photos look like, for a search of one's own."""

    model: str
    embeddings: list[list[float]] = Field(description="a vector for each photo")


class FoundPhoto(_Answer):
    """A photo of the index."""

    path: str
    likeness: float | None = Field(description="cosine to the photo that was sent, if one was")
    labels: list[str]


class SearchResults(_Answer):
    """What a search has found, the best first."""

    photos: list[FoundPhoto]


class KnownLabel(_Answer):
    """A label of the model."""

    name: str
    threshold: float


class ModelFacts(_Answer):
    """What answers here."""

    model: str
    system: str
    recipe: str
    image_size: int
    labels: list[KnownLabel]
    tagsight: str


class Problem(_Answer):
    """Why there is no other answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "expected a photo, got a file of another kind"}]}
    )

    error: str
