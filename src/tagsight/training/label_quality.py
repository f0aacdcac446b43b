"""Quality of each label on the validation split, and the labels to look at first."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from tagsight.metrics.measured_labels import FEW
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content, csv_line, printable
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE = "validation.csv"
"""Name of the file in a run folder."""

HEAD = ("label", "AP", "validation photos", "training photos")

FEW_TO_LEARN = 50
"""Training photos below which more of them are the first thing to try."""


class LabelQuality(NamedTuple):
    """A label on the validation split, as the kept epoch recognises it.

    Attributes:
        name: The label.
        average_precision: In percent; None where it is not defined.
        photos: Validation photos with the label.
        trained: Training photos with the label.
    """

    name: str
    average_precision: float | None
    photos: int
    trained: int

    def advice(self) -> str:
        """Give the reason to look at the label in a few words.

        Example:
            >>> LabelQuality("heron", 12.3, 40, 6).advice()
            'heron: AP 12.3; only 6 training photos, label more'
            >>> LabelQuality("dog", 31.0, 9, 300).advice()
            'dog: AP 31.0 on only 9 val photos despite 300 training photos; see its mistakes'
        """
        score = "-" if self.average_precision is None else f"{self.average_precision:.1f}"
        if self.trained < FEW_TO_LEARN:
            why = f"; only {amount(self.trained, 'training photo')}, label more"
        else:
            why = f" despite {amount(self.trained, 'training photo')}; see its mistakes"
        little = f" on only {amount(self.photos, 'val photo')}" if self.photos < FEW else ""
        return f"{printable(self.name)}: AP {score}{little}{why}"


def write_quality(folder: Path, labels: Iterable[LabelQuality]) -> None:
    """Write ``validation.csv`` into a run folder, a line for each label.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_quality(Path(folder), [LabelQuality("dog", 90.0, 40, 500)])
        ...     print((Path(folder) / FILE).read_text().strip())
        label,AP,validation photos,training photos
        dog,90.0,40,500
    """
    lines = [csv_line(HEAD)]
    lines += [
        csv_line(["" if value is None else value for value in (name, _rounded(score), *counts)])
        for name, score, *counts in labels
    ]
    write_atomically(folder / FILE, "".join(lines))


def read_quality(folder: Path) -> list[LabelQuality]:
    """Read ``validation.csv`` of a run folder; nothing if there is none, or another file.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_quality(Path(folder), [LabelQuality("dog", 90.0, 40, 500)])
        ...     read_quality(Path(folder))
        [LabelQuality(name='dog', average_precision=90.0, photos=40, trained=500)]
    """
    file = folder / FILE
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        head, *rows = [*csv.reader(lines)] or [[]]
    if tuple(head) != HEAD:
        return []
    try:
        return [
            LabelQuality(csv_content(name), float(score) if score else None, int(a), int(b))
            for name, score, a, b in rows
        ]
    except ValueError:  # edited by hand
        return []


def labels_to_look_at(labels: Sequence[LabelQuality], most: int = 3) -> list[LabelQuality]:
    """Choose the labels with the lowest average precision.

    Args:
        labels: All labels; those whose average precision is not defined are not chosen.
        most: Labels to choose.

    Example:
        >>> labels = [LabelQuality("dog", 90.0, 40, 500), LabelQuality("cat", 20.0, 30, 9)]
        >>> [label.name for label in labels_to_look_at(labels, most=1)]
        ['cat']
    """
    known = [(one.average_precision, one) for one in labels if one.average_precision is not None]
    return [one for _, one in sorted(known, key=lambda pair: pair[0])[:most]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
