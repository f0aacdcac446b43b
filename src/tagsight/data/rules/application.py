"""Rules on labels, applied to annotations."""

from __future__ import annotations

import logging
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.data.counting import photos_with
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount, named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.annotations import Annotations
    from tagsight.data.rules.rules import LabelRules

ROWS_AT_ONCE = 2**16

logger = logging.getLogger(__name__)


class Contradiction(NamedTuple):
    """Labels of a photo that cannot all hold; those that are labels became unknown.

    Attributes:
        photo: The photo.
        labels: The labels that the rules contradict, and the `no_finding` name if it is present.
    """

    photo: Path
    labels: tuple[str, ...]


def apply_rules(annotations: Annotations, rules: LabelRules) -> Annotations:
    """Apply rules to the targets of a collection, in the order that `LabelRules` documents.

    Applying the same rules again changes nothing, and neither the order of rows nor that of labels
    matters. Names that the data lack are passed over (`check_rules` refuses them).

    - Of names that are merged one present is enough; the label is absent if all are absent.
    - A label is present if a label that implies it is, and absent if a label that it implies is
      absent, if a photo has another label of its group, or if it has no finding.
    - A label that is both becomes unknown, and the photo is listed in ``contradictions``. Where a
      source lists what is present, its silence contradicts nothing; what it rejects is absent.
    - A label that the data lack and others imply is absent where all those are absent.
    - All other targets stay, unknown ones unknown.

    Args:
        annotations: The rows.
        rules: The rules.

    Raises:
        DataError: If no label is left.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.data.rules.rules import LabelRules
        >>> targets = torch.tensor([[1, 0, -1], [0, 1, 0]])
        >>> paths = (Path("a.jpg"), Path("b.jpg"))
        >>> rows = Annotations(("Dog", "dog", "pet"), paths, targets, None, "any")
        >>> ruled = apply_rules(rows, LabelRules(merge={"dog": ["Dog"]}, implies={"dog": ["pet"]}))
        >>> ruled.names, ruled.targets.tolist(), ruled.contradictions[0].labels
        (('dog', 'pet'), [[1, 1], [-1, -1]], ('dog', 'pet'))
    """
    ruled = _with_unlisted(_merged(annotations, rules), rules)
    ruled = _inferred(_with_parents(ruled, rules), rules)
    counts = photos_with(ruled.targets)
    rare = {
        name: count
        for name, count in zip(ruled.names, counts, strict=True)
        if count < rules.min_photos and name not in rules.drop
    }
    if rare:
        logger.info(
            "%s left out, with fewer than %s: %s",
            amount(len(rare), "label"),
            amount(rules.min_photos, "photo"),
            ", ".join(f"{name!r} {count}" for name, count in list(rare.items())[:10]),
        )
    return replace(_without(ruled, {*rules.drop, *rare}), rules=rules)


def check_rules(annotations: Annotations, rules: LabelRules) -> None:
    """Check that rules fit the data.

    Raises:
        DataError: If a rule is about a label that does not exist (of names to merge one is enough),
            or if ``unlisted`` is to be unknown and the data state themselves what is absent.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.data.rules.rules import LabelRules
        >>> rows = Annotations(("dog",), (Path("1.jpg"),), torch.ones(1, 1), None, "any")
        >>> check_rules(rows, LabelRules(rename={"dog": "hound"}))
    """
    names, final = set(annotations.names), {*map(rules.final_name, annotations.names)}
    parents = {name for above in rules.implies.values() for name in above}
    used = {
        "rename": (rules.rename, names | {*rules.merge}),
        "no_finding": (rules.no_finding, final),
        "implies": (rules.implies, final | parents),
        "one_of": ([name for group in rules.one_of for name in group], final | parents),
        "drop": (rules.drop, final | parents | {*annotations.unused}),
    }
    for option, (mentioned, there) in used.items():
        if missing := [name for name in mentioned if name not in there]:
            raise DataError(_missing(option, missing[0], annotations.names))
    for label, aliases in rules.merge.items():
        if not names.intersection(aliases):
            raise DataError(_missing("merge", (*aliases, label)[0], annotations.names))
    for old, new in rules.rename.items():
        if new in names:
            msg = f'`rename`: {new!r} is a label already; `merge` "{new}={old}" makes them one'
            raise DataError(msg)
    if rules.unlisted == "unknown" and not annotations.lists_present:
        msg = (
            "expected lists of labels for `unlisted=unknown`, got the format "
            f"{annotations.format!r}, which states itself what is absent"
        )
        raise DataError(msg)


