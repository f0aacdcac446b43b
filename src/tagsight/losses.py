"""Terms of the objectives, in which unknown targets have no part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

ConsistencyError = Literal["squared", "norm", "relative"]


def label_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    reduction: Literal["sum", "mean"] = "sum",
    weights: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Binary cross-entropy over the known targets, averaged over photos.

    G-CAM Eq. 9 with the minus sign that the equation lacks.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}.
        reduction: ``sum`` over a photo's labels (Eq. 9), or their ``mean`` (the function that the
            paper's footnote names).
        weights: ``(2, L)`` float, weights of absent and of present labels.
        smoothing: The score that an absent label should have, in [0, 0.5); a present one should
            have as much less than 1.
    """
    wanted = targets.to(logits.dtype).clamp(smoothing, 1 - smoothing)
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    if weights is not None:
        loss = loss * torch.where(targets == 1, weights[1], weights[0])
    loss = (loss * (targets >= 0)).sum(1)
    if reduction == "mean":
        loss = loss / (targets >= 0).sum(1).clamp(min=1)
    return loss.mean()


def vac_label_weights(frequency: Tensor) -> Tensor:
    """Weights of absent and of present labels as VAC's released code sets them: ``(L,) -> (2, L)``.

    Args:
        frequency: ``(L,)`` float, share of the training photos with the label, in [0, 1].
    """
    frequency = frequency.float()
    return torch.stack([frequency.exp(), (1 - frequency).exp()])


def map_consistency(maps: Tensor, others: Tensor, error: ConsistencyError) -> Tensor:
    """Distance between two stacks of maps of the same photos in the same frame (G-CAM Eq. 12).

    Args:
        maps: ``(B, L, h, w)`` float.
        others: ``(B, L, h, w)`` float.
        error: ``squared`` is the mean squared difference (VAC's released code); ``norm`` is Eq. 12
            as printed, the unsquared Euclidean norm of each label's difference over ``L h w``;
            ``relative`` is ``squared`` over the variance of a label's maps, over cells and photos,
            averaged over labels. It is the same for maps of any unit, and its gradient has no part
            that makes all maps flatter, since the variance has a gradient too.
    """
    difference = maps - others
    if error == "norm":
        height, width = maps.shape[-2:]
        return torch.linalg.vector_norm(difference, dim=(-2, -1)).mean() / (height * width)
    squared = difference.square().mean()
    if error == "relative":
        variance = torch.cat([maps, others]).var((0, 2, 3)).mean()
        return squared / variance.clamp(min=1e-6)
    return squared
