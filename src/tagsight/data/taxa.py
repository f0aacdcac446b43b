"""Names of taxa: species, and groups above them, which stand for any species below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

RANKS = ("kingdom", "phylum", "class", "order", "family", "subfamily", "genus")
_OF_SPECIES = re.compile(r"\S+ (?:\([^)]*\) )?(?:[x×] ?)?(?!spp?\b|cf\b|aff\b)[a-z][\w-]*")  # noqa: RUF001


def is_species(name: str) -> bool:
    """Return whether a scientific name is that of a species: a genus, and an epithet in lower case.

    Example:
        >>> [is_species(name) for name in ("Vulpes vulpes", "Vulpes", "Vulpes sp.", "Aves")]
        [True, False, False, False]
    """
    return _OF_SPECIES.match(name) is not None


def species_in(name: str) -> str:
    """Return the species that a scientific name begins with, or nothing if it is of a group.

    Example:
        >>> species_in("Parus major major Linnaeus, 1758"), species_in("Parus Linnaeus, 1758")
        ('Parus major', '')
    """
    found = _OF_SPECIES.match(name)
    return found[0] if found else ""


class Taxa:
    """The taxa of a collection, of which one may be above another.

    Args:
        names: Labels; those that begin with a capital letter are scientific names.
        above: The names above some of them, as far as they are known.

    Example:
        >>> taxa = Taxa({"Aves", "Vulpes vulpes", "Pica pica"}, {"Pica pica": {"Aves"}})
        >>> sorted(taxa.present({"Pica pica"})), sorted(taxa.unknown({"Pica pica"}))
        (['Aves', 'Pica pica'], [])
        >>> sorted(taxa.unknown({"Aves"}))  # of the fox nothing is known
        ['Pica pica', 'Vulpes vulpes']
    """

    def __init__(self, names: Iterable[str], above: Mapping[str, Collection[str]]) -> None:
        self._names = {name for name in names if name[:1].isupper()}
        self._above = above
        self._groups = {name for name in self._names if not is_species(name)}

    @property
    def are_mixed(self) -> bool:
        """Whether groups stand beside species, or one group may be above another."""
        return bool(self._groups) and len(self._names) > 1

    def present(self, seen: Collection[str]) -> set[str]:
        """Return what was seen, with the groups above."""
        found = set(seen)
        for name in seen:
            found |= self._names.intersection(self._known_above(name))
        return found

    def unknown(self, seen: Collection[str]) -> set[str]:
        """Return what may be there as well: below a group that was seen, or above what was seen."""
        present = self.present(seen)
        own = {name for name in seen if name in self._names}
        groups = {one for one in own & self._groups if not self._below(one) & present}
        found: set[str] = set()
        for name in self._names - present:
            known = name in self._above
            may_be_below = any(group in self._known_above(name) or not known for group in groups)
            may_be_above = name in self._groups and any(one not in self._above for one in own)
            if (groups and may_be_below) or may_be_above:
                found.add(name)
        return found

    def _known_above(self, name: str) -> set[str]:
        genus = {name.partition(" ")[0]} if is_species(name) else set[str]()
        return {*self._above.get(name, ())} | genus

    def _below(self, group: str) -> set[str]:
        return {name for name in self._names if group in self._known_above(name)}
