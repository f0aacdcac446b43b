"""What the server says, as types: the OpenAPI document is made from them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tagsight.checkpoint.decision import Strictness


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
    scores: dict[str, float] = Field(description="of every label, the highest first")
    decided: dict[Strictness, list[str]] = Field(
        description="labels by how sure the model is to be; balanced has those in labels"
    )
    evidence: dict[str, str] | None = Field(
        None,
        description="for the 24 highest scores, a PNG with transparency as a data: URL, to be laid "
        "over the photo, if it was asked for; all are on one scale",
    )


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

    id: str = Field(description="of its content: hexadecimal SHA-256")
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
    thresholds: dict[Strictness, float] = Field(
        description="by how sure the model is to be; 1 means never"
    )


class LabelLink(_Answer):
    """An edge of the label graph: what the classifier of one label takes from another."""

    source: str
    target: str
    weight: float = Field(description="how often the target is there where the source is")


class ModelFacts(_Answer):
    """What answers here."""

    model: str
    system: str
    recipe: str
    image_size: int
    labels: list[KnownLabel]
    links: list[LabelLink] = Field(description="the label graph; empty for systems without one")
    card: str = Field(description="the model card, in Markdown")
    indexed: int | None = Field(description="photos that can be searched; null without an index")
    tagsight: str


class ReviewedLabel(_Answer):
    """A label that somebody has accepted."""

    name: str = Field(min_length=1, max_length=1000)
    score: float = Field(ge=0, le=1)


class ReviewedPhoto(_Answer):
    """A photo whose labels somebody has looked at."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "dog.jpg", "labels": [{"name": "dog", "score": 0.93}]}]
        },
    )

    name: str = Field(min_length=1, max_length=1000, description="of its file")
    labels: list[ReviewedLabel] = Field(max_length=1000)


class Problem(_Answer):
    """Why there is no other answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "expected a photo, got a file of another kind"}]}
    )

    error: str
