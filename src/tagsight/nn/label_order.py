"""In which order a decoder is taught the labels of a photo.

By frequency: Wang et al., CNN-RNN, CVPR 2016. By confidence: Chen et al., Order-Free RNN with
Visual Attention for Multi-Label Classification, AAAI 2018. By the smallest loss: Yazici et al.,
Orderless Recurrent Models for Multi-label Classification, CVPR 2020.

No rule asks for the place of a label among the others: where counts tie, confidence decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

Order = Literal["frequent", "rare", "confidence", "mla", "pla"]


def label_priority(counts: Tensor, order: Order) -> Tensor:
    """How early each label comes: ``(L,) int -> (L,) int``, at least 0, the highest first.

    Labels of equal counts have equal priority; by ``confidence``, and by the two alignments, all.
    """
    if order in {"frequent", "rare"}:
        _, rank = counts.unique(return_inverse=True)
        return rank if order == "frequent" else rank.max() - rank
    return torch.zeros_like(counts)


def next_label(log_p: Tensor, remaining: Tensor, priority: Tensor) -> Tensor:
    """Choose which of the remaining labels comes next: the most confident of highest priority.

    Args:
        log_p: ``(B, L)`` float, how probable each label is to come next.
        remaining: ``(B, L)`` bool.
        priority: ``(L,)`` int, at least 0.

    Returns:
        ``(B,)`` int; of a photo with no remaining label, any.
    """
    rank = torch.where(remaining, priority, -1)
    first = remaining & (rank == rank.amax(1, keepdim=True))
    return log_p.masked_fill(~first, -torch.inf).argmax(1)


def cheapest_assignment(cost: Tensor) -> Tensor:
    """Give each row a column of its own so that the costs add up to the least: ``-> (B, n)`` int.

    Exact, for all photos at once: after ``i`` rows the cheapest way to have used each set of ``i``
    columns is known (Bellman, and Held and Karp, 1962). There are ``2^n`` sets, fewer than a
    hundred for most photos; the Hungarian method is cubic, but goes photo by photo.

    Args:
        cost: ``(B, n, n)`` float; infinity forbids. Some assignment must be allowed.
    """
    size = cost.shape[1]
    bits = 2 ** torch.arange(size, device=cost.device)
    sets = torch.arange(2**size, device=cost.device)[:, None]
    has = sets & bits > 0
    before = sets ^ bits
    least = torch.full((cost.shape[0], 2**size), torch.inf, dtype=cost.dtype, device=cost.device)
    least[:, 0] = 0
    choices = []
    for row in range(size):
        total = least[:, before] + cost[:, row, None, :]
        least, choice = total.masked_fill(~has, torch.inf).min(2)
        choices.append(choice)
    used = torch.full_like(cost[:, :1, 0], 2**size - 1, dtype=torch.long)
    columns = torch.empty(cost.shape[:2], dtype=torch.long, device=cost.device)
    for row in reversed(range(size)):
        columns[:, row] = choices[row].gather(1, used)[:, 0]
        used = used ^ bits[columns[:, row, None]]
    return columns


def aligned_labels(log_p: Tensor, present: Tensor, predicted: Tensor | None, steps: int) -> Tensor:
    """Give the first steps of a photo its labels, one each, at the smallest loss.

    Yazici et al., section 4. A photo with more labels than steps keeps those that were predicted,
    then those that are most probable at their best step.

    Args:
        log_p: ``(B, S, L)`` float, how probable each label is at each step; at least ``steps``.
        present: ``(B, L)`` bool.
        predicted: ``(B, S)`` int, what was predicted at each step, ``L`` for none: a label that is
            present keeps the step where it was predicted first (PLA). None for MLA.
        steps: At how many steps labels are taught, at least 1 and at most ``L``.

    Returns:
        ``(B, steps)`` int, the labels; behind a photo's own stand others.
    """
    labels = present.shape[1]
    count = present.sum(1).clamp(max=steps)
    own = torch.arange(steps, device=present.device) < count[:, None]
    cost = -log_p[:, :steps].masked_fill(~present[:, None], 0)
    worth = cost.masked_fill(~own[:, :, None], torch.inf).amin(1).masked_fill(~present, torch.inf)
    kept = torch.zeros_like(cost, dtype=torch.bool)
    if predicted is not None:
        said = predicted[:, :steps, None] == torch.arange(labels, device=present.device)
        right = said & own[:, :, None] & present[:, None]
        kept = right & (right.cumsum(1) == 1)
        worth = worth.masked_fill(kept.any(1), -torch.inf)
    chosen = worth.topk(steps, largest=False).indices
    pairs = chosen[:, None].expand(-1, steps, -1)
    kept = kept.gather(2, pairs)
    taken = kept.any(2, keepdim=True) | kept.any(1, keepdim=True)
    allowed = (own[:, :, None] == own[:, None]) & (kept | ~taken)
    place = cheapest_assignment(cost.gather(2, pairs).masked_fill(~allowed, torch.inf))
    return chosen.gather(1, place)
