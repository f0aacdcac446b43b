"""Groups of labels that exclude each other, and what their logits mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class OneOf(NamedTuple):
    """A group of labels of which a photo has at most one; they share one softmax.

    Attributes:
        labels: Their indices.
        complete: Whether a photo always has one of them. Otherwise it may have none, which takes
            part in the softmax with a logit of 0.
    """

    labels: tuple[int, ...]
    complete: bool = False


def one_of_groups(
    groups: Sequence[Sequence[str]], names: Sequence[str], targets: Tensor
) -> tuple[OneOf, ...]:
    """Return the groups of a collection by index; names that are no label are left out.

    A group is complete if some photo has one of its labels, and none is known to lack all.

    Args:
        groups: Names of the labels of each group.
        names: The ``L`` labels.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Example:
        >>> import torch
        >>> targets = torch.tensor([[1, 1, 0], [-1, 0, 1]])
        >>> one_of_groups([["day", "night"], ["dog", "cow"]], ["dog", "day", "night"], targets)
        (OneOf(labels=(1, 2), complete=True),)
    """
    place = {name: index for index, name in enumerate(names)}
    found = []
    for group in groups:
        labels = tuple(place[name] for name in group if name in place)
        if len(labels) > 1:
            among = targets[:, list(labels)]
            complete = bool((among == 1).any()) and not bool((among == 0).all(1).any())
            found.append(OneOf(labels, complete))
    return tuple(found)


def log_odds(logits: NDArray[np.float64], groups: Sequence[OneOf]) -> NDArray[np.float64]:
    """Return the log-odds of each label, ``(..., L)``: its logit, but for labels of groups.

    Their sigmoid is the share of the label in the softmax of its group.

    Example:
        >>> odds = log_odds(np.array([3.0, 1.0, 1.0]), [OneOf((1, 2), complete=True)])
        >>> odds.tolist(), (1 / (1 + np.exp(-odds[1:]))).sum()
        ([3.0, 0.0, 0.0], np.float64(1.0))
    """
    odds = np.array(logits, np.float64)
    for group in groups:
        own = odds[..., group.labels]
        none = np.full_like(own[..., :1], -np.inf if group.complete else 0.0)
        all_of = np.concatenate([own, none], -1)
        others = np.repeat(all_of[..., None, :], own.shape[-1], -2)
        others[..., np.arange(own.shape[-1]), np.arange(own.shape[-1])] = -np.inf
        odds[..., group.labels] = own - np.logaddexp.reduce(others, -1)
    return odds
