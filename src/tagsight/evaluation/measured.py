"""A model measured on a split: its predictions, and the report on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.evaluation.evaluate import Report


class Measured(NamedTuple):
    """A model on a split.

    Attributes:
        model: The model.
        rows: The photos, their labels matched to the model's.
        logits: ``(N, L)`` float32, averaged over views.
        report: What `tagsight.evaluation.evaluate.evaluate` gives.
    """

    model: LoadedModel
    rows: Annotations
    logits: Tensor
    report: Report
