"""Scores of photos: those of a trained model for its labels, and of the heads for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.learner import Learned
    from tagsight.tagging.labelling.suggestions import Suggestions


def scores_of(
    photos: NDArray[np.int64],
    labels: Sequence[int],
    learned: Learned | None,
    suggestions: Suggestions | None,
    features: Features,
) -> NDArray[np.float32]:
    """Collect the scores of photos: ``(n, L)`` float32 in [0, 1], NaN where there is none.

    Args:
        photos: ``(n,)``, their ids.
        labels: Ids of the ``L`` labels.
        learned: The heads, or None.
        suggestions: The scores of a trained model, or None.
        features: Knows the slots of the photos.

    Example:
        >>> from types import SimpleNamespace
        >>> model = SimpleNamespace(labels=(7,), of=lambda slots: np.full((len(slots), 1), 0.5))
        >>> features = SimpleNamespace(slots=np.arange)
        >>> scores_of(np.array([1, 3]), [7, 8], None, model, features).tolist()
        [[0.5, nan], [0.5, nan]]
    """
    scores = np.full((len(photos), len(labels)), np.nan, np.float32)
    if learned is not None:
        scores = columns_of(learned.scores, photos, labels, learned)
    if suggestions is not None and len(photos):
        slots = features.slots(int(photos.max()))[photos - 1]
        suggested = suggestions.of(slots)
        for column, label in enumerate(labels):
            if label in suggestions.labels:
                of_model = suggested[:, suggestions.labels.index(label)]
                scores[:, column] = np.where(np.isnan(of_model), scores[:, column], of_model)
    return scores


def columns_of(
    table: NDArray[np.float32],
    photos: NDArray[np.int64],
    labels: Sequence[int],
    learned: Learned,
) -> NDArray[np.float32]:
    """Select the rows of photos and the columns of labels from a table of the heads.

    Args:
        table: ``(photos, L)`` float32, by ids, for the labels that the heads know.
        photos: ``(n,)``, their ids; those that are newer than the table have no number in it.
        labels: Ids of the labels.
        learned: The heads.

    Example:
        >>> from types import SimpleNamespace
        >>> table = np.array([[0.25, 0.5], [0.75, 1.0]], np.float32)
        >>> learned = SimpleNamespace(column={7: 0, 9: 1}.get)
        >>> columns_of(table, np.array([2, 3]), [9, 8], learned).tolist()
        [[1.0, nan], [nan, nan]]
    """
    taken = np.full((len(photos), len(labels)), np.nan, np.float32)
    seen = photos <= len(table)
    for column, label in enumerate(labels):
        if (known := learned.column(label)) is not None:
            taken[seen, column] = table[photos[seen] - 1, known]
    return taken
