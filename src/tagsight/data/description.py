"""Summary of a collection: its counts, and warnings about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.counting import photos_with, photos_with_both, photos_without_any
from tagsight.data.literature.published_counts import Comparison, compare
from tagsight.data.photos.check import Check, Problem
from tagsight.data.rules.problems import LabelProblem, label_problems, problem_lines
from tagsight.data.splits.grouping import Leak, leaks
from tagsight.data.splits.near_twins import copies, near_twins, united
from tagsight.runtime.amounts import agreeing, amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.annotations import Annotations


class Pair(NamedTuple):
    """Two labels that occur together.

    Attributes:
        first: A label.
        second: Another label.
        together: Photos with both.
        second_given_first: Share of the photos with the first label that have the second.
        first_given_second: Share of the photos with the second label that have the first.
    """

    first: str
    second: str
    together: int
    second_given_first: float
    first_given_second: float


@dataclass(frozen=True)
class Description:
    """Summary of a collection in plain values.

    Attributes:
        format: Name of the reader.
        comparisons: Its counts beside published ones.
        checked: Whether the photos were opened; otherwise problems and duplicates are empty.
        photos: Number of rows.
        labels: Number of labels.
        labels_per_photo: Mean number of labels that are present.
        splits: Number of rows of each split; empty without splits.
        counts: For each label, number of photos in which it is present: ``all``, and each split.
        pairs: The pairs that occur together most, the most frequent first.
        unlabelled: Number of photos in which no label is present.
        unknown: Number of unknown targets.
        label_problems: Suspicions about labels (`tagsight.data.rules.problems`).
        problems: Photos that cannot be used.
        duplicates: Groups of photos with equal content.
        twins: Groups of photos that look alike (`tagsight.data.splits.near_twins`).
        leaks: Photos with a copy or a near twin in ``train``, by split.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths, targets = (Path("a.jpg"), Path("b.jpg")), torch.tensor([[1, 1], [1, 0]])
        >>> found = describe(Annotations(("dog", "sky"), paths, targets, ("train", "test"), "any"))
        >>> found.lines()[1]
        '2 photos (1 train, 1 test), 2 labels, 1.50 labels per photo'
        >>> found.as_dict()["counts"]["dog"]
        {'all': 2, 'train': 1, 'test': 1}
    """

    format: str
    comparisons: tuple[Comparison, ...]
    checked: bool
    photos: int
    labels: int
    labels_per_photo: float
    splits: dict[str, int]
    counts: dict[str, dict[str, int]]
    pairs: tuple[Pair, ...]
    unlabelled: int
    unknown: int
    label_problems: tuple[LabelProblem, ...]
    problems: tuple[Problem, ...]
    duplicates: tuple[tuple[Path, ...], ...]
    twins: tuple[tuple[Path, ...], ...]
    leaks: tuple[Leak, ...]

    @property
    def without_positive(self) -> list[str]:
        """Labels that no training photo has."""
        return [one.labels[0] for one in self.label_problems if one.kind == "untrained"]

    @property
    def inseparable(self) -> list[list[str]]:
        """Groups of labels that only occur together."""
        return [list(one.labels) for one in self.label_problems if one.kind == "inseparable"]

    def as_dict(self) -> dict[str, object]:
        """Return the summary as values for JSON."""
        return asdict(self) | {
            "without_positive": self.without_positive,
            "inseparable": self.inseparable,
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
            "pairs": [pair._asdict() for pair in self.pairs],
            "label_problems": [problem._asdict() for problem in self.label_problems],
            "problems": [{"path": str(path), "reason": reason} for path, reason in self.problems],
            "duplicates": [[str(path) for path in group] for group in self.duplicates],
            "twins": [[str(path) for path in group] for group in self.twins],
            "leaks": [leak._asdict() for leak in self.leaks],
        }

    def lines(
        self,
        most: int = 10,
        *,
        all_in: str = "as_dict() lists them all",
        with_label_problems: bool = True,
        spelled: Callable[[str], str] = str,
    ) -> list[str]:
        """Return the summary as lines of plain text.

        Args:
            most: Number of warnings of a kind to list.
            all_in: Says where all warnings are listed.
            with_label_problems: Whether suspicions about labels are among the warnings.
            spelled: Spells the arguments named in reasons, which are messages of the library.
        """
        suspicions = problem_lines(self.label_problems, most, all_in) if with_label_problems else []
        warnings = [*suspicions, *self._warnings(most, all_in, spelled)]
        splits = ", ".join(f"{size:,} {split}" for split, size in self.splits.items())
        width = max(map(len, self.counts))
        columns = ["all", *self.splits]
        return [
            f"format {self.format}",
            *(line for comparison in self.comparisons for line in comparison.lines()),
            f"{amount(self.photos, 'photo')} ({splits or 'no split'}), "
            f"{amount(self.labels, 'label')}, {self.labels_per_photo:.2f} labels per photo",
            f"{amount(self.unlabelled, 'photo')} without a label, "
            f"{amount(self.unknown, 'unknown target')}",
            self._photo_line(),
            "",
            " ".join([" " * width, *(f"{column:>8}" for column in columns)]),
            *(
                " ".join([f"{name:{width}}", *(f"{count[column]:8,}" for column in columns)])
                for name, count in self.counts.items()
            ),
            *self._pair_lines(),
            *(["", *warnings] if warnings else []),
        ]

    def _photo_line(self) -> str:
        if not self.checked:
            return "the labels only: photos were not opened"
        problems, duplicates = len(self.problems), len(self.duplicates)
        there = f"{duplicates:,} {agreeing(duplicates, 'lies')} there twice or more"
        return f"{amount(problems, 'photo')} cannot be used, {there}"

    def _pair_lines(self) -> list[str]:
        lines = [
            f"{pair.first} and {pair.second}: {amount(pair.together, 'photo')}; "
            f"P({pair.second} given {pair.first}) {pair.second_given_first:.2f}, "
            f"P({pair.first} given {pair.second}) {pair.first_given_second:.2f}"
            for pair in self.pairs
        ]
        return ["", "most often together", *lines] if lines else []

    def _warnings(self, most: int, all_in: str, spelled: Callable[[str], str]) -> list[str]:
        kinds = {
            "photos that cannot be used": [
                f"{path}: {spelled(reason)}" for path, reason in self.problems
            ],
            "photos that are there several times": [
                f"the same photo {len(group)} times: {_listed(group, most)}"
                for group in self.duplicates
            ],
            "groups of photos that look alike": [
                f"{amount(len(group), 'photo')} look alike: {_listed(group, most)}"
                for group in self.twins
            ],
        }
        lines: list[str] = []
        for kind, warnings in kinds.items():
            lines += warnings[:most]
            if len(warnings) > most:
                lines.append(f"{len(warnings) - most:,} more {kind}; {all_in}")
        return [*lines, *(leak.sentence() for leak in self.leaks)]


def describe(
    annotations: Annotations,
    check: Check | None = None,
    *,
    most: int = 10,
    twins: Sequence[tuple[Path, ...]] | None = None,
    problems: Sequence[LabelProblem] | None = None,
) -> Description:
    """Summarise a collection.

    Args:
        annotations: The rows.
        check: Result of `check_photos`, for problems and duplicates; None to leave them out.
        most: Number of pairs to list.
        twins: Groups of photos that look alike; by default those of `near_twins`.
        problems: Suspicions about labels; by default those of `label_problems`.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("a.jpg"), Path("b.jpg"))
        >>> rows = Annotations(("dog", "sky"), paths, torch.tensor([[1, 1], [0, -1]]), None, "any")
        >>> found = describe(rows)
        >>> found.labels_per_photo, found.unlabelled, found.unknown
        (1.0, 1, 1)
    """
    targets = annotations.targets
    counts = {"all": photos_with(targets)} | {
        split: photos_with(targets, rows=annotations.are_in(split))
        for split in annotations.split_sizes
    }
    twins = tuple(near_twins(check) if check and twins is None else twins or ())
    same = copies(check) if check else ()
    together = photos_with_both(targets)
    return Description(
        format=annotations.format,
        comparisons=compare(annotations),
        checked=check is not None,
        photos=len(annotations),
        labels=len(annotations.names),
        labels_per_photo=sum(counts["all"]) / max(len(annotations), 1),
        splits=annotations.split_sizes,
        counts={
            name: {key: count[column] for key, count in counts.items()}
            for column, name in enumerate(annotations.names)
        },
        pairs=tuple(_pairs(annotations.names, together, most)),
        unlabelled=photos_without_any(targets),
        unknown=sum(photos_with(targets, -1)),
        label_problems=label_problems(annotations) if problems is None else tuple(problems),
        problems=check.problems if check else (),
        duplicates=same,
        twins=twins,
        leaks=leaks(annotations, united(twins, same)),
    )


def _pairs(names: tuple[str, ...], together: Tensor, most: int) -> list[Pair]:
    own = together.diagonal()
    pairs = together.triu(1).flatten()
    counts, order = pairs.sort(descending=True, stable=True)
    found = []
    for count, index in zip(counts[:most].tolist(), order[:most].tolist(), strict=True):
        first, second = divmod(index, len(names))
        if count:
            shares = count / own[first].item(), count / own[second].item()
            found.append(Pair(names[first], names[second], count, *shares))
    return found


def _listed(paths: tuple[Path, ...], most: int) -> str:
    text = ", ".join(map(str, paths[:most]))
    return f"{text} and {len(paths) - most:,} more" if len(paths) > most else text
