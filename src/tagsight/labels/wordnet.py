"""How labels are related by the meaning of their words, from WordNet as nltk reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Meaning(Protocol):
    """A meaning of a word (a synset of nltk's)."""

    def hypernyms(self) -> Sequence[Meaning]:
        """The meanings that are one step wider."""

    def wup_similarity(self, other: Meaning) -> float | None:
        """How near another meaning is, in [0, 1] (Wu and Palmer); None if nothing joins them."""


class Lexicon(Protocol):
    """A dictionary of meanings (nltk's ``wordnet``)."""

    def synsets(self, lemma: str, pos: str) -> Sequence[Meaning]:
        """The meanings of a word, the most usual first."""


def installed_wordnet() -> Lexicon:
    """Open WordNet.

    Raises:
        DataError: If nltk is not installed or has no WordNet.
    """
    try:
        from nltk.corpus import wordnet
    except ImportError as error:
        msg = (
            "relations = 'wordnet': expected the extra 'wordnet' (pip install 'tagsight[wordnet]'),"
            " got none; or take relations = 'cooccurrence'"
        )
        raise DataError(msg) from error
    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        msg = (
            "relations = 'wordnet': expected the data of WordNet (python -m nltk.downloader "
            "wordnet), got none; or take relations = 'cooccurrence'"
        )
        raise DataError(msg) from error
    return wordnet


def wordnet_relations(
    names: Sequence[str], lexicon: Lexicon, *, positive: float, negative: float
) -> Tensor:
    """Which labels are kinds of one another, near, and far: ``(3, L, L)`` bool, symmetric.

    A label stands for the most usual meaning of its name as a noun. A name without one is related
    to nothing.

    Args:
        names: The ``L`` labels.
        lexicon: Where meanings are looked up.
        positive: Least similarity (Wu and Palmer) of labels that are near.
        negative: Similarity below which labels are far.
    """
    meanings = [_meaning(name, lexicon) for name in names]
    wider = [set() if meaning is None else _wider(meaning) for meaning in meanings]
    relations = torch.zeros(3, len(names), len(names), dtype=torch.bool)
    for i, one in enumerate(meanings):
        for j, other in enumerate(meanings[:i]):
            if one is None or other is None:
                continue
            nearness = one.wup_similarity(other) or 0.0
            kinds = one in wider[j] or other in wider[i]
            found = torch.tensor([kinds, nearness >= positive, nearness < negative])
            relations[:, i, j] = relations[:, j, i] = found
    return relations


def _meaning(name: str, lexicon: Lexicon) -> Meaning | None:
    words = name.lower().replace("-", " ").replace("_", " ").split()
    for lemma in ("_".join(words), "".join(words), words[-1]):
        if found := lexicon.synsets(lemma, pos="n"):
            return found[0]
    return None


def _wider(meaning: Meaning) -> set[Meaning]:
    found: set[Meaning] = set()
    pending = list(meaning.hypernyms())
    while pending:
        if (one := pending.pop()) not in found:
            found.add(one)
            pending.extend(one.hypernyms())
    return found
