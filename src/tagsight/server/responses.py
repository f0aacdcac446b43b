"""Types of the responses, from which the OpenAPI document is made, and their construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from tagsight.checkpoint.decision import Strictness
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.checkpoint.decision import Decision
    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.result import Result
    from tagsight.search.index import Hit

STRICTNESSES: tuple[Strictness, ...] = get_args(Strictness)


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundLabel(_Response):
    """A predicted label with its score."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "dog", "score": 0.93, "threshold": 0.41}]}
    )

    name: str
    score: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1, description="score from which the label is predicted")
    heatmap: str | None = Field(
        None,
        description="the photo with the evidence, its strongest place and a colour bar, a PNG as a "
        "data: URL, if requested",
    )


class Overlay(_Response):
    """The evidence for a label."""

    picture: str = Field(
        description="a layer for the whole photo, transparent where there is no evidence: a PNG as "
        "a data: URL"
    )
    top: float = Field(ge=0, description="evidence with the last colour, in logits")
    peak: tuple[float, float] | None = Field(
        description="where it is strongest, as fractions of width and height; null without evidence"
    )


class Evidence(_Response):
    """Overlays for a photo, each on a scale of its own."""

    bar: str = Field(
        description="the colours from 0 to a label's top, left to right, a PNG as a data: URL"
    )
    overlays: dict[str, Overlay] = Field(description="for the 24 labels with the highest scores")


class RecognisedPhoto(_Response):
    """The labels of a photo."""

    name: str | None = Field(None, description="the file name that was sent")
    width: int = Field(description="of the upright photo, in pixels")
    height: int
    labels: list[FoundLabel] = Field(description="predicted labels, the highest score first")
    scores: dict[str, float] = Field(
        description="of every label, or of those asked for, the highest first"
    )
    decided: dict[Strictness, list[str]] = Field(
        description="labels at each strictness; balanced has those in labels"
    )
    evidence: Evidence | None = Field(None, description="overlays, if requested")


class Predictions(_Response):
    """The labels of the photos of a request, in their order."""

    model: str = Field(description="digest of the model", examples=["3f2a9c0d11ee"])
    photos: list[RecognisedPhoto]


class Embeddings(_Response):
    """The embeddings of the photos of a request, in their order."""

    model: str
    embeddings: list[list[float]] = Field(description="a vector for each photo")


class FoundPhoto(_Response):
    """A photo of the index."""

    id: str = Field(description="SHA-256 of its content, in hexadecimal")
    path: str
    likeness: float | None = Field(description="cosine to the query photo, if there is one")
    labels: list[str]


class SearchResults(_Response):
    """Photos that a search has found, the best first."""

    photos: list[FoundPhoto]
    matching: int | None = Field(
        description="number of indexed photos that match; null for a search by a photo"
    )


class IndexedPhoto(RecognisedPhoto):
    """The labels of a photo of the index, and where it is."""

    paths: list[str] = Field(description="of the same photo on the server's disk")


class IndexedLabel(_Response):
    """A label and its photos."""

    name: str
    photos: int = Field(description="number of indexed photos that have it")


class IndexedLabels(_Response):
    """All labels of the index, in its order."""

    photos: int = Field(description="number of indexed photos")
    labels: list[IndexedLabel]


class KnownLabel(_Response):
    """A label of the model."""

    name: str
    threshold: float
    thresholds: dict[Strictness, float] = Field(description="at each strictness; 1 means never")


class LabelLink(_Response):
    """An edge of the label graph, from which the classifier of the target is computed."""

    source: str
    target: str
    weight: float = Field(description="probability of the target, given the source")


class ModelFacts(_Response):
    """The model of this server."""

    model: str
    system: str
    recipe: str
    image_size: int
    labels: list[KnownLabel]
    links: list[LabelLink] = Field(description="the label graph; empty for systems without one")
    card: str = Field(description="the model card, in Markdown")
    indexed: int | None = Field(description="number of indexed photos; null without an index")
    tagsight: str


class ReviewedLabel(_Response):
    """A label that a person has accepted."""

    name: str = Field(min_length=1, max_length=1000)
    score: float = Field(ge=0, le=1)


class ReviewedPhoto(_Response):
    """A photo whose labels a person has reviewed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "dog.jpg", "labels": [{"name": "dog", "score": 0.93}]}]
        },
    )

    name: str = Field(min_length=1, max_length=1000, description="of its file")
    labels: list[ReviewedLabel] = Field(max_length=1000)


class Problem(_Response):
    """The reason why a request failed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "expected a photo, got a file of another kind"}]}
    )

    error: str


