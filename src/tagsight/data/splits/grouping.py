"""Groups of photos that stay on one side of a split: folders, sessions, columns, near twins."""

from __future__ import annotations

import logging
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.splits.near_twins import joined_groups
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.check import Check

FOLDER, SESSION, NEAR_TWINS = "folder", "session", "near-twins"
ENCODER_TWINS = "encoder-twins"
NAMED = frozenset({FOLDER, SESSION, NEAR_TWINS, ENCODER_TWINS})
SESSION_MINUTES = 30.0

logger = logging.getLogger(__name__)


class Grouping(NamedTuple):
    """Groups of photos that stay on one side of a split.

    Attributes:
        by: ``folder``: the folder of the photo; ``session``: photos of one camera, each taken
            within ``session_minutes`` of the one before; ``near-twins``: photos that look alike;
            ``encoder-twins``: these, and those that look alike to an encoder; anything else: the
            column of this name in a table. Several apply together.
        session_minutes: Longest pause within a session, in minutes.

    Example:
        >>> Grouping(("session", "patient")).column, Grouping(("folder",)).column
        ('patient', None)
    """

    by: tuple[str, ...] = ()
    session_minutes: float = SESSION_MINUTES

    @property
    def column(self) -> str | None:
        """Column of a table whose cells are groups.

        Raises:
            DataError: If there are several.
        """
        columns = [name for name in self.by if name not in NAMED]
        if len(columns) > 1:
            msg = f"expected one column of a table as `group`, got {columns!r}"
            raise DataError(msg)
        return columns[0] if columns else None


def split_groups(
    annotations: Annotations, check: Check, twins: Sequence[Sequence[Path]] = ()
) -> dict[Path, Hashable]:
    """Return the group of each photo: photos of one group get the same split.

    Photos of equal content are always together, and what `Annotations.grouping` names.

    Args:
        annotations: The rows.
        check: Result of `check_photos`.
        twins: Groups of photos that look alike, which are kept together if ``grouping`` says so.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.data.photos.check import Check
        >>> paths = (Path("a/1.jpg"), Path("a/2.jpg"), Path("b/1.jpg"))
        >>> rows = Annotations(
        ...     ("dog",), paths, torch.ones(3, 1), None, "any", grouping=Grouping(("folder",))
        ... )
        >>> list(split_groups(rows, Check((), {})).values())
        [0, 0, 2]
    """
    joined = joined_groups(range(len(annotations)), _pairs(annotations, check, twins))
    return {path: joined[row] for row, path in enumerate(annotations.paths)}


def _pairs(
    annotations: Annotations, check: Check, twins: Sequence[Sequence[Path]]
) -> Iterator[tuple[int, int]]:
    paths, by = annotations.paths, annotations.grouping.by
    yield from _equal([check.hashes.get(path, path) for path in paths])
    if annotations.groups is not None:
        yield from _equal(annotations.groups)
    if FOLDER in by:
        yield from _equal([path.parent for path in paths])
    if SESSION in by:
        yield from _of_sessions(paths, check, 60 * annotations.grouping.session_minutes)
    if NEAR_TWINS in by or ENCODER_TWINS in by:
        first = {path: group[0] for group in twins for path in group}
        yield from _equal([first.get(path, path) for path in paths])


def _equal(keys: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    first: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if (before := first.setdefault(key, row)) != row:
            yield before, row


def _of_sessions(paths: Sequence[Path], check: Check, pause: float) -> Iterator[tuple[int, int]]:
    """Yield rows that follow each other within a pause, in seconds, on one camera."""
    cameras: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for row, path in enumerate(paths):
        traits = check.traits.get(path)
        if traits is not None and traits.taken is not None:
            cameras[traits.camera].append((traits.taken, row))
    known = sum(map(len, cameras.values()))
    if known < len(paths):
        logger.warning(
            "%s without a time in Exif: each is a session of its own",
            amount(len(paths) - known, "photo"),
        )
    for taken in cameras.values():
        for (before, one), (after, other) in pairwise(sorted(taken)):
            if after - before <= pause:
                yield one, other


class Leak(NamedTuple):
    """Photos of a split that have a copy or a near twin in an earlier one.

    Attributes:
        split: ``val`` or ``test``.
        photos: Number of such photos.
        of: Number of photos of the split.
    """

    split: str
    photos: int
    of: int

    def sentence(self) -> str:
        """Write it in a sentence.

        Example:
            >>> Leak("test", 3, 25).sentence()
            '12 % of test photos (3 of 25) have a near twin or copy in train'
        """
        share = 100 * self.photos / self.of
        percent = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
        return (
            f"{percent} % of {self.split} photos ({self.photos:,} of {self.of:,}) have a near "
            "twin or copy in train"
        )


def leaks(annotations: Annotations, twins: Sequence[Sequence[Path]]) -> tuple[Leak, ...]:
    """Count the photos of ``val`` and ``test`` that have a copy or a near twin in ``train``.

    Args:
        annotations: Rows with splits.
        twins: The groups of `near_twins`, and of copies.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> paths = (Path("1.jpg"), Path("2.jpg"))
        >>> rows = Annotations(("dog",), paths, torch.ones(2, 1), ("train", "test"), "any")
        >>> [leak.sentence() for leak in leaks(rows, [paths])]
        ['100 % of test photos (1 of 1) have a near twin or copy in train']
    """
    if not twins or annotations.splits is None:
        return ()
    splits = dict(zip(annotations.paths, annotations.splits, strict=True))
    counts = {"val": 0, "test": 0}
    for group in twins:
        sides = [splits.get(path) for path in group]
        if "train" in sides:
            for split in counts:
                counts[split] += sides.count(split)
    sizes = annotations.split_sizes
    return tuple(Leak(split, count, sizes[split]) for split, count in counts.items() if count)
