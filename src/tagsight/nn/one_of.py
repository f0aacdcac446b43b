"""Labels of which a photo has at most one: their softmax, and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.labels.one_of import OneOf


def one_of_scores(logits: Tensor, groups: Sequence[OneOf]) -> Tensor:
    """Return sigmoids, and for labels of groups their shares of a softmax: ``(B, L) -> (B, L)``.

    Example:
        >>> from tagsight.labels.one_of import OneOf
        >>> one_of_scores(torch.zeros(1, 3), [OneOf((0, 2))])[0]  # the third is none of them
        tensor([0.3333, 0.5000, 0.3333])
    """
    if not groups:
        return logits.sigmoid()
    grouped = [label for group in groups for label in group.labels]
    alone = [label for label in range(logits.shape[1]) if label not in set(grouped)]
    parts = [logits[:, alone].sigmoid()]
    parts += [
        _with_none(logits[:, list(group.labels)], group).softmax(1)[:, : len(group.labels)]
        for group in groups
    ]
    order = [*alone, *grouped]
    places = [order.index(label) for label in range(len(order))]
    return torch.cat(parts, 1)[:, places]


def one_of_log_odds(logits: Tensor, groups: Sequence[OneOf]) -> Tensor:
    """Return log-odds whose sigmoids are `one_of_scores`: ``(N, L) -> (N, L)``.

    Example:
        >>> from tagsight.labels.one_of import OneOf
        >>> one_of_log_odds(torch.tensor([[1.0, 1.0]]), [OneOf((0, 1), complete=True)])
        tensor([[0., 0.]])
    """
    odds = logits.clone()
    for group in groups:
        own = logits[:, list(group.labels)]
        all_of = _with_none(own, group)
        is_own = torch.eye(own.shape[1], all_of.shape[1], dtype=torch.bool, device=own.device)
        others = all_of[:, None].masked_fill(is_own, -torch.inf).logsumexp(2)
        odds[:, list(group.labels)] = own - others
    return odds


def one_of_cost(logits: Tensor, targets: Tensor, group: OneOf) -> Tensor:
    """Return the cross-entropy of a group's softmax for each photo: ``(B, L), (B, L) -> (B,)``.

    Where no label is known to be present, the cost is that of the sum over those that may be, the
    unknown ones and none of the group. Nothing known costs nothing.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}, or float of mixed photos, as for `label_loss`.
        group: The group.

    Example:
        >>> from tagsight.labels.one_of import OneOf
        >>> targets = torch.tensor([[1, 0], [0, 0], [0, -1], [-1, -1]])
        >>> one_of_cost(torch.zeros(4, 2), targets, OneOf((0, 1))).exp()
        tensor([3.0000, 3.0000, 1.5000, 1.0000])
    """
    labels = list(group.labels)
    shares = _with_none(logits[:, labels], group).log_softmax(1)
    among = targets[:, labels]
    wanted = among.clamp(min=0).to(shares.dtype)
    may_be = among < 0
    if not group.complete:
        may_be = torch.cat([may_be, torch.ones_like(may_be[:, :1])], 1)
    lowest = torch.finfo(shares.dtype).min / 2
    rest = shares.masked_fill(~may_be, lowest).logsumexp(1) * (1 - wanted.sum(1)).clamp(min=0)
    return -(wanted * shares[:, : len(labels)]).sum(1) - rest.where(may_be.any(1), 0.0)


def _with_none(logits: Tensor, group: OneOf) -> Tensor:
    """Append the logit of none of the group, if a photo may have none."""
    return logits if group.complete else torch.nn.functional.pad(logits, (0, 1))
