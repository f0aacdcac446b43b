"""Grad-CAM, one kind of evidence that is defined for every system.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra. Grad-CAM: Visual Explanations from Deep
Networks via Gradient-based Localization. IJCV 2020. https://arxiv.org/abs/1610.02391
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from tagsight.systems.base import System


def grad_cam(system: System, images: Tensor, labels: Sequence[int]) -> Tensor:
    """Weight the channels of the backbone's feature grid by the mean gradient of a label's logit.

    Eqs. 1 and 2. Takes one backward pass per label, none of them through the backbone. For a linear
    classifier on average-pooled features the result is the rectified class activation map without
    bias, divided by ``h w``. Modes, hooks and gradients of the system are left as they were.

    Args:
        system: Run in evaluation mode, whatever its mode.
        images: ``(B, 3, H, W)`` float in [0, 1].
        labels: Indices of the labels, the same for every image.

    Returns:
        ``(B, len(labels), h, w)`` float, at least 0, without gradient.

    Raises:
        ValueError: If the system's backbone gives no feature grid.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["resnet-cpu"], empty_label_space(["dog", "sky"]))
        >>> maps = grad_cam(system, torch.rand(1, 3, 64, 64), [0, 1])
        >>> maps.shape[:2], bool((maps >= 0).all())
        (torch.Size([1, 2]), True)
    """
    with torch.inference_mode(mode=False), torch.enable_grad(), _evaluating(system):
        features, logits = _features_and_logits(system, images)
        maps = [_label_map(features, logits[:, label]) for label in labels]
    height, width = features.shape[-2:]
    return torch.stack(maps, 1) if maps else features.new_zeros(len(images), 0, height, width)


def _label_map(features: Tensor, logits: Tensor) -> Tensor:
    # The sum over images separates: in evaluation mode no logit depends on another image.
    (gradient,) = torch.autograd.grad(logits.sum(), features, retain_graph=True)
    weights = gradient.mean((-2, -1), keepdim=True)
    return F.relu((weights * features.detach()).sum(1))


def _features_and_logits(system: System, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the backbone's features as a leaf of the graph, and the logits."""
    owner = threading.get_ident()  # other threads may be using the system
    leaves: list[Tensor] = []

    def without_graph(*_: object) -> None:
        if threading.get_ident() == owner:
            torch.set_grad_enabled(False)

    def as_leaf(_module: nn.Module, _inputs: object, features: Tensor) -> Tensor | None:
        if threading.get_ident() != owner:
            return None
        torch.set_grad_enabled(True)
        if features.ndim != 4:
            msg = f"expected features (B, D, h, w) of the backbone, got {tuple(features.shape)}"
            raise ValueError(msg)
        leaves.append(features.detach().float().requires_grad_())
        return leaves[-1]

    hooks = [
        system.backbone.register_forward_pre_hook(without_graph),
        system.backbone.register_forward_hook(as_leaf),
    ]
    try:
        logits = system(images).logits
    finally:
        for hook in hooks:
            hook.remove()
    if len(leaves) != 1:
        msg = f"expected a system that uses its backbone once an image, got {len(leaves)} times"
        raise ValueError(msg)
    return leaves[0], logits


@contextmanager
def _evaluating(system: System) -> Iterator[None]:
    modes = {module: module.training for module in system.modules()}
    if any(modes.values()):
        system.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
