"""Evidence in boxes and in cells: which boxes and cells show a label, and the losses of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torchvision.ops import box_iou

from tagsight.nn.regions import box_coverage

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.losses import Reduction

SMALLEST = 1e-6
"""Smallest distance of a probability from 0 and 1."""


def box_shares(named: Tensor, chosen: Tensor) -> Tensor:
    """Compute the share of each box in the score of each label, as a logarithm.

    WSDDN (Bilen and Vedaldi, CVPR 2016): the product of a softmax over labels, which here has an
    additional logit of 0 for no label, and a softmax over boxes. The sum over boxes is below 1.

    Args:
        named: ``(B, R, L)`` float, logits of the label that a box shows.
        chosen: ``(B, R, L)`` float, logits of the box that shows a label.

    Returns:
        ``(B, R, L)`` float, at most 0.

    Example:
        >>> box_shares(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)).exp().sum(1)
        tensor([[0.5000]])
    """
    return _with_nothing(named).log_softmax(-1)[..., 1:] + chosen.log_softmax(1)


def _with_nothing(named: Tensor) -> Tensor:
    return F.pad(named, (1, 0))


def log_odds(log_scores: Tensor) -> Tensor:
    """Convert logarithms of scores to logits, bounded for scores of 1.

    Example:
        >>> log_odds(torch.tensor([0.25, 0.5, 1.0]).log())
        tensor([-1.0986,  0.0000, 13.8155])
    """
    return log_scores - (-log_scores.expm1()).clamp(min=SMALLEST).log()


def mean_of_scores(logits: list[Tensor]) -> Tensor:
    """Compute the logits of the mean of scores from their logits, without rounding at extremes.

    Example:
        >>> mean_of_scores([torch.tensor([0.0]), torch.tensor([100.0])]).sigmoid()
        tensor([0.7500])
    """
    stacked = torch.stack(logits)
    present, absent = F.logsigmoid(stacked), F.logsigmoid(-stacked)
    return present.logsumexp(0) - absent.logsumexp(0)


def covered_by_boxes(scores: Tensor, boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """Sum the scores of the boxes that cover a cell, weighted by coverage.

    Args:
        scores: ``(B, R, L)`` float, share of each box in the score of each label.
        boxes: ``(R, 4)`` float.
        grid: Height and width of the grid, in cells.

    Returns:
        ``(B, L, h, w)`` float, at most the score of the label.

    Example:
        >>> left_half, whole = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)
        >>> scores = torch.tensor([[[0.4], [0.2]]])  # of both boxes, for one label
        >>> covered_by_boxes(scores, torch.tensor([left_half, whole]), (1, 2))
        tensor([[[[0.6000, 0.2000]]]])
    """
    return torch.einsum("brl,rhw->blhw", scores, box_coverage(boxes, grid))


def hot_cells(heat: Tensor) -> Tensor:
    """Find cells above the middle of their map's range: ``(B, L, h, w)`` bool.

    The usual fraction of the maximum would depend on the offset of the map.

    Example:
        >>> hot_cells(torch.tensor([[[[-3.0, -1.0, 0.0]]]]))
        tensor([[[[False,  True,  True]]]])
    """
    middle = (heat.amin((-2, -1), keepdim=True) + heat.amax((-2, -1), keepdim=True)) / 2
    return heat >= middle


def agreeing(shares: Tensor, hot: Tensor, boxes: Tensor, agreement: float) -> Tensor:
    """Find boxes that overlap with both the box of the highest share and the best box for the heat.

    Args:
        shares: ``(B, R, L)`` float, increasing with a box's share in the score of a label.
        hot: ``(B, L, h, w)`` bool, hot cells; the best box overlaps most with them.
        boxes: ``(R, 4)`` float.
        agreement: Overlap (IoU) above which boxes agree.

    Returns:
        ``(B, L, R)`` bool.

    Example:
        >>> left_half, whole = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)
        >>> shares = torch.tensor([[[0.9], [0.1]]])  # the left half has most of the score
        >>> hot = torch.tensor([[[[True, False]]]])  # and the heat
        >>> agreeing(shares, hot, torch.tensor([left_half, whole]), agreement=0.5)
        tensor([[[ True, False]]])
    """
    heat = hot.to(boxes.dtype)
    coverage = box_coverage(boxes, hot.shape[-2:])
    shared = torch.einsum("blhw,rhw->blr", heat, coverage)
    either = heat.sum((-2, -1))[..., None] + coverage.sum((-2, -1)) - shared
    near = box_iou(boxes, boxes) > agreement
    return near[shares.argmax(1)] & near[(shared / either).argmax(-1)]


def typical(nearness: Tensor, candidates: Tensor) -> Tensor:
    """Select candidates at least as typical of their label as the median: ``(B, L, R)`` bool.

    Args:
        nearness: ``(B, L, R)`` float, higher for boxes that are more typical of the label.
        candidates: ``(B, L, R)`` bool.

    Example:
        >>> candidates = torch.tensor([[[True, True, True, False]]])
        >>> typical(torch.tensor([[[0.9, 0.1, 0.5, 0.7]]]), candidates)
        tensor([[[ True, False,  True, False]]])
    """
    median = nearness.masked_fill(~candidates, torch.nan).nanmedian(-1, keepdim=True).values
    return candidates & (nearness >= median)


def within(kept: Tensor, boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """Find cells that some kept box covers by more than half.

    Args:
        kept: ``(B, L, R)`` bool.
        boxes: ``(R, 4)`` float.
        grid: Height and width of the grid, in cells.

    Returns:
        ``(B, L, h, w)`` bool.

    Example:
        >>> boxes = torch.tensor([(0.0, 0.0, 0.6, 1.0)])
        >>> within(torch.tensor([[[True]]]), boxes, (1, 2))
        tensor([[[[ True, False]]]])
    """
    covered = (box_coverage(boxes, grid) > 0.5).to(boxes.dtype)
    return torch.einsum("blr,rhw->blhw", kept.to(boxes.dtype), covered) > 0


def box_loss(named: Tensor, kept: Tensor, targets: Tensor) -> Tensor:
    """Compute the cross-entropy of kept boxes, averaged over the boxes, then over photos.

    Args:
        named: ``(B, R, L)`` float, logits of the label that a box shows.
        kept: ``(B, L, R)`` bool; a box kept for two labels counts for each.
        targets: ``(B, L)`` int in {1, 0, -1}; unknown labels are excluded from the softmax.

    Example:
        >>> named = torch.tensor([[[3.0], [1.0]]]).log()  # odds of the label to none, of two boxes
        >>> kept = torch.tensor([[[True, False]]])
        >>> box_loss(named, kept, torch.tensor([[1]])).exp()  # 1 / (3 / 4)
        tensor(1.3333)
    """
    possible = named.masked_fill((targets < 0)[:, None], torch.finfo(named.dtype).min)
    losses = -_with_nothing(possible).log_softmax(-1)[..., 1:].mT
    return (losses.where(kept, 0).sum((1, 2)) / kept.sum((1, 2)).clamp(min=1)).mean()


def cell_loss(
    cells: Tensor, shown: Tensor, targets: Tensor, reduction: Reduction = "sum"
) -> Tensor:
    """Compute the cross-entropy of cells with evidence of a present label and all of absent labels.

    Other cells of present labels are ignored. Averaged over the cells of a label, then over photos.

    Args:
        cells: ``(B, L, h, w)`` float, logits.
        shown: ``(B, L, h, w)`` bool, cells with evidence of present labels.
        targets: ``(B, L)`` int in {1, 0, -1}.
        reduction: ``sum`` or ``mean`` over the known labels of a photo.

    Example:
        >>> cells = torch.tensor([[[[0.0, 3.0]]]])
        >>> shown = torch.tensor([[[[True, False]]]])  # nothing is asked of the other cell
        >>> cell_loss(cells, shown, torch.tensor([[1]]))
        tensor(0.6931)
    """
    counted = shown | (targets == 0)[..., None, None]
    wanted = shown.to(cells.dtype)
    losses = F.binary_cross_entropy_with_logits(cells, wanted, reduction="none")
    sums = losses.where(counted, 0).sum((-2, -1))
    loss = (sums / counted.sum((-2, -1)).clamp(min=1)).sum(1)
    if reduction == "mean":
        loss = loss / (targets >= 0).sum(1).clamp(min=1)
    return loss.mean()
