"""The rows of a collection that a trained model is measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.splits.split import read_split, recorded_splits
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.annotations import Annotations

SPLIT_FILE = "split.csv"
"""File of the splits, which a training run writes beside its model folder."""


def measured_rows(
    annotations: Annotations, model: Path | None, split: str
) -> tuple[Annotations, str]:
    """Select the rows of a split, as the model's training run divided the collection.

    The split recorded by the training run takes precedence if it is of this collection, also if a
    few of its photos have gone since. Otherwise the collection's own split is used, and all rows of
    a collection without one.

    Args:
        annotations: The collection.
        model: The model folder, if it is known; the recorded split is beside it.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The rows, and a sentence on where the split comes from.

    Raises:
        DataError: If the collection has splits, but not this one.

    Example:
        >>> import tagsight as ts
        >>> rows, sentence = measured_rows(ts.read_annotations("labels.csv"), None, "test")
        >>> len(rows)
        4
    """
    splits = {} if model is None else _recorded_splits(model)
    recorded = None if model is None else _recorded(annotations, model)
    if recorded is not None and split in recorded.split_sizes:
        gone = len(splits) - len(recorded)
        without = f", without {amount(gone, 'photo')} no longer there" if gone else ""
        origin = f"split {split!r} as recorded when the model was trained{without}"
        return recorded.rows(split), origin
    if annotations.splits is not None:
        return annotations.rows(split), f"split {split!r} of the data"
    known = [splits[name] for name in annotations.relative_names if name in splits]
    learned = sum(one != split for one in known)
    seen = f"; {amount(learned, 'photo')} of them may be of the training, by the names" * bool(
        learned
    )
    return annotations, f"no split in the data: all photos are measured{seen}"


def photos_outside(rows: Annotations, model: Path | None, split: str) -> int:
    """Count photos that another model's training run did not hold out in a split.

    Args:
        rows: The photos that are measured.
        model: The folder of the other model, if it is known.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The number; 0 if the run recorded no split, or that of another collection.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> rows = ts.read_annotations("labels.csv").rows("test")
        >>> [photos_outside(rows, Path("runs/first/model"), split) for split in ("test", "val")]
        [0, 4]
    """
    recorded = {} if model is None else _recorded_splits(model)
    known = [recorded[name] for name in rows.relative_names if name in recorded]
    return sum(one != split for one in known)


def _recorded_splits(model: Path) -> dict[str, str]:
    """Return the split of each photo of a model's training run, if it recorded them."""
    file = model.parent / SPLIT_FILE
    try:
        return recorded_splits(file) if file.is_file() else {}
    except DataError:
        return {}


def _recorded(annotations: Annotations, model: Path) -> Annotations | None:
    try:
        return read_split(model.parent / SPLIT_FILE, annotations)
    except DataError:
        return None  # no record, or that of another collection
