"""Names of labels read as words that a file of word vectors knows."""

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
    ("sci-fi", "sci fi", "science fiction"),
    ("tv monitor", "tv", "television", "tvmonitor"),
)
"""Names that stand for one another where a file lacks one; earlier ones are preferred."""

_PART = range(3, 40)
"""Letters of a word in a compound."""

_RAREST_PART = 1 << 16
"""A compound is split only into words among the 65,536 that stand first in a file."""


class Reading(NamedTuple):
    """The words whose mean is a name's vector.

    Attributes:
        words: Known words, or none.
        missing: Words of the name for which nothing known stands.
    """

    words: tuple[str, ...]
    missing: tuple[str, ...] = ()


def wanted_words(names: Sequence[str]) -> set[str]:
    """Everything that reading the names could ask for."""
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
    """Find the known words that stand for a name.

    In this order: the name as one entry, a synonym of several words, its words, the words joined to
    one entry, those of its words that are known. An unknown word is split into two known ones
    (``diningtable``) or replaced by a synonym.
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
    """The words of a name, in lower case, between single spaces."""
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
