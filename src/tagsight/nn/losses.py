"""Terms of the objectives, in which unknown targets have no part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F

from tagsight.runtime.precision import widened

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import AsymmetricConfig

ConsistencyError = Literal["squared", "norm", "relative"]
Reduction = Literal["sum", "mean"]
Ranking = Literal["exact", "sampled", "softmax", "hinge"]


def label_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    reduction: Reduction = "sum",
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    asymmetric: AsymmetricConfig | None = None,
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
        asymmetric: If given, `asymmetric_cross_entropy` takes the place of binary cross-entropy,
            and ``smoothing`` has no part.
    """
    logits = widened(logits)
    if asymmetric is None:
        wanted = targets.to(logits.dtype).clamp(smoothing, 1 - smoothing)
        loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    else:
        loss = asymmetric_cross_entropy(logits, targets, asymmetric)
    if weights is not None:
        loss = loss * torch.where(targets == 1, weights[1], weights[0])
    loss = (loss * (targets >= 0)).sum(1)
    if reduction == "mean":
        loss = loss / (targets >= 0).sum(1).clamp(min=1)
    return loss.mean()


def asymmetric_cross_entropy(logits: Tensor, targets: Tensor, config: AsymmetricConfig) -> Tensor:
    """Cross-entropy of each label, less of it where the label is easy: ``(B, L) -> (B, L)``.

    Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021, Eqs. 4-7,
    https://arxiv.org/abs/2009.14119: with the score ``p``, the margin ``m`` and
    ``q = max(p - m, 0)``, a present label costs ``-(1 - p)^gamma_positive log p`` and an absent one
    ``-q^gamma_negative log(1 - q)``.

    The released code stops its logarithms at 1e-8 (Query2Label's at 1e-5), so that a present label
    below a logit of -18.4 (-11.5) costs 18.4 (11.5) and has no slope, and without a margin an
    absent label above the opposite logit. Here it costs what the equation says, 30 at -30.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int; whatever is not 1 is taken for absent.
        config: Both gammas, the margin, and whether the powers have a gradient.
    """
    logits = widened(logits)
    margin = logits.new_tensor(math.log(config.margin) if config.margin else -math.inf)
    # log(1 - q) = log min(1 - p + m, 1); no score is so near to 1 that its logarithm overflows.
    log_absent = torch.logaddexp(F.logsigmoid(-logits), margin).clamp(max=0)
    # Above 0 since a power below 1 has no gradient there.
    smallest = torch.finfo(logits.dtype).eps
    hard_absent = (logits.sigmoid() - config.margin).clamp(min=smallest) ** config.gamma_negative
    hard_present = (-logits).sigmoid().clamp(min=smallest) ** config.gamma_positive
    weight = torch.where(targets == 1, hard_present, hard_absent)
    if config.detach_weight:
        weight = weight.detach()
    return -weight * torch.where(targets == 1, F.logsigmoid(logits), log_absent)


def ranking_loss(
    logits: Tensor,
    targets: Tensor,
    ranking: Ranking = "exact",
    *,
    reduction: Reduction = "sum",
    violators: Reduction = "sum",
    trials: int | None = None,
) -> Tensor:
    """How far absent labels of a photo come before its present ones, averaged over photos.

    Gong et al., Deep Convolutional Ranking for Multilabel Image Annotation, ICLR 2014,
    https://arxiv.org/abs/1312.4894, sections 3.1-3.3. With logits ``f``, an absent label ``k``
    violates the margin of a present label ``j`` by ``v_jk = max(0, 1 - f_j + f_k)``.

    - ``exact``: WARP, the sum over ``j`` and ``k`` of ``H(r_j) v_jk``, where ``r_j`` is the number
      of violators of ``j`` and ``H(r) = 1 + 1/2 + ... + 1/r``.
    - ``sampled``: absent labels are drawn in random order until the first violator, the ``s``-th;
      ``j`` costs ``H(floor(n / s)) v_jk`` for that one ``k``, ``n`` being the number of absent
      labels, and nothing if there is no violator among ``trials``.
    - ``hinge``: the sum over ``j`` and ``k`` of ``v_jk``.
    - ``softmax``: cross-entropy of the softmax over the known labels against ``y / |y|``.

    The weights have no gradient. A photo without a present label costs nothing, and but for the
    softmax neither does one without an absent label.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}; an unknown label is neither present nor absent.
        ranking: Which of the four.
        reduction: ``sum`` over a photo's present labels, or their ``mean``, which the softmax is
            either way.
        violators: ``sum`` over ``k`` as written, or the ``mean`` over the violators of ``j``, which
            is what sampling one of them amounts to; for ``exact``.
        trials: Most labels that ``sampled`` draws for a present label; None draws all.
    """
    logits = widened(logits)
    present = targets == 1
    if ranking == "softmax":
        return _softmax_cross_entropy(logits, targets).mean()
    # (B, L, L), a row for each label of a photo; rows of labels that are not present are not used.
    absent = (targets == 0)[:, None, :]
    violations = (1 - logits[:, :, None] + logits[:, None, :]).clamp(min=0) * absent
    if ranking == "sampled":
        loss = _sampled_warp(violations, absent, trials)
    elif ranking == "exact":
        loss = _exact_warp(violations, violators)
    else:
        loss = violations.sum(2)
    loss = (loss * present).sum(1)
    if reduction == "mean":
        loss = loss / present.sum(1).clamp(min=1)
    return loss.mean()


def _exact_warp(violations: Tensor, violators: Reduction) -> Tensor:
    """``(B, L, L) -> (B, L)``: each row's violations weighed by their number."""
    ranks = (violations > 0).sum(2)
    loss = _harmonic_numbers(violations)[ranks] * violations.sum(2)
    return loss if violators == "sum" else loss / ranks.clamp(min=1)


def _sampled_warp(violations: Tensor, absent: Tensor, trials: int | None) -> Tensor:
    """``(B, L, L), (B, 1, L) -> (B, L)``: each row's first violator in an order of its own."""
    order = torch.rand_like(violations).masked_fill(~absent, math.inf)
    first, violator = order.masked_fill(violations <= 0, math.inf).min(2)
    drawn = (order <= first[:, :, None]).sum(2)
    found = first < math.inf
    if trials is not None:
        found = found & (drawn <= trials)
    ranks = absent.sum(2) // drawn
    weights = _harmonic_numbers(violations)[ranks * found]
    return weights * violations.gather(2, violator[:, :, None]).squeeze(2)


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """``(B, L), (B, L) -> (B,)``."""
    present = targets == 1
    lowest = torch.finfo(logits.dtype).min
    shares = logits.masked_fill(targets < 0, lowest).log_softmax(1)
    return -torch.where(present, shares, 0).sum(1) / present.sum(1).clamp(min=1)


def _harmonic_numbers(like: Tensor) -> Tensor:
    """``H(0), ..., H(L)`` for logits or violations whose last side is ``L``."""
    counts = torch.arange(1, like.shape[-1] + 1, dtype=like.dtype, device=like.device)
    return F.pad((1 / counts).cumsum(0), (1, 0))


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
