"""Tags that people give to photos, and the labels that they make.

A tag may be a path of a hierarchy, ``animal/dog``. Programs write it as a path, as its last level,
or as both, and people are not equally specific on every photo. A tag never makes another label
absent that it may stand for: what is open stays unknown.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Labelled
from tagsight.data.tables.bare_marks import is_dash, warn_of_bare_marks
from tagsight.data.tags.authors import PhotoTags
from tagsight.data.tags.text import at_level, leaf, levels, same
from tagsight.errors import DataError
from tagsight.runtime.amounts import agreeing, amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set
    from pathlib import Path

    from tagsight.data.format import Level

UNLISTED = 0
"""Target of a label that a photo with tags does not have: absent."""

logger = logging.getLogger(__name__)


def least_photos(tagged: int) -> int:
    """Return the fewest photos with a tag that make it a label, of a number of photos with tags.

    People give many tags once or twice. Large collections have so many of them that a model of all
    would mostly consist of labels it cannot know: those on one photo, or on fewer than one in 500,
    up to 10. Below 100 photos all are kept.

    Example:
        >>> [least_photos(tagged) for tagged in (99, 100, 2_000, 100_000)]
        [1, 2, 4, 10]
    """
    return 1 if tagged < 100 else min(10, max(2, tagged // 500))


def labelled_by_tags(
    source: Path, photos: Sequence[Path], tags: Sequence[PhotoTags], level: Level = "path"
) -> Labelled:
    """Make labels of the tags that people gave to photos, sorted alphabetically.

    - A photo without a tag by a person is unknown for all labels, except those it has lost.
    - A label that a photo with tags does not have is absent (`UNLISTED`), unless it is unsure.
    - Labels above a given path are present; labels below one are unknown, unless a tag below it is
      given: ``animal`` does not say whether it is a dog.
    - A word without a path counts as the only path that has it as a level: ``dog`` as
      ``animal/dog``. If several have it, it is a label of its own and these are unknown.
    - A dash, an arrow or the like is no tag.

    Args:
        source: The folder, from which names of photos start.
        photos: The ``N`` photos.
        tags: The tags of each.
        level: Part of a path that makes a label: ``path``, its last level (``leaf``), or the number
            of levels from the root.

    Returns:
        All labels; readers leave out those with fewer photos than `least_photos`.

    Raises:
        DataError: If no photo has a tag that a person gave.

    Example:
        >>> from pathlib import Path
        >>> tags = [PhotoTags(frozenset({"animal/dog"})), PhotoTags(frozenset({"sky"})),
        ...         PhotoTags()]
        >>> rows = labelled_by_tags(Path("."), [Path(f"{i}.jpg") for i in range(3)], tags)
        >>> rows.names, rows.targets.tolist()
        (('animal/dog', 'sky'), [[1, 0], [0, 1], [-1, -1]])
    """
    given = frozenset[str]().union(*(one.given for one in tags))
    if bare := frozenset(filter(is_dash, given)):
        warn_of_bare_marks(source, sorted(bare), given - bare)
        tags = [one._replace(given=one.given - bare) for one in tags]
    words = _Words(given - bare, level)
    resolved = [words.resolved(one) for one in tags]
    names = tuple(sorted(frozenset[str]().union(*(one.given for one in resolved))))
    if not names:
        msg = f"expected tags by a person in {source}, got none on {amount(len(photos), 'photo')}"
        if unsure := sum(bool(one.unsure) for one in tags):
            has = agreeing(unsure, "has")
            msg += (
                f"; {amount(unsure, 'photo')} {has} tags that nobody confirmed: 'tagsight confirm'"
            )
        if any(photo.parent != source for photo in photos):
            msg += "; if the names of its folders are labels, give `format=label-folders`"
        raise DataError(msg)
    column = {name: index for index, name in enumerate(names)}
    below = _below(names)
    targets = target_table(len(photos), len(names), value=-1, source=source)
    tagged = [row for row, one in enumerate(resolved) if one.given]
    targets[tagged] = UNLISTED
    marks = [
        (row, column[name], mark)
        for row, one in enumerate(resolved)
        for name, mark in _marks(one, below).items()
        if name in column
    ]
    rows, columns, values = zip(*marks, strict=True)
    targets[list(rows), list(columns)] = torch.tensor(values, dtype=torch.int8)
    words.log_completed(source)
    return Labelled(
        source,
        names,
        tuple(photos),
        targets,
        root=source,
        lists_present=True,
        rejected=frozenset((row, names[place]) for row, place, mark in marks if mark == 0),
        min_photos=least_photos(len(tagged)),
    )


class _Words:
    """Finds the paths that words without a path stand for.

    Args:
        names: All tags of a collection.
        level: Part of a path that makes a label.
    """

    def __init__(self, names: Iterable[str], level: Level) -> None:
        self._level = level
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        for name in names:
            if "/" in name:
                for path in levels(name):
                    self._paths[same(leaf(path))].add(path)
        self._completed: Counter[tuple[str, str]] = Counter()

    def resolved(self, tags: PhotoTags) -> PhotoTags:
        """Complete the tags of a photo to paths, and take the part of each that makes a label."""
        given, doubtful = self._complete(tags.given)
        unsure, others = self._complete(tags.unsure)
        rejected, _ = self._complete(tags.rejected)
        for name in given - tags.given:
            self._completed[leaf(name), name] += 1
        return PhotoTags(
            self._cut(given), self._cut(unsure | doubtful | others), self._cut(rejected)
        )

    def _complete(self, names: Set[str]) -> tuple[set[str], set[str]]:
        """Return the tags as paths, and the paths that ambiguous words may stand for."""
        complete = {name for name in names if "/" in name}
        parts = {same(part) for name in complete for part in name.split("/")}
        doubtful: set[str] = set()
        for word in names - complete:
            paths = self._paths.get(same(word), set())
            if len(paths) == 1:
                complete |= paths if same(word) not in parts else set()
            elif same(word) not in parts:
                complete.add(word)
                doubtful |= paths
        return complete, doubtful

    def _cut(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(at_level(name, self._level) for name in names)

    def log_completed(self, source: Path) -> None:
        """Log which words were completed."""
        if self._completed:
            (word, path), photos = self._completed.most_common(1)[0]
            logger.info(
                "%s: %s without a path read as the only path with this word, such as %r as %r on "
                "%s; `level` leaf takes the words alone",
                source,
                amount(len(self._completed), "tag"),
                word,
                path,
                amount(photos, "photo"),
            )


def _below(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Map each label to the labels below it."""
    below: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        for above in levels(name)[:-1]:
            below[above].append(name)
    return below


def _marks(tags: PhotoTags, below: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the targets of a photo that are not those of an unlisted label; the later hold."""
    marks: dict[str, int] = {}
    above_given = {above for name in tags.given for above in levels(name)[:-1]}
    for name in tags.given - above_given:
        marks |= dict.fromkeys(below.get(name, ()), -1)
    for name in tags.unsure:
        marks |= dict.fromkeys(levels(name), -1)
    for name in tags.rejected:
        marks |= dict.fromkeys((name, *below.get(name, ())), 0)
    for name in tags.given:
        marks |= dict.fromkeys(levels(name), 1)
    return marks
