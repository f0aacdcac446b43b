"""Relations between labels from WordNet, through nltk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Meaning(Protocol):
    """A meaning of a word (a synset in nltk)."""

    def hypernyms(self) -> Sequence[Meaning]:
        """Return the meanings that are one step more general."""

    def wup_similarity(self, other: Meaning) -> float | None:
        """Return the Wu-Palmer similarity in [0, 1]; None if the meanings are not connected."""


class Lexicon(Protocol):
    """A dictionary of meanings (``wordnet`` in nltk)."""

    def synsets(self, lemma: str, pos: str) -> Sequence[Meaning]:
        """Return the meanings of a word, the most common first."""


def installed_wordnet() -> Lexicon:
    """Load WordNet.

    Raises:
        DataError: If nltk is not installed or has no WordNet.
    """
    try:
        from nltk.corpus import wordnet
    except ImportError as error:
        msg = (
            "expected the extra 'wordnet' for `system.relations=wordnet`, it is not installed; run "
            "pip install 'tagsight[wordnet]', or choose `system.relations=cooccurrence`"
        )
        raise DataError(msg) from error
    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        msg = (
            "expected the data of WordNet for `system.relations=wordnet`, nltk has none; run "
            "python -m nltk.downloader wordnet, or choose `system.relations=cooccurrence`"
        )
        raise DataError(msg) from error
    return wordnet


def wordnet_relations(
    names: Sequence[str], lexicon: Lexicon, *, positive: float, negative: float
) -> Tensor:
    """Find labels that generalise one another, are similar, or dissimilar: ``(3, L, L)`` bool.

    The relations are symmetric. A label stands for the most common meaning of its name as a noun; a
    name without such a meaning has no relations.

    Args:
        names: The ``L`` labels.
        lexicon: The dictionary of meanings.
        positive: Minimum similarity (Wu and Palmer) of similar labels.
        negative: Similarity below which labels are dissimilar.

    Example:
        >>> class Nothing:
        ...     def synsets(self, lemma: str, pos: str) -> list[Meaning]:
        ...         return []
        >>> wordnet_relations(["cat", "dog"], Nothing(), positive=0.8, negative=0.2).any()
        tensor(False)
    """
    meanings = [_meaning(name, lexicon) for name in names]
    ancestors = [set() if meaning is None else _hypernyms(meaning) for meaning in meanings]
    relations = torch.zeros(3, len(names), len(names), dtype=torch.bool)
    for i, one in enumerate(meanings):
        for j, other in enumerate(meanings[:i]):
            if one is None or other is None:
                continue
            similarity = one.wup_similarity(other) or 0.0
            generalises = one in ancestors[j] or other in ancestors[i]
            found = torch.tensor([generalises, similarity >= positive, similarity < negative])
            relations[:, i, j] = relations[:, j, i] = found
    return relations


def _meaning(name: str, lexicon: Lexicon) -> Meaning | None:
    words = name.lower().replace("-", " ").replace("_", " ").split()
    for lemma in ("_".join(words), "".join(words), words[-1]):
        if found := lexicon.synsets(lemma, pos="n"):
            return found[0]
    return None


def _hypernyms(meaning: Meaning) -> set[Meaning]:
    found: set[Meaning] = set()
    pending = list(meaning.hypernyms())
    while pending:
        if (one := pending.pop()) not in found:
            found.add(one)
            pending.extend(one.hypernyms())
    return found
