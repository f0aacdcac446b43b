"""The classes of ImageNet that a label's name stands for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import torch

from tagsight.labels.words import phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

CLASSES = 1000
"""Classes of ImageNet (ILSVRC 2012), which most encoders were pretrained with."""


def imagenet_classes(names: Sequence[str]) -> Tensor:
    """Find the classes of ImageNet that labels stand for: ``(L, 1000)`` bool.

    A label stands for the classes that WordNet has under a meaning of its name: ``dog`` for 118
    breeds, ``bottle`` for beer bottles, wine bottles and five more. Case, plural, hyphens and
    blanks do not matter; a name of several words that is unknown stands for its last ones. Classes
    of all meanings count, as a name does not say which of them is meant.

    Args:
        names: The ``L`` labels; what is not an English noun stands for no class.

    Example:
        >>> imagenet_classes(["dog", "Wine_Bottles", "mood"]).sum(1).tolist()
        [118, 1, 0]
    """
    found = torch.zeros(len(names), CLASSES, dtype=torch.bool)
    known = _classes_by_name()
    for row, name in zip(found, names, strict=True):
        row[list(next(filter(None, (known.get(one, ()) for one in phrases(name))), ()))] = True
    return found


@cache
def _classes_by_name() -> dict[str, frozenset[int]]:
    """Map each name of a class, or of a more general meaning, to the classes below it."""
    text = files(__package__).joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    general = [tuple(map(int, above.split())) for _, above in rows]
    below: list[set[int]] = [set() for _ in rows]
    for number in range(CLASSES):
        pending = [number]
        while pending:
            one = pending.pop()
            below[one].add(number)
            pending.extend(general[one])
    found: dict[str, frozenset[int]] = {}
    for (names, _), classes in zip(rows, below, strict=True):
        for name in names.split("; "):
            found[name] = found.get(name, frozenset()) | classes
    return found
