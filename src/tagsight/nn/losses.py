"""Terms of the objectives; unknown targets do not contribute to any of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F

from tagsight.nn.one_of import one_of_cost
from tagsight.runtime.precision import widened
from tagsight.runtime.step_share import drawn, uniform, variance_over_photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.config import AsymmetricConfig
    from tagsight.labels.one_of import OneOf

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
    one_of: Sequence[OneOf] = (),
) -> Tensor:
    """Binary cross-entropy over the known targets, averaged over photos.

    G-CAM Eq. 9 with the minus sign that the equation lacks.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}; or float, of mixed photos, in [0, 1] where known: a
            target between 0 and 1 costs so much of a present label and the rest of an absent one.
        reduction: ``sum`` over a photo's labels (Eq. 9), or their ``mean`` (the function that the
            paper's footnote names).
        weights: ``(2, L)`` float, weights of absent and of present labels.
        smoothing: Target score of an absent label, in [0, 0.5); that of a present one is 1 minus
            it.
        asymmetric: If given, `asymmetric_cross_entropy` replaces binary cross-entropy and
            ``smoothing`` is ignored.
        one_of: Groups of labels that exclude each other: each costs the cross-entropy of its
            softmax (`one_of_cost`), without weights, smoothing and asymmetry.

    Example:
        >>> logits, targets = torch.zeros(1, 3), torch.tensor([[1, 0, -1]])
        >>> round(label_loss(logits, targets).item(), 4)  # 2 log 2: the unknown label costs nothing
        1.3863
    """
    logits = widened(logits)
    costs = []
    for target in (0.0, 1.0):
        wanted = torch.full_like(logits, target)
        if asymmetric is None:
            wanted = wanted.clamp(smoothing, 1 - smoothing)
            costs.append(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none"))
        else:
            costs.append(asymmetric_cross_entropy(logits, wanted, asymmetric))
    absent, present = costs if weights is None else (weights[0] * costs[0], weights[1] * costs[1])
    loss = torch.lerp(absent, present, targets.to(logits.dtype).clamp(min=0))
    known = targets >= 0
    counted = known.clone()
    for group in one_of:
        counted[:, list(group.labels)] = False
    loss = (loss * counted).sum(1)
    for group in one_of:
        loss = loss + one_of_cost(logits, targets, group)
    if reduction == "mean":
        loss = loss / known.sum(1).clamp(min=1)
    return loss.mean()


def asymmetric_cross_entropy(logits: Tensor, targets: Tensor, config: AsymmetricConfig) -> Tensor:
    """Compute cross-entropy that down-weights easy labels: ``(B, L) -> (B, L)``.

    Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021, Eqs. 4-7,
    https://arxiv.org/abs/2009.14119: with the score ``p``, the margin ``m`` and
    ``q = max(p - m, 0)``, a present label costs ``-(1 - p)^gamma_positive log p`` and an absent one
    ``-q^gamma_negative log(1 - q)``.

    The released code clips the arguments of its logarithms at 1e-8 (Query2Label's at 1e-5). There a
    present label below a logit of -18.4 (-11.5) costs 18.4 (11.5) and has no gradient; without a
    margin so does an absent label above the opposite logit. This function follows the equation: a
    present label at -30 costs 30.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int; every value but 1 counts as absent.
        config: Both gammas, the margin, and whether the powers have a gradient.

    Example:
        >>> from tagsight.config import AsymmetricConfig
        >>> logits, targets = torch.tensor([[0.0, -4.0]]), torch.tensor([[1, 0]])
        >>> loss = asymmetric_cross_entropy(logits, targets, AsymmetricConfig(margin=0.05))
        >>> loss[0, 1].item() == 0  # a score of 0.018 lies below the margin
        True
    """
    logits = widened(logits)
    margin = logits.new_tensor(math.log(config.margin) if config.margin else -math.inf)
    # log(1 - q) = log min(1 - p + m, 1), computed in logs: 1 - p underflows for large logits.
    log_absent = torch.logaddexp(F.logsigmoid(-logits), margin).clamp(max=0)
    # Bounded away from 0, where a power below 1 has an infinite gradient.
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
    """Penalise absent labels of a photo that rank above its present ones, averaged over photos.

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

    The weights have no gradient. A photo without a present label costs nothing; except with the
    softmax, neither does one without an absent label.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}; an unknown label is neither present nor absent.
        ranking: One of the four losses.
        reduction: ``sum`` over a photo's present labels, or their ``mean``; the softmax is always a
            mean.
        violators: For ``exact``: ``sum`` over ``k`` as written, or the ``mean`` over the violators
            of ``j``, which is the expectation of sampling one of them.
        trials: Maximum number of labels that ``sampled`` draws for a present label; None draws all.

    Example:
        >>> logits, targets = torch.tensor([[2.0, 3.0, 1.5]]), torch.tensor([[1, 0, 0]])
        >>> ranking_loss(logits, targets, "hinge").item()  # violations 2 and 0.5
        2.5
        >>> ranking_loss(logits, targets).item()  # times H(2) = 1.5
        3.75
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
    """Weight each row's violations by their number: ``(B, L, L) -> (B, L)``."""
    ranks = (violations > 0).sum(2)
    loss = _harmonic_numbers(violations)[ranks] * violations.sum(2)
    return loss if violators == "sum" else loss / ranks.clamp(min=1)


