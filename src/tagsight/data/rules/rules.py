"""Rules on labels: names that are one label, and labels that follow from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from tagsight.config import Settings
from tagsight.data.source import clean_name
from tagsight.errors import DataError, settings_sentence
from tagsight.runtime.toml_file import read_toml, toml_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Names = tuple[str, ...]


class LabelRules(Settings):
    """Rules on labels, which `tagsight.data.rules.application.apply_rules` applies in this order.

    1. ``merge``, then ``rename``. All other rules name labels as they are then.
    2. ``unlisted``.
    3. ``no_finding``, ``implies`` and ``one_of`` together, as each may decide what another needs.
    4. ``drop``, then ``min_photos``.

    Example:
        >>> rules = LabelRules(merge={"red": ["Red", "RED"]}, implies={"dog": ["animal"]})
        >>> rules.final_name("RED"), rules.ancestors["dog"]
        ('red', frozenset({'animal'}))
    """

    merge: dict[str, Names] = Field(default_factory=dict)
    """Names that become one label, under the label's name."""

    rename: dict[str, str] = Field(default_factory=dict)
    """New names, under the old ones."""

    unlisted: Literal["unknown", "absent"] | None = None
    """Target of a label that a photo's list does not name (``unknown``), or that a table leaves
    blank (``absent``); by default a list means absent and a blank unknown."""

    no_finding: Names = ()
    """Names that say that a photo has none of the other labels; they are no labels themselves."""

    implies: dict[str, Names] = Field(default_factory=dict)
    """Labels that are present wherever the label they are listed under is."""

    one_of: tuple[Names, ...] = ()
    """Groups of labels of which a photo has at most one."""

    drop: Names = ()
    """Labels to leave out; their photos stay."""

    min_photos: int = Field(0, ge=0)
    """Fewest photos with a label; labels with fewer are left out."""

    @field_validator("merge", "implies")
    @classmethod
    def _clean_lists(cls, table: dict[str, Names]) -> dict[str, Names]:
        return {clean_name(name): _clean(names) for name, names in table.items()}

    @field_validator("rename")
    @classmethod
    def _clean_names(cls, table: dict[str, str]) -> dict[str, str]:
        return {clean_name(old): clean_name(new) for old, new in table.items()}

    @field_validator("no_finding", "drop")
    @classmethod
    def _clean_list(cls, names: Names) -> Names:
        return _clean(names)

    @field_validator("one_of")
    @classmethod
    def _clean_groups(cls, groups: tuple[Names, ...]) -> tuple[Names, ...]:
        return tuple(map(_clean, groups))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        self._check_names()
        self._check_groups()
        for name, above in self.ancestors.items():
            if name in above:
                msg = f"`implies`: expected no circle, got one through {name!r}"
                raise ValueError(msg)
            if both := above.intersection(self.no_finding):
                msg = f"`implies`: {name!r} implies {min(both)!r}, which is `no_finding`"
                raise ValueError(msg)
        return self

    def _check_names(self) -> None:
        aliases = [alias for names in self.merge.values() for alias in names]
        if repeated := {alias for alias in aliases if aliases.count(alias) > 1}:
            msg = f"`merge`: expected each name under one label, got {min(repeated)!r} under two"
            raise ValueError(msg)
        for name in (*aliases, *self.merge, *self.rename):
            final = self.final_name(name)
            if not final or self.final_name(final) != final:
                msg = (
                    f"expected a name that no other rule changes for {name!r}, got {final!r} "
                    "(`merge`, `rename`)"
                )
                raise ValueError(msg)

    def _check_groups(self) -> None:
        members = [name for group in self.one_of for name in group]
        if repeated := {name for name in members if members.count(name) > 1}:
            msg = f"`one_of`: expected each label in one group, once, got {min(repeated)!r} again"
            raise ValueError(msg)
        for group in self.one_of:
            for name in group:
                if both := self.ancestors.get(name, frozenset()).intersection(group):
                    msg = (
                        f"`one_of`: expected labels that exclude each other, but {name!r} implies "
                        f"{min(both)!r}"
                    )
                    raise ValueError(msg)

    def final_name(self, name: str) -> str:
        """Return the name of a label after ``merge`` and ``rename``."""
        merged = next((label for label, names in self.merge.items() if name in names), name)
        return self.rename.get(merged, merged)

    @property
    def ancestors(self) -> dict[str, frozenset[str]]:
        """Names that a label implies, directly or through others, for each that implies any."""
        above = {name: frozenset(names) for name, names in self.implies.items()}
        for _ in above:  # as many rounds as the longest chain can have links
            wider = {
                name: names.union(*(above.get(one, frozenset()) for one in names))
                for name, names in above.items()
            }
            if wider == above:
                break
            above = wider
        return above

    def of_other_data(self) -> LabelRules:
        """Return the rules for data that a model was not trained on, without ``min_photos``."""
        return self.model_copy(update={"min_photos": 0})

    def toml(self) -> str:
        """Write the rules as the file that `read_label_rules` reads."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        plain = {name: value for name, value in given.items() if not isinstance(value, dict)}
        lines = [f"{name} = {toml_value(value)}" for name, value in plain.items()]
        for name, table in given.items():
            if isinstance(table, dict):
                entries = (f"{toml_value(key)} = {toml_value(it)}" for key, it in table.items())
                lines += ["", f"[{name}]", *entries]
        return "\n".join(lines).strip() + "\n"


def read_label_rules(path: Path) -> LabelRules:
    r"""Read rules from a TOML file: the fields of `LabelRules` by name.

    Raises:
        DataError: If it is not TOML, or a rule is malformed.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "labels.toml"
        ...     _ = file.write_text('[merge]\nred = ["Red", "RED"]\n')
        ...     read_label_rules(file).final_name("RED")
        'red'
    """
    try:
        return LabelRules.model_validate(read_toml(path))
    except ValidationError as error:
        msg = f"{path}: {settings_sentence(error)}"
        raise DataError(msg) from error


def parse_label_rules(fields: Mapping[str, object]) -> LabelRules:
    """Make rules of plain values.

    Raises:
        DataError: If a rule is malformed.

    Example:
        >>> parse_label_rules({"rename": {"hound": "dog"}}).final_name("hound")
        'dog'
    """
    try:
        return LabelRules.model_validate(fields)
    except ValidationError as error:
        raise DataError(settings_sentence(error)) from error


def _clean(names: Iterable[str]) -> Names:
    return tuple(clean_name(name) for name in names)