def _missing(option: str, name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.0)
    return f"`{option}`: expected a label of the data, such as {near[0]!r}, got {name!r}"


def _merged(annotations: Annotations, rules: LabelRules) -> Annotations:
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(annotations.names):
        columns.setdefault(rules.final_name(name), []).append(column)
    if tuple(columns) == annotations.names:
        return annotations
    rejected = frozenset((path, rules.final_name(name)) for path, name in annotations.rejected)
    targets = annotations.targets.new_empty(len(annotations), len(columns))
    for place, group in enumerate(columns.values()):
        among = annotations.targets[:, group]
        present = (among == 1).any(1)
        targets[:, place] = torch.where(present, 1, among.amin(1)).to(targets.dtype)
    return replace(annotations, names=tuple(columns), targets=targets, rejected=rejected)


def _with_unlisted(annotations: Annotations, rules: LabelRules) -> Annotations:
    targets = annotations.targets
    if annotations.rules is not None and annotations.rules.unlisted == rules.unlisted:
        return annotations  # what is unknown now, is so for other reasons
    if rules.unlisted == "absent":
        return replace(annotations, targets=targets.masked_fill(targets == -1, 0))
    if rules.unlisted == "unknown" and annotations.lists_present:
        unlisted = targets == 0
        unlisted[_rejections(annotations)] = False
        unknown = targets.masked_fill(unlisted, -1)
        return replace(annotations, targets=unknown, lists_present=False)
    return annotations


def _rejections(annotations: Annotations) -> tuple[list[int], list[int]]:
    """Return the rows and columns of targets 0 that a list of what is present states itself."""
    if not annotations.rejected:
        return [], []
    column = {name: index for index, name in enumerate(annotations.names)}
    photos = {path for path, _ in annotations.rejected}
    rows = {path: row for row, path in enumerate(annotations.paths) if path in photos}
    found = [
        (rows[path], column[name])
        for path, name in annotations.rejected
        if path in rows and name in column and annotations.targets[rows[path], column[name]] == 0
    ]
    return [row for row, _ in found], [place for _, place in found]


def _with_parents(annotations: Annotations, rules: LabelRules) -> Annotations:
    """Add the labels that only rules name, absent where all labels that imply them are absent."""
    column = {name: index for index, name in enumerate(annotations.names)}
    added: dict[str, Tensor] = {}
    above = rules.ancestors
    for name in sorted(set().union(*above.values()) - column.keys()):
        below = [
            column[child] for child, names in above.items() if name in names and child in column
        ]
        if below:
            absent = (annotations.targets[:, below] == 0).all(1)
            added[name] = torch.where(absent, 0, -1).to(torch.int8)
    if not added:
        return annotations
    targets = torch.cat([annotations.targets, torch.stack([*added.values()], 1)], 1)
    return replace(annotations, names=(*annotations.names, *added), targets=targets)


