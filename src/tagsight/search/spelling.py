"""Names that a misspelt or incomplete one may stand for."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST = 0.6
"""Least similarity of two names, from 0 without a common letter to 1 for equal ones."""

WORD_ONLY = 0.9
"""Factor of the similarity to one word of a name."""

MOST_COMPARED = 2_000
"""Most names that are compared, which takes about 20 microseconds each."""

LONGEST = 100
"""Characters of the longest name that is compared."""


def similar_names(name: str, names: Sequence[str], most: int = 3) -> list[str]:
    """Return the names that a wrong one may stand for, the most probable first.

    Names that contain its words come before names that are spelt much like it; upper and lower case
    are the same.

    Args:
        name: The wrong name.
        names: The right names.
        most: Most names to return.

    Example:
        >>> similar_names("table", ["dining table", "cable", "dog"])
        ['dining table', 'cable']
        >>> similar_names("hors", ["house", "horse", "dog"])
        ['horse', 'house']
    """
    if not 0 < len(name) <= LONGEST:
        return []
    wanted, words = name.lower(), _words(name.lower())
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)

    def ratio(text: str) -> float:
        matcher.set_seq1(text)
        return matcher.ratio() if matcher.quick_ratio() >= LEAST else 0.0

    likeness: dict[str, float] = {}
    for known in names[:MOST_COMPARED]:
        parts = _words(known.lower())
        if words and words <= parts:
            likeness[known] = 1 + len(wanted) / len(known)
        else:
            of_parts = max(map(ratio, parts), default=0.0) if len(parts) > 1 else 0.0
            likeness[known] = max(ratio(known.lower()), WORD_ONLY * of_parts)
    similar = [known for known, value in likeness.items() if value >= LEAST]
    return sorted(similar, key=lambda known: -likeness[known])[:most]


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", name))
