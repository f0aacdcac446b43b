"""Orders in which a decoder is trained on the labels of a photo.

By frequency: Wang et al., CNN-RNN, CVPR 2016. By confidence: Chen et al., Order-Free RNN with
Visual Attention for Multi-Label Classification, AAAI 2018. By the smallest loss: Yazici et al.,
Orderless Recurrent Models for Multi-label Classification, CVPR 2020.

No rule depends on a label's index: if counts tie, confidence decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

Order = Literal["frequent", "rare", "confidence", "mla", "pla"]


def label_priority(counts: Tensor, order: Order) -> Tensor:
    """Rank labels by how early they come: ``(L,) int -> (L,) int``, from 0, the highest first.

    Labels of equal counts get equal priority. With ``confidence`` and the two alignments, all do.

    Args:
        counts: ``(L,)`` int, number of training photos of each label.
        order: The rule.

    Example:
        >>> label_priority(torch.tensor([5, 9, 2, 9]), "frequent").tolist()
        [1, 2, 0, 2]
    """
    if order in {"frequent", "rare"}:
        _, rank = counts.unique(return_inverse=True)
        return rank if order == "frequent" else rank.max() - rank
    return torch.zeros_like(counts)


def next_label(log_p: Tensor, remaining: Tensor, priority: Tensor) -> Tensor:
    """Choose the next of the remaining labels: the most confident one of the highest priority.

    Args:
        log_p: ``(B, L)`` float, log-probability of each label as the next one.
        remaining: ``(B, L)`` bool.
        priority: ``(L,)`` int, at least 0.

    Returns:
        ``(B,)`` int; arbitrary for a photo without remaining labels.

    Example:
        >>> log_p = torch.tensor([[0.1, 0.7, 0.2]]).log()
        >>> remaining = torch.tensor([[True, False, True]])
        >>> next_label(log_p, remaining, torch.zeros(3, dtype=torch.long)).tolist()
        [2]
    """
    rank = torch.where(remaining, priority, -1)
    first = remaining & (rank == rank.amax(1, keepdim=True))
    return log_p.masked_fill(~first, -torch.inf).argmax(1)


def cheapest_assignment(cost: Tensor) -> Tensor:
    """Solve the linear assignment problem for each photo: the column of each row, ``(B, n)`` int.

    Exact dynamic programming over sets of columns, for all photos at once: after ``i`` rows the
    minimum cost of every set of ``i`` used columns is known (Bellman, and Held and Karp, 1962).
    There are ``2^n`` sets, fewer than a hundred for most photos. The Hungarian method is cubic, but
    would process the photos one by one.

    Args:
        cost: ``(B, n, n)`` float; infinity forbids a pair. Some assignment must be possible.

    Example:
        >>> cheapest_assignment(torch.tensor([[[1.0, 2.0], [3.0, 9.0]]])).tolist()
        [[1, 0]]
    """
    photos, size, _ = cost.shape
    bits = 2 ** torch.arange(size, device=cost.device)
    sets = torch.arange(2**size, device=cost.device)[:, None]
    # This also takes out columns that were not in; only by adding one with each row is the set full
    # at the end.
    before = sets ^ bits
    least = cost.new_full((photos, len(sets)), torch.inf)
    least[:, 0] = 0
    choices = []
    for row in cost.split(1, dim=1):
        least, choice = (least[:, before] + row).min(2)
        choices.append(choice)
    used, columns = sets[-1].expand(photos, 1), []
    for choice in reversed(choices):
        columns.append(choice.gather(1, used))
        used = used ^ bits[columns[-1]]
    return torch.cat(columns[::-1], 1)


def aligned_labels(log_p: Tensor, present: Tensor, predicted: Tensor | None, steps: int) -> Tensor:
    """Assign a photo's labels to its first steps, one each, so that the loss is minimal.

    Yazici et al., section 4. A photo with more labels than steps keeps the predicted ones, then
    those that are most probable at their best step.

    Args:
        log_p: ``(B, S, L)`` float, log-probability of each label at each step; ``S >= steps``.
        present: ``(B, L)`` bool.
        predicted: ``(B, S)`` int, the prediction at each step, ``L`` for none. A present label
            keeps the step at which it is first predicted (PLA). None for MLA.
        steps: Number of steps that get a label, in [1, ``L``].

    Returns:
        ``(B, steps)`` int, the labels; arbitrary after the photo's own.

    Example:
        >>> log_p = -torch.tensor([[[1.0, 0, 0], [5, 0, 1]]])
        >>> aligned_labels(log_p, torch.tensor([[True, False, True]]), None, 2).tolist()
        [[0, 2]]
    """
    labels = present.shape[1]
    count = present.sum(1).clamp(max=steps)
    own = torch.arange(steps, device=present.device) < count[:, None]
    cost = -log_p[:, :steps].masked_fill(~present[:, None], 0)
    worth = cost.masked_fill(~own[:, :, None], torch.inf).amin(1).masked_fill(~present, torch.inf)
    kept = torch.zeros_like(cost, dtype=torch.bool)
    if predicted is not None:
        match = predicted[:, :steps, None] == torch.arange(labels, device=present.device)
        right = match & own[:, :, None] & present[:, None]
        kept = right & (right.cumsum(1) == 1)
        worth = worth.masked_fill(kept.any(1), -torch.inf)
    chosen = worth.topk(steps, largest=False).indices
    pairs = chosen[:, None].expand(-1, steps, -1)
    kept = kept.gather(2, pairs)
    allowed = (own[:, :, None] == own[:, None]) & (kept | ~kept.any(2, keepdim=True))
    place = cheapest_assignment(cost.gather(2, pairs).masked_fill(~allowed, torch.inf))
    return chosen.gather(1, place)
