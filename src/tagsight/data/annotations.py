"""Annotations: which labels are present in which photos."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.data.rules.problems import lookalikes
from tagsight.data.source import clean_name
from tagsight.data.splits.grouping import Grouping
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.data.data_file import DataFile
    from tagsight.data.rules.application import Contradiction
    from tagsight.data.rules.rules import LabelRules

SPLITS = ("train", "val", "test")

LARGEST_TABLE = 4 * 2**30
"""Most targets of one source, a byte each."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """Labels of ``N`` photos; the photos stay on disk.

    Args:
        names: The ``L`` labels; surrounding and repeated white space is removed.
        paths: The ``N`` photos.
        targets: ``(N, L)`` int8, 1 present, 0 absent, -1 unknown.
        splits: ``train``, ``val`` or ``test`` for each row, or None if the source has no split.
        format: Name of the reader.
        root: Folder that relative names start from, so that names do not depend on the machine; by
            default the deepest folder that holds all photos. Subsets keep it.
        protocol: Name of the protocol that was used for reading (`read_protocol`).
        groups: Group of each row, from a column of the source; a group gets one split.
        grouping: What else keeps rows on one side of a split.
        lists_present: Whether the source lists what is present, so that 0 says no more than that a
            label is not listed.
        rejected: Photos and labels of the targets 0 that the source states all the same.
        rules: The `LabelRules` that were applied.
        contradictions: Photos whose labels contradict the rules.
        left_out: Labels of the source that were removed by the rules.
        unmatched: Labels of the source that were dropped by `matched_to`.
        unused: Columns or the like of the source that were not used as labels.
        origin: The file or folder that was read, and how.
        without_photos: Whether none of the photos was found, which `labels_only` accepts.

    Raises:
        DataError: If shapes disagree, a name is empty or repeated, or a value is not valid.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> paths = (Path("photos/a.jpg"), Path("photos/b.jpg"))
        >>> targets = torch.tensor([[1, 0], [-1, 1]])
        >>> rows = Annotations(("dog", "sky"), paths, targets, ("train", "test"), "csv-columns")
        >>> len(rows), rows.split_sizes, rows.relative_names
        (2, {'train': 1, 'test': 1}, ('a.jpg', 'b.jpg'))
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    targets: Tensor
    splits: tuple[str, ...] | None
    format: str
    root: Path | None = None
    protocol: str | None = None
    groups: tuple[str, ...] | None = None
    grouping: Grouping = Grouping()
    lists_present: bool = False
    rejected: frozenset[tuple[Path, str]] = frozenset()
    rules: LabelRules | None = None
    contradictions: tuple[Contradiction, ...] = ()
    left_out: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    origin: DataFile | None = None
    without_photos: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(clean_name(name) for name in self.names))
        self._check_names()
        self._check_targets()
        self._check_splits()
        object.__setattr__(self, "targets", self.targets.to(torch.int8))
        if self.root is None and self.paths:
            folders = {path.parent for path in self.paths}
            common = os.path.commonpath([folder.absolute() for folder in folders])
            object.__setattr__(self, "root", Path(common))

    def _check_names(self) -> None:
        if not self.names:
            msg = "expected at least one label, got none"
            raise DataError(msg)
        if "" in self.names:
            msg = f"expected a name for every label, got an empty one among {list(self.names)!r}"
            raise DataError(msg)
        if repeated := sorted(name for name, count in Counter(self.names).items() if count > 1):
            msg = f"expected each label once, got {repeated!r} more than once"
            raise DataError(msg)

    def _check_targets(self) -> None:
        expected = (len(self.paths), len(self.names))
        if self.targets.shape != expected:
            msg = (
                "expected a target for each photo and label, "
                f"shape {expected}, got shape {tuple(self.targets.shape)}"
            )
            raise DataError(msg)
        if self.targets.dtype == torch.int8 and self.targets.numel():
            least, most = self.targets.aminmax()  # without a table of truth values
            if least >= -1 and most <= 1:
                return
        known = (self.targets == 1) | (self.targets == 0) | (self.targets == -1)
        if not known.all():
            row, column = (int(index) for index in (~known).nonzero()[0])
            msg = (
                f"expected targets 1, 0 or -1, got {self.targets[row, column].item()!r} "
                f"for label {self.names[column]!r} of {self.paths[row]}"
            )
            raise DataError(msg)

    def _check_splits(self) -> None:
        if self.splits is None:
            return
        if len(self.splits) != len(self.paths):
            msg = f"expected a split for each photo, {len(self.paths)}, got {len(self.splits)}"
            raise DataError(msg)
        if strange := sorted(set(self.splits) - set(SPLITS)):
            msg = f"expected the splits 'train', 'val' and 'test', got {strange!r}"
            raise DataError(msg)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def split_sizes(self) -> dict[str, int]:
        """Number of rows of each split that has any, in the order train, val, test."""
        counts = Counter(self.splits or ())
        return {split: counts[split] for split in SPLITS if counts[split]}

    def are_in(self, split: str) -> Tensor:
        """Return which rows are of a split, ``(N,)`` bool."""
        splits = self.splits or ()
        return torch.from_numpy(np.fromiter((name == split for name in splits), bool, len(splits)))

    def rows(self, split: str) -> Annotations:
        """Return the rows of one split.

        Raises:
            DataError: If there are none.
        """
        indices = [i for i, name in enumerate(self.splits or ()) if name == split]
        if not indices:
            sizes = ", ".join(f"{size} {name}" for name, size in self.split_sizes.items())
            there = [name for name in self.split_sizes if name != "train"] or ["train"]
            named = " or ".join(f"`split={name}`" for name in there)
            msg = (
                f"expected photos of the split {split!r}, got {sizes or 'no split at all'}"
                f"{f'; give {named}' * bool(sizes)}"
            )
            raise DataError(msg)
        return self.select(indices)

    def labelled(self) -> Annotations:
        """Return the rows in which a label is known to be present.

        Raises:
            DataError: If there are none.
        """
        rows = (self.targets.amax(1) == 1).nonzero().flatten()
        if not len(rows):
            msg = f"expected photos with a label, got none among {len(self):,}"
            raise DataError(msg)
        return self.select(rows)

    def judged(self) -> Annotations:
        """Return the rows in which a label is known to be present or absent.

        Raises:
            DataError: If there are none.
        """
        rows = (self.targets.amax(1) != -1).nonzero().flatten()
        if not len(rows):
            msg = f"expected photos with a known label, got none among {len(self):,}"
            raise DataError(msg)
        return self if len(rows) == len(self) else self.select(rows)

    def unjudged(self) -> Annotations:
        """Return the rows in which no label is known to be present or absent, possibly none."""
        return self.select((self.targets.amax(1) == -1).nonzero().flatten())

    def select(self, indices: Sequence[int] | Tensor) -> Annotations:
        """Return some rows, in the order of their indices."""
        chosen = torch.as_tensor(indices, dtype=torch.long)
        rows = chosen.tolist()
        return replace(
            self,
            paths=tuple(self.paths[i] for i in rows),
            targets=self.targets[chosen],
            splits=None if self.splits is None else tuple(self.splits[i] for i in rows),
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )

    def with_splits(self, splits: Sequence[str]) -> Annotations:
        """Return the same rows with other splits."""
        return replace(self, splits=tuple(splits))

    def matched_to(self, names: Sequence[str]) -> Annotations:
        """Return the same rows with the labels of a model, matched by name.

        Args:
            names: The model's labels. Targets of labels that are missing here become unknown;
                labels that are not among ``names`` are dropped and listed in ``unmatched``.

        Raises:
            DataError: If no label is in common.

        Example:
            >>> import torch
            >>> from pathlib import Path
            >>> targets = torch.tensor([[1, 0]])
            >>> rows = Annotations(("dog", "sky"), (Path("a.jpg"),), targets, None, "any")
            >>> matched = rows.matched_to(["cat", "dog"])
            >>> matched.targets.tolist(), matched.unmatched
            ([[-1, 1]], ('sky',))
        """
        columns = {name: column for column, name in enumerate(self.names)}
        wanted = [clean_name(name) for name in names]
        pairs = [(to, columns[name]) for to, name in enumerate(wanted) if name in columns]
        if not pairs:
            msg = (
                f"expected labels of the model, such as {wanted[:3]!r}, "
                f"got others, such as {list(self.names[:3])!r}"
            )
            if hint := lookalikes(self.names, wanted):
                msg += f": {hint}"
            raise DataError(msg)
        targets = self.targets.new_full((len(self), len(wanted)), -1)
        to, source = zip(*pairs, strict=True)
        targets[:, list(to)] = self.targets[:, list(source)]
        dropped = tuple(name for name in self.names if name not in set(wanted))
        unmatched = (*self.unmatched, *dropped)
        return replace(self, names=tuple(wanted), targets=targets, unmatched=unmatched)

    @property
    def relative_names(self) -> tuple[str, ...]:
        """Path of each photo below ``root``, with forward slashes: equal on every machine."""
        if self.root is None:
            return ()
        below = {folder: "/".join((*parts, "")) for folder, parts in self.relative_folders.items()}
        return tuple(f"{below[path.parent]}{path.name}" for path in self.paths)

    @property
    def relative_folders(self) -> dict[Path, tuple[str, ...]]:
        """Names of the folders from ``root`` to each folder with photos."""
        if self.root is None:
            return {}
        root = self.root.absolute()
        folders = {path.parent for path in self.paths}
        return {folder: folder.absolute().relative_to(root).parts for folder in folders}

    def hash(self) -> str:
        """Return the hexadecimal SHA-256 of names, relative paths, targets and splits."""
        table = hashlib.sha256(self.targets.contiguous().numpy().tobytes()).hexdigest()
        content = [self.names, self.relative_names, table, self.splits]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def target_table(photos: int, labels: int, *, value: int, source: Path | str) -> Tensor:
    """Create a ``(photos, labels)`` int8 table of targets, filled with one value.

    Raises:
        DataError: If it would be empty or unreasonably large.

    Example:
        >>> target_table(1, 3, value=0, source="labels.csv").tolist()
        [[0, 0, 0]]
    """
    if not photos or not labels:
        msg = (
            f"expected photos and labels in {source}, got "
            f"{amount(photos, 'photo')} and {amount(labels, 'label')}"
        )
        raise DataError(msg)
    if photos * labels > LARGEST_TABLE:
        msg = (
            f"expected at most {LARGEST_TABLE:,} targets in {source}, got "
            f"{amount(photos, 'photo')} with {amount(labels, 'label')}; "
            "are these labels, or free text?"
        )
        raise DataError(msg)
    return torch.full((photos, labels), value, dtype=torch.int8)
