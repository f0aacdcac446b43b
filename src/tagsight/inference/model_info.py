"""Description of a model, whatever runs it; an exported file holds it beside its graph."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from tagsight.checkpoint.decision import Decision
from tagsight.config import Pooling, Resize, Settings
from tagsight.data.source import check_labels

MOST_LABELS = 1_000_000
MOST_LINKS = 2_000


class LabelLink(Settings):
    """Directed edge of a label graph, along which one label's classifier informs another's.

    Example:
        >>> LabelLink(source=0, target=2, weight=0.8).target
        2
    """

    source: int = Field(ge=0)
    """Index of the label that the edge starts from."""

    target: int = Field(ge=0)
    """Index of the label that the edge leads to."""

    weight: float = Field(ge=0, le=1)
    """Conditional probability that the edge stands for."""


class ModelInfo(Settings):
    """Meaning of a network's outputs, and the origin of the model."""

    format: Literal[2] = 2
    """Version of this description."""

    tagsight: str
    """Version of the package that wrote it."""

    model: str
    """Digest of the weights: hexadecimal SHA-256."""

    system: str
    """A key of `tagsight.systems.SYSTEMS`."""

    recipe: str
    """Name of the recipe that the model was trained with."""

    labels: tuple[str, ...] = Field(min_length=1, max_length=MOST_LABELS)
    """Names, in the order of the outputs."""

    decision: dict[str, JsonValue]
    """Thresholds and temperature, as `Decision.as_dict` gives them."""

    image_size: int = Field(gt=0, le=8192)
    """Side of the square that photos are resized to, in pixels."""

    resize: Resize = "warp"
    """How a photo is made a square."""

    embedding_size: int = Field(gt=0, le=2**20)
    """Dimension D of an embedding."""

    pooling: Pooling
    """How the feature grid is pooled to an embedding."""

    maps_add_up: bool
    """Whether the mean of a label's map is its logit."""

    probabilities: bool
    """Whether scores are probabilities; otherwise they only rank labels."""

    links: tuple[LabelLink, ...] = Field((), max_length=MOST_LINKS)
    """Strongest edges of the label graph, if the system has one counted on training photos."""

    facts: dict[str, JsonValue]
    """Recorded facts: digests of data and split, metrics."""

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
        """Return the thresholds and the temperature that were fitted with the model.

        Raises:
            DataError: If they belong to other labels or are out of range.
        """
        return Decision.from_dict(self.decision, self.labels)