def _sampled_warp(violations: Tensor, absent: Tensor, trials: int | None) -> Tensor:
    """Draw the first violator of each row in random order: ``(B, L, L), (B, 1, L) -> (B, L)``."""
    order = drawn(torch.empty_like(violations), uniform).masked_fill(~absent, math.inf)
    first, violator = order.masked_fill(violations <= 0, math.inf).min(2)
    tried = (order <= first[:, :, None]).sum(2)
    found = first < math.inf
    if trials is not None:
        found = found & (tried <= trials)
    ranks = absent.sum(2) // tried
    weights = _harmonic_numbers(violations)[ranks * found]
    return weights * violations.gather(2, violator[:, :, None]).squeeze(2)


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the loss of each photo: ``(B, L), (B, L) -> (B,)``."""
    present = targets == 1
    lowest = torch.finfo(logits.dtype).min
    shares = logits.masked_fill(targets < 0, lowest).log_softmax(1)
    return -torch.where(present, shares, 0).sum(1) / present.sum(1).clamp(min=1)


def _harmonic_numbers(like: Tensor) -> Tensor:
    """Compute ``H(0), ..., H(L)`` for a tensor whose last dimension is ``L``."""
    counts = torch.arange(1, like.shape[-1] + 1, dtype=like.dtype, device=like.device)
    return F.pad((1 / counts).cumsum(0), (1, 0))


def vac_label_weights(frequency: Tensor) -> Tensor:
    """Compute the loss weights of absent and present labels, as VAC's released code does.

    Args:
        frequency: ``(L,)`` float, fraction of the training photos with the label, in [0, 1].

    Returns:
        ``(2, L)`` float: weights of absent labels, then of present ones.

    Example:
        >>> vac_label_weights(torch.tensor([0.0, 1.0])).round(decimals=3).tolist()
        [[1.0, 2.7179999351501465], [2.7179999351501465, 1.0]]
    """
    frequency = frequency.float()
    return torch.stack([frequency.exp(), (1 - frequency).exp()])


def map_consistency(maps: Tensor, others: Tensor, error: ConsistencyError) -> Tensor:
    """Measure the distance between two stacks of maps in the same frame (G-CAM Eq. 12).

    Args:
        maps: ``(B, L, h, w)`` float.
        others: ``(B, L, h, w)`` float.
        error: ``squared`` is the mean squared difference (VAC's released code); ``norm`` is Eq. 12
            as printed, the unsquared Euclidean norm of each label's difference over ``L h w``;
            ``relative`` is ``squared`` over the variance of a label's maps, over cells and the
            photos of all processes, averaged over labels. It does not depend on the unit of the
            maps, and flattening all maps does not lower it, since the variance has a gradient too.

    Example:
        >>> maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> map_consistency(maps, maps.flip(-1), "squared").item()
        1.0
    """
    difference = maps - others
    if error == "norm":
        height, width = maps.shape[-2:]
        return torch.linalg.vector_norm(difference, dim=(-2, -1)).mean() / (height * width)
    squared = difference.square().mean()
    if error == "relative":
        variance = variance_over_photos(torch.cat([maps, others])).mean()
        return squared / variance.clamp(min=1e-6)
    return squared
