"""Scores of an encoder's own classes as further features of every cell.

An encoder that was pretrained as a classifier knows its classes by more than its features say: the
softmax over 1,000 of them tells a flower pot from all else, where a linear classifier over features
would have to learn that from a label's few photos. Torresani et al., Efficient Object Category
Recognition Using Classemes, ECCV 2010; per place, Li et al., Object Bank, NIPS 2010. The square
root of a softmax compares as the Hellinger kernel does (Arandjelovic and Zisserman, CVPR 2012).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.runtime.precision import widened

GAIN = 5.0
"""Length of a cell's class scores. Features of EfficientNet-Lite0 have one of 14, in the median."""


class ClassScores(nn.Module):
    """Appends to a feature grid how likely each cell shows each of the encoder's own classes.

    The classifier keeps its weights, and no gradient passes through it: features are trained by
    what labels make of them alone, in half the time. In a map, class scores count as all features
    do, so that with average pooling a label's map still averages to its logit.

    Args:
        classifier: The classifier over the mean of the grid: ``D`` features, ``K`` classes.

    Attributes:
        classes: ``K``.

    Example:
        >>> scores = ClassScores(nn.Linear(8, 3))
        >>> grid = scores(torch.rand(2, 8, 4, 4))
        >>> grid.shape, torch.allclose(grid[:, 8:].norm(dim=1), torch.tensor(GAIN))
        (torch.Size([2, 11, 4, 4]), True)
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classes = classifier.out_features
        bias = torch.zeros(self.classes) if classifier.bias is None else classifier.bias.detach()
        self.register_buffer("weight", classifier.weight.detach().clone())
        self.register_buffer("bias", bias.clone())

    def forward(self, grid: Tensor) -> Tensor:
        """Append the scores: ``(B, D, h, w) -> (B, D + K, h, w)``."""
        cells = grid.movedim(1, -1)
        logits = F.linear(cells.detach(), self.weight.to(grid.dtype), self.bias.to(grid.dtype))
        scores = GAIN * (widened(logits).log_softmax(-1) / 2).exp()
        return torch.cat((cells, scores.to(grid.dtype)), -1).movedim(-1, 1)


def take_classifier(
    network: Any,  # noqa: ANN401 (timm is untyped)
    example: tuple[Tensor, Tensor] | None = None,
) -> nn.Linear | None:
    """Extract the classifier of a timm model, if it classifies the mean of the feature grid.

    Args:
        network: A timm model with its classifier, which is removed if it is returned.
        example: A normalised image ``(1, 3, H, W)`` and its grid ``(1, D, h, w)``, to see whether
            the classifier suits it; without one that is taken for granted.

    Returns:
        The classifier; None if there is none, or if it sees more than the mean, as the class token
        of a vision transformer.

    Example:
        >>> import timm
        >>> take_classifier(timm.create_model("test_resnet")).out_features
        1000
        >>> take_classifier(timm.create_model("mobilenetv3_small_050")) is None
        True
    """
    classifier = network.get_classifier() if hasattr(network, "get_classifier") else None
    if not isinstance(classifier, nn.Linear) or classifier.in_features != network.num_features:
        return None
    if example is not None and not _suits(classifier, network, *example):
        return None
    network.reset_classifier(0)
    return classifier


def _suits(classifier: nn.Linear, network: nn.Module, image: Tensor, grid: Tensor) -> bool:
    training = network.training
    with torch.no_grad():
        expected = network.eval()(image)
    network.train(training)
    return torch.allclose(classifier(grid.mean((-2, -1))), expected, rtol=1e-3, atol=1e-4)
