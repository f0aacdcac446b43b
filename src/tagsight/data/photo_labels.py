"""Labels that a source states photo by photo, and the table that they make."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from tagsight.data.annotations import target_table
from tagsight.data.format import Labelled
from tagsight.data.tables.bare_marks import is_bare_mark, warn_of_bare_marks
from tagsight.data.tables.names import SPLIT_NAMES, key_of
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

UNFINISHED = frozenset(
    {"new", "notstarted", "skipped", "inprogress", "autolabelled", "autolabeled"}
)
"""States of photos that nobody has finished, as annotation tools call them."""


class PhotoLabels(NamedTuple):
    """The labels of one photo, as a source states them.

    Attributes:
        photo: The photo as the source names it, or its path.
        present: Labels that are present.
        unknown: Labels of which it says that they may be present.
        split: The word for its split, or None.
        absent: Labels of which it says that they are absent; it need not say so of all.
        has_nameless: Whether it has a box, or another shape, without a label. That may be of any
            label, so that those which the photo does not list are unknown.
    """

    photo: str | Path
    present: Collection[str]
    unknown: Collection[str] = ()
    split: str | None = None
    absent: Collection[str] = ()
    has_nameless: bool = False


def is_unfinished(state: object) -> bool:
    """Return whether nobody has finished a photo, by what an annotation tool says of its state.

    Such a photo without labels says nothing about them.

    Example:
        >>> [is_unfinished(state) for state in ("NotStarted", "IN PROGRESS", "Completed", None)]
        [True, True, False, False]
    """
    return key_of(str(state)) in UNFINISHED


def tabulate(
    source: Path | str,
    photos: Sequence[PhotoLabels],
    *,
    names: Iterable[str] = (),
    folders: Sequence[Path] = (),
    root: Path | None = None,
) -> Labelled:
    """Make the table of targets; a label that a photo does not list is absent, or may be so.

    The labels are sorted by name; a mark without a letter or a digit is none. Several entries of
    one photo are united, with a warning.

    Args:
        source: The file or folder, or what errors call it.
        photos: The entries.
        names: Labels that the source declares, also those that no photo has.
        folders: As for `Labelled`.
        root: As for `Labelled`.

    Raises:
        DataError: If there is no photo or no label, some photos have a split and others none, or a
            photo is in two.

    Example:
        >>> photos = [PhotoLabels("a.jpg", ["sky"], ["dog"]), PhotoLabels("b.jpg", [])]
        >>> table = tabulate("labels", photos)
        >>> table.names, table.targets.tolist()
        (('dog', 'sky'), [[-1, 1], [0, 0]])
    """
    stated = set(names).union(*(one.present for one in photos), *(p.unknown for p in photos))
    known = sorted(name for name in stated if not is_bare_mark(name))
    warn_of_bare_marks(source, sorted(stated.difference(known)), known)
    column = {name: index for index, name in enumerate(known)}
    row = {photo: index for index, photo in enumerate(dict.fromkeys(one.photo for one in photos))}
    targets = target_table(len(row), len(known), value=0, source=source)
    table = targets.numpy()
    for value in (-1, 1):  # a label that is present in one object is so, whatever others say
        for one in photos:
            listed = one.unknown if value == -1 else one.present
            table[row[one.photo], [column[name] for name in listed if name in column]] = value
    nameless = sorted({row[one.photo] for one in photos if one.has_nameless})
    if nameless:
        several = table[nameless]
        table[nameless] = np.where(several == 0, -1, several)
        log_nameless(source, len(nameless))
    rejected = frozenset(
        (row[one.photo], name)
        for one in photos
        for name in one.absent
        if name in column and table[row[one.photo], column[name]] == 0
    )
    if repeated := len(photos) - len(row):
        entries = amount(repeated, "further entry")
        logger.warning("%s: %s of the same photos, united with the first", source, entries)
    return Labelled(
        source=source,
        names=tuple(known),
        photos=cast("tuple[str, ...] | tuple[Path, ...]", tuple(row)),
        targets=targets,
        splits=_splits(source, photos),
        folders=tuple(folders),
        root=root,
        lists_present=True,
        rejected=rejected,
    )


def log_confidences(source: Path | str, what: str) -> None:
    """Warn that labels have confidences, as those of a model, which nobody may have looked at.

    Args:
        source: The file.
        what: What has them, in words.

    Example:
        >>> log_confidences("boxes.json", "objects")
    """
    logger.warning(
        "%s: %s have a confidence, as a model gives it; they are read as if a person had "
        "confirmed each of them",
        *(source, what),
    )


def log_nameless(source: Path | str, photos: int) -> None:
    """Log how many photos have boxes without a label.

    Example:
        >>> log_nameless("boxes.xml", 2)  # warns that labels are unknown there
    """
    logger.warning(
        "%s: boxes without a label in %s: labels that are not listed are unknown there",
        source,
        amount(photos, "photo"),
    )


def _splits(source: Path | str, photos: Sequence[PhotoLabels]) -> tuple[str, ...] | None:
    split_of: dict[str | Path, str | None] = {}
    for one in photos:
        split = SPLIT_NAMES.get(one.split.strip().lower()) if one.split else None
        if split_of.setdefault(one.photo, split) != split:
            msg = f"{source}: expected each photo in one split, got {str(one.photo)!r} in two"
            raise DataError(msg)
    words = {one.split for one in photos if one.split}
    if not any(split_of.values()):
        if words:
            shown = ", ".join(sorted(words)[:3])
            logger.info("%s: %s: taken for no split, which is train, val or test", source, shown)
        return None
    if without := next((photo for photo, split in split_of.items() if split is None), None):
        msg = (
            f"{source}: expected every photo in train, val or test, or none, got "
            f"{str(without)!r} in none of them while others are"
        )
        raise DataError(msg)
    return tuple(split for split in split_of.values() if split)
