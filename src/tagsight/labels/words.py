"""Matching of label names to the words in a file of word vectors."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.labels.word_files import WordVectors

_SYNONYMS = (
    ("airplane", "aeroplane", "plane"),
    ("bicycle", "bike"),
    ("cell phone", "cellphone", "mobile phone"),
    ("couch", "sofa"),
    ("donut", "doughnut"),
    ("drier", "dryer"),
    ("motorcycle", "motorbike"),
    ("potted plant", "pottedplant", "flowerpot"),
    ("sci-fi", "sci fi", "science fiction"),
    ("tv monitor", "tv", "television", "tvmonitor"),
)
"""Synonyms for words that a file lacks; earlier ones are preferred."""

_PART = range(3, 40)
"""Possible lengths of the parts of a compound, in letters."""

_RAREST_PART = 1 << 16
"""Rank limit for the parts of a compound: the first 65,536 words of a file."""


class Reading(NamedTuple):
    """The words whose mean vector represents a name.

    Attributes:
        words: Known words, possibly none.
        missing: Words of the name without a known counterpart.
    """

    words: tuple[str, ...]
    missing: tuple[str, ...] = ()


def wanted_words(names: Sequence[str]) -> set[str]:
    """Collect all words that `read_name` may look up.

    Args:
        names: The labels.

    Example:
        >>> {"tv", "monitor"} <= wanted_words(["TVMonitor"])
        True
    """
    wanted: set[str] = set()
    for name in names:
        spaced = _spaced(name)
        wanted |= {name.lower(), *_joined(spaced), *_synonyms(spaced)}
        for word in spaced.split():
            wanted |= {word, *_synonyms(word)}
            for parts in _splits(word):
                wanted |= {*parts, " ".join(parts)}
    return {word for phrase in wanted for word in (phrase, *phrase.split())} - {""}


def read_name(name: str, known: WordVectors) -> Reading:
    """Find the known words that represent a name.

    The first match counts: the whole name as one entry, a synonym of several words, all of its
    words, the words joined to one entry, the known ones among its words. An unknown word is split
    into two known ones (``diningtable``) or replaced by a synonym.

    Args:
        name: A label.
        known: The words of a file.

    Example:
        >>> import numpy as np
        >>> from tagsight.labels.word_files import WordVectors
        >>> ranks = {"dining": 1, "table": 2}
        >>> known = WordVectors({word: np.ones(2) for word in ranks}, ranks)
        >>> read_name("diningtable", known).words
        ('dining', 'table')
    """
    spaced = _spaced(name)
    for phrase in (name.lower(), spaced):
        if phrase in known.vectors:
            return Reading((phrase,))
    if " " in spaced and (words := _synonym(spaced, known)):
        return Reading(words)
    found = {word: _word(word, known) for word in spaced.split()}
    missing = tuple(word for word, words in found.items() if not words)
    if missing:
        for phrase in _joined(spaced):
            if phrase in known.vectors:
                return Reading((phrase,))
    return Reading(tuple(w for word in spaced.split() for w in found[word]), missing)


def phrases(name: str) -> Iterator[str]:
    """List what a name may be called in a dictionary of English nouns, the closest first.

    The whole name, then its last words, each as it stands, joined and divided, by synonyms, in the
    singular and the plural.

    Args:
        name: A label.

    Example:
        >>> list(phrases("Red Cars"))[1:4], "car" in phrases("Red Cars")
        (['red cars', 'red_cars', 'red-cars'], True)
    """
    yield name.lower()
    words = _spaced(name).split()
    for first in range(len(words)):
        spaced = " ".join(words[first:])
        for number in (spaced, *_singulars(spaced), f"{spaced}s"):
            yield from dict.fromkeys((*_joined(number), *_synonyms(number)))
            if " " not in number:
                yield from (mark.join(parts) for parts in _splits(number) for mark in " -")


def _singulars(word: str) -> Iterator[str]:
    for ending, singular in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss"):
            yield word.removesuffix(ending) + singular


def _word(word: str, known: WordVectors) -> tuple[str, ...]:
    if word in known.vectors:
        return (word,)
    return _compound(word, known) or _synonym(word, known)


def _compound(word: str, known: WordVectors) -> tuple[str, ...]:
    best: tuple[str, ...] = ()
    rarest = _RAREST_PART
    for parts in _splits(word):
        if " ".join(parts) in known.vectors:
            return (" ".join(parts),)
        if all(part in known.vectors for part in parts):
            rank = max(known.ranks[part] for part in parts)
            if rank < rarest:
                best, rarest = parts, rank
    return best


def _synonym(name: str, known: WordVectors) -> tuple[str, ...]:
    for phrase in _synonyms(name):
        if phrase in known.vectors:
            return (phrase,)
        words = tuple(phrase.split())
        if all(word in known.vectors for word in words):
            return words
    return ()


def _spaced(name: str) -> str:
    """Split a name into lower-case words, separated by single spaces."""
    name = re.sub(r"['\u2019]s\b", "", unicodedata.normalize("NFKC", name))
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.split(r"[\W_]+", name)).strip().lower()


def _splits(word: str) -> Iterator[tuple[str, str]]:
    return ((word[:i], word[i:]) for i in _PART if len(word) - i in _PART)


def _synonyms(name: str) -> Iterator[str]:
    for group in _SYNONYMS:
        if name in group:
            yield from group


def _joined(spaced: str) -> tuple[str, ...]:
    return tuple(spaced.replace(" ", mark) for mark in (" ", "_", "-", ""))
