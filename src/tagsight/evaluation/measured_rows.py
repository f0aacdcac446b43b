"""Which rows of a collection a trained model is measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.split import read_split
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.annotations import Annotations

SPLIT_FILE = "split.csv"
"""What a training run writes beside its model folder (`tagsight.training.preparation`)."""


def measured_rows(annotations: Annotations, model: Path, split: str) -> tuple[Annotations, str]:
    """Take the rows of a split that the model has seen as that split.

    The split that was recorded when the model was trained comes first, if it is of this collection;
    then the collection's own. A collection without a split is measured as a whole.

    Args:
        annotations: The collection.
        model: The model folder; the record lies beside it.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The rows, and a sentence on where the split comes from.

    Raises:
        DataError: If the collection has splits, but not this one.
    """
    recorded = _recorded(annotations, model.parent / SPLIT_FILE)
    if recorded is not None and split in recorded.split_sizes:
        return recorded.rows(split), f"split {split!r} as recorded when the model was trained"
    if annotations.splits is None:
        return annotations, "no split in the data: all photos are measured"
    return annotations.rows(split), f"split {split!r} of the data"


def _recorded(annotations: Annotations, file: Path) -> Annotations | None:
    if not file.is_file():
        return None
    try:
        return read_split(file, annotations)
    except DataError:
        return None  # of other photos than these
