"""What a model says of itself, whatever runs it: an exported file has it beside its graph."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from tagsight.checkpoint.decision import Decision
from tagsight.config import Pooling, Settings
from tagsight.data.source import check_labels

MOST_LABELS = 1_000_000
MOST_LINKS = 2_000


class LabelLink(Settings):
    """An edge of a label graph, which says what one label's classifier takes from another."""

    source: int = Field(ge=0)
    """Index of the label that gives."""

    target: int = Field(ge=0)
    """Index of the label that takes."""

    weight: float = Field(ge=0, le=1)
    """The probability that the edge was made for."""


class ModelInfo(Settings):
    """How to read a network's outputs, and where they come from."""

    format: Literal[2] = 2
    """Version of this description."""

    tagsight: str
    """Version of the package that wrote it."""

    model: str
    """Digest of the weights: hexadecimal SHA-256."""

    system: str
    """A key of `tagsight.systems.SYSTEMS`."""

    recipe: str
    """Name of the recipe that it was trained by."""

    labels: tuple[str, ...] = Field(min_length=1, max_length=MOST_LABELS)
    """Names, in the order of the outputs."""

    decision: dict[str, JsonValue]
    """A `Decision`."""

    image_size: int = Field(gt=0, le=8192)
    """Side of the square that photos are warped to, in pixels."""

    embedding_size: int = Field(gt=0, le=2**20)
    """Length of an embedding."""

    pooling: Pooling
    """How an embedding is made of the feature grid."""

    maps_add_up: bool
    """Whether a label's map averages to its logit."""

    probabilities: bool
    """Whether scores are probabilities; otherwise they only rank."""

    links: tuple[LabelLink, ...] = Field((), max_length=MOST_LINKS)
    """The label graph's strongest edges, if the system has one that labels were counted for."""

    facts: dict[str, JsonValue]
    """What was recorded of the model: hashes of data and split, metrics."""

    card: str
    """The model card, in Markdown."""

    _labels_are_names = field_validator("labels")(check_labels)

    @model_validator(mode="after")
    def _links_are_between_labels(self) -> Self:
        if self.links and (last := max(max(one.source, one.target) for one in self.links)) >= len(
            self.labels
        ):
            msg = f"links: expected indices below {len(self.labels)}, the labels, got {last}"
            raise ValueError(msg)
        return self

    def fitted_decision(self) -> Decision:
        """The thresholds and the temperature that were fitted with the model.

        Raises:
            DataError: If they are not of these labels, or out of their range.
        """
        return Decision.from_dict(self.decision, self.labels)
