"""Options for rules on labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tagsight.data.rules.rules import LabelRules

RULES = Group("Rules on labels", sort_key=3)
Repeated = Annotated[tuple[str, ...], Parameter(show_default=False)]


@Parameter(name="*", group=RULES)
@dataclass(frozen=True)
class LabelRuleOptions:
    """Rules on labels, from a file and from flags, which replace those of the file."""

    label_rules: Path | None = None
    """TOML file of rules, as a run folder has it (labels.toml)."""

    merge: Repeated = ()
    """Names that are one label, as in --merge "red=Red,RED"; for several labels give it again."""

    rename: Repeated = ()
    """A new name for a label, as in --rename "old=new"; for several labels give it again."""

    unlisted: Literal["unknown", "absent"] | None = None
    """Labels that a photo's list does not name, or a table leaves blank; by default those that are
    not listed are absent, and blanks unknown."""

    no_finding: str | None = None
    """Comma-separated names that mean none of the other labels, and are no labels themselves."""

    implies: Repeated = ()
    """Labels that come with a label, as in --implies "dog=>animal"; may be given several times."""

    one_of: Repeated = ()
    """Comma-separated labels of which a photo has at most one; may be given several times."""

    drop: Annotated[str | None, Parameter(name=("--drop", "--without-labels"))] = None
    """Comma-separated labels to leave out; their photos stay."""

    min_photos: Annotated[int | None, Parameter(validator=Number(gte=0))] = None
    """Fewest photos of a label; labels with fewer are left out."""

    def chosen(self) -> LabelRules | None:
        """Return the rules, or None if there are none.

        Raises:
            DataError: If the file or a rule is malformed.

        Example:
            >>> LabelRuleOptions(merge=("red=Red,RED",), implies=("dog=>animal",)).chosen().merge
            {'red': ('Red', 'RED')}
        """
        given = {
            "merge": _lists("merge", self.merge, "="),
            "rename": dict(_pairs("rename", self.rename, "=")),
            "unlisted": self.unlisted,
            "no_finding": _names(self.no_finding),
            "implies": _lists("implies", self.implies, "=>"),
            "one_of": [_names(group) for group in self.one_of],
            "drop": _names(self.drop),
            "min_photos": self.min_photos,
        }
        changes = {name: value for name, value in given.items() if value not in (None, [], {})}
        if self.label_rules is None and not changes:
            return None

        from tagsight.data.rules.rules import parse_label_rules, read_label_rules

        file = read_label_rules(self.label_rules).model_dump() if self.label_rules else {}
        return parse_label_rules(file | changes)


def _names(text: str | None) -> list[str]:
    return [] if text is None else text.split(",")


def _lists(option: str, values: Iterable[str], sign: str) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, others in _pairs(option, values, sign):
        lists.setdefault(name, []).extend(others.split(","))
    return lists


def _pairs(option: str, values: Iterable[str], sign: str) -> list[tuple[str, str]]:
    from tagsight.errors import DataError

    pairs = []
    for value in values:
        before, found, after = value.partition(sign)
        if not (before.strip() and found and after.strip()):
            msg = f'expected `{option}` "name{sign}name", got {value!r}'
            raise DataError(msg)
        pairs.append((before, after))
    return pairs