class UnknownLabel(Problem):
    """The reason why a search failed, and what may have been meant."""

    unknown: str | None = Field(None, description="a label of the expression that is unknown")
    meant: list[str] | None = Field(
        None, description="expressions with known labels that may have been meant"
    )


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        401: "The token is missing or wrong.",
        403: "The request is for another host or from another origin.",
        408: "The body did not arrive in time.",
        413: "Too many bytes, pixels or photos, or too expensive to process.",
        415: "Not a photo, or an unsupported content type.",
        422: "Malformed, damaged or truncated.",
        429: "The server is busy; Retry-After says when to try again.",
        503: "No result in time.",
    }.items()
}


def model_facts(recognizer: Recognizer, indexed: int | None) -> ModelFacts:
    """Describe a model: labels, thresholds, label graph, model card.

    Args:
        recognizer: The model.
        indexed: Number of photos in the index, or None without an index.

    Example:
        >>> import tagsight as ts
        >>> facts = model_facts(ts.load("runs/first/model"), indexed=None)
        >>> facts.system, [label.name for label in facts.labels]
        ('resnet', ['dog', 'sky'])
    """
    info, decision = recognizer.info, recognizer.decision
    thresholds = {how: decision.at(how).thresholds.tolist() for how in STRICTNESSES}
    return ModelFacts(
        model=info.model[:12],
        system=info.system,
        recipe=info.recipe,
        image_size=info.image_size,
        labels=[
            KnownLabel(
                name=name,
                threshold=float(decision.thresholds[place]),
                thresholds={how: thresholds[how][place] for how in STRICTNESSES},
            )
            for place, name in enumerate(info.labels)
        ],
        links=[
            LabelLink(
                source=info.labels[link.source], target=info.labels[link.target], weight=link.weight
            )
            for link in info.links
        ],
        card=info.card,
        indexed=indexed,
        tagsight=__version__,
    )


def recognised_photo(
    name: str | None,
    result: Result,
    decision: Decision,
    heatmaps: dict[str, str],
    evidence: Evidence | None,
    most: int | None = None,
) -> RecognisedPhoto:
    """Describe the result of a photo.

    Args:
        name: File name that the client sent.
        result: Scores and labels of the photo.
        decision: The model's thresholds.
        heatmaps: ``data:`` URLs by label, for those that have one.
        evidence: Overlays, if requested.
        most: Labels to give the scores of, the highest, besides those that are predicted at some
            strictness; by default all.

    Example:
        >>> import numpy as np
        >>> from tagsight.checkpoint.decision import Decision
        >>> from tagsight.inference.result import Result
        >>> maps = np.array([[[4.0, 0.0], [0.0, 0.0]]], np.float32)
        >>> one = np.ones(1)
        >>> result = Result(
        ...     None, ("dog",), 0.9 * one, 0.5 * one, one > 0, maps, one, one, photo_size=(640, 480)
        ... )
        >>> photo = recognised_photo("a.jpg", result, Decision(0.5 * one), {}, None)
        >>> photo.labels[0].name, photo.scores, photo.decided["sure"]
        ('dog', {'dog': 0.9}, ['dog'])
    """
    width, height = result.photo_size
    places = {name: place for place, name in enumerate(result.names)}
    ranked = result.ranked()
    predicted = {how: decision.at(how).predicted(result.scores) for how in STRICTNESSES}
    scored = [
        label
        for rank, label in enumerate(ranked)
        if most is None
        or rank < most
        or any(found[places[label.name]] for found in predicted.values())
    ]
    return RecognisedPhoto(
        name=name,
        width=width,
        height=height,
        labels=[
            FoundLabel(
                name=label.name,
                score=label.score,
                threshold=float(result.thresholds[places[label.name]]),
                heatmap=heatmaps.get(label.name),
            )
            for label in result.labels
        ],
        scores={label.name: label.score for label in scored},
        decided={
            how: [label.name for label in ranked if found[places[label.name]]]
            for how, found in predicted.items()
        },
        evidence=evidence,
    )


def search_results(hits: Sequence[Hit], matching: int | None = None) -> SearchResults:
    r"""Describe the photos that a search has found.

    Args:
        hits: The photos.
        matching: Number of photos that match in all, or None for a search by a photo.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from tagsight.search.index import Hit
        >>> hit = Hit(Path("photos/dog.jpg"), 0.93, ("dog",), np.ones(1, np.float32), b"\x01" * 32)
        >>> search_results([hit]).photos[0].path, search_results([hit]).photos[0].id[:4]
        ('photos/dog.jpg', '0101')
    """
    photos = [
        FoundPhoto(
            id=hit.digest.hex(), path=str(hit.path), likeness=hit.likeness, labels=list(hit.labels)
        )
        for hit in hits
    ]
    return SearchResults(photos=photos, matching=matching)
