"""Label counts for commands: counted in labels of photos, or read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tagsight.commands.reading import Reading
    from tagsight.labels.space import LabelSpace


def label_space(data: Path, reading: Reading) -> LabelSpace:
    """Count the labels of the training photos, or of all if there is no split, or read counts.

    Args:
        data: Labels of photos, or an ``.npz`` file of counts.
        reading: Options for reading labels of photos.

    Example:
        >>> from tagsight.commands.reading import Reading
        >>> counted = label_space(Path("labels.csv"), Reading())
        >>> counted.names, counted.cooccurrence.tolist()
        (('dog', 'sky'), [[8, 4], [4, 8]])
    """
    from tagsight.labels.counts import read_counts
    from tagsight.labels.space import LabelSpace

    if data.suffix.lower() == ".npz":
        return read_counts(data)
    annotations = reading.read(data, labels_only=True, write_photos=False)
    if "train" in annotations.split_sizes:
        annotations = annotations.rows("train")
    return LabelSpace.from_targets(annotations.names, annotations.targets)
