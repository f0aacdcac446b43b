"""From a feature grid and one classifier a label to logits and class activation maps.

Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. Everything here is
at least in float32, whatever the region around it is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import Pooling


def pooled(features: Tensor, pooling: Pooling) -> Tensor:
    """Reduce a feature grid to one vector a photo: ``(B, D, h, w) -> (B, D)``."""
    features = widened(features)
    return features.mean((-2, -1)) if pooling == "average" else features.amax((-2, -1))


def class_logits(embedding: Tensor, classifiers: Tensor, bias: Tensor | None = None) -> Tensor:
    """Weigh an embedding by each label's classifier: ``(B, D), (L, D) -> (B, L)``.

    G-CAM Eq. 8.
    """
    with full_precision(embedding.device):
        return F.linear(widened(embedding), classifiers, bias)


def class_maps(features: Tensor, classifiers: Tensor, bias: Tensor | None = None) -> Tensor:
    """Weigh the feature grid by each label's classifier: ``(B, D, h, w), (L, D) -> (B, L, h, w)``.

    G-CAM Eq. 10. The bias, if any, stands in every cell.
    """
    with full_precision(features.device):
        maps = torch.einsum("bdhw,ld->blhw", widened(features), classifiers)
    return maps if bias is None else maps + bias[:, None, None]