def _inferred(annotations: Annotations, rules: LabelRules) -> Annotations:
    if not (rules.no_finding or rules.implies or rules.one_of):
        return annotations
    is_label = torch.tensor([name not in rules.no_finding for name in annotations.names])
    names = tuple(name for name in annotations.names if name not in rules.no_finding)
    if not names:
        msg = f"expected labels besides `no_finding`, got {named(annotations.names)} alone"
        raise DataError(msg)
    targets = annotations.targets[:, is_label]
    nothing = (annotations.targets[:, ~is_label] == 1).any(1)
    links = _links(names, rules)
    rejections = torch.tensor(
        _rejections(replace(annotations, names=names, targets=targets))
    ).long()
    found: list[Contradiction] = []
    for start in range(0, len(targets), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        before = targets[rows].clone()
        stated = before == 0
        if annotations.lists_present:
            inside = (rejections[0] >= start) & (rejections[0] < start + ROWS_AT_ONCE)
            stated = torch.zeros_like(stated)
            stated[rejections[0, inside] - start, rejections[1, inside]] = True
        present, absent = links.followed(before == 1, stated | nothing[rows, None])
        both = present & absent
        targets[rows] = before.masked_fill(present, 1).masked_fill(absent, 0).masked_fill(both, -1)
        for row in both.any(1).nonzero().flatten().tolist():
            labels = (both[row] & (before[row] >= 0)).nonzero().flatten().tolist()
            because = rules.no_finding if nothing[start + row] else ()
            photo = annotations.paths[start + row]
            found.append(Contradiction(photo, (*(names[label] for label in labels), *because)))
    if found:
        logger.warning(
            "labels of %s contradict the rules and are unknown there; the first is %s: %s",
            amount(len(found), "photo"),
            found[0].photo,
            named(found[0].labels),
        )
    contradictions = (*annotations.contradictions, *found)
    return replace(annotations, names=names, targets=targets, contradictions=contradictions)


class _Links(NamedTuple):
    """Implications and exclusions among ``K`` linked labels.

    Attributes:
        columns: Their columns among all labels.
        upward: ``(K, K)`` float, 1 where the label of the row implies that of the column, or is it.
        excludes: ``(K, K)`` float, 1 where two labels are of one group.
    """

    columns: list[int]
    upward: Tensor
    excludes: Tensor

    def followed(self, present: Tensor, absent: Tensor) -> tuple[Tensor, Tensor]:
        """Return what follows from the present and absent labels, ``(N, L)`` bool each."""
        present, absent = present.clone(), absent.clone()
        up = present[:, self.columns].float() @ self.upward > 0
        excluded = up.float() @ self.excludes > 0
        down = (absent[:, self.columns] | excluded).float() @ self.upward.T > 0
        present[:, self.columns], absent[:, self.columns] = up, down
        return present, absent


def _links(names: Sequence[str], rules: LabelRules) -> _Links:
    grouped = [name for group in rules.one_of for name in group]
    linked = {*grouped, *rules.ancestors, *set().union(*rules.ancestors.values())}
    columns = [column for column, name in enumerate(names) if name in linked]
    place = {names[column]: index for index, column in enumerate(columns)}
    upward, excludes = torch.eye(len(columns)), torch.zeros(len(columns), len(columns))
    for name in rules.ancestors.keys() & place.keys():
        for above in rules.ancestors[name] & place.keys():
            upward[place[name], place[above]] = 1
    for group in rules.one_of:
        members = [place[name] for name in group if name in place]
        for one in members:
            excludes[one, [other for other in members if other != one]] = 1
    return _Links(columns, upward, excludes)


def _without(annotations: Annotations, names: set[str]) -> Annotations:
    dropped = sorted(names.intersection(annotations.names))
    if not dropped:
        return annotations
    kept = [column for column, name in enumerate(annotations.names) if name not in names]
    if not kept:
        msg = (
            f"expected at least one label to be left, got all {len(dropped)} to leave out "
            "(`drop`, `min_photos`)"
        )
        raise DataError(msg)
    left_out = (*annotations.left_out, *dropped)
    left = tuple(annotations.names[column] for column in kept)
    return replace(annotations, names=left, targets=annotations.targets[:, kept], left_out=left_out)
