"""Labels that a command works on: of photos, of saved counts, or by their names alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tagsight.commands.options import Reading
    from tagsight.labels.space import LabelSpace


def label_space(data: Path, names: str | None, reading: Reading) -> LabelSpace:
    """Count the labels of the training photos, or of all where none are marked so, or read counts.

    Args:
        data: Labels of photos, an ``.npz`` of counts, or ML-GCN's ``*_adj.pkl``.
        names: The labels of a pickle, as `tagsight.labels.names.named_labels` takes them.
        reading: How labels of photos are read.
    """
    from tagsight.errors import DataError
    from tagsight.labels.counts import read_counts, read_legacy_counts
    from tagsight.labels.space import LabelSpace

    if data.suffix.lower() == ".pkl":
        return read_legacy_counts(data, names_of_pickle(data, names))
    if names is not None:
        msg = f"expected --labels for a pickle only, got them for {data}, which names its own"
        raise DataError(msg)
    if data.suffix.lower() == ".npz":
        return read_counts(data)
    annotations = reading.read(data, labels_only=True)
    if "train" in annotations.split_sizes:
        annotations = annotations.rows("train")
    return LabelSpace.from_targets(annotations.names, annotations.targets)


def names_of_pickle(pickle: Path, names: str | None) -> tuple[str, ...]:
    """The labels that a pickle does not tell."""
    from tagsight.errors import DataError
    from tagsight.labels.names import LABEL_ORDERS, named_labels

    if names is None:
        msg = (
            f"expected --labels for {pickle}, which does not tell its labels, got none; say "
            f"{', '.join(LABEL_ORDERS)}, a file of a name a line, or names with commas"
        )
        raise DataError(msg)
    return named_labels(names)
