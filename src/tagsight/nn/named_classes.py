"""Classifiers that begin with what a label's name says about the encoder's own classes."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.labels.imagenet import CLASSES, imagenet_classes
from tagsight.nn.backbones import initial_weights_skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.nn.encoder_base import Backbone

log = logging.getLogger(__name__)


class NamedClasses(nn.Module):
    """Adds, to each label's classifier, the class scores that the label's name stands for.

    A label starts as the classes that the encoder was pretrained to tell apart and that WordNet has
    under the label's name (`imagenet_classes`), with a weight of 1, and what was given is learned
    from photos beside it; so is the weight. The addition has length 1 for a weight of 1, however
    many classes there are, and counts in a label's map as the rest of its classifier does.

    Args:
        matches: ``(L, K)`` bool, which classes a label stands for, possibly none.
        channels: ``D`` of the feature grid.
        first: Channel of the first class score (`Backbone.first_class`).

    Example:
        >>> named = NamedClasses(torch.tensor([[True, False, True], [False] * 3]), 5, first=2)
        >>> named(torch.zeros(2, 5)).detach().square()
        tensor([[0.0000, 0.0000, 0.5000, 0.0000, 0.5000],
                [0.0000, 0.0000, 0.0000, 0.0000, 0.0000]])
    """

    matches: Tensor

    def __init__(self, matches: Tensor, channels: int, first: int) -> None:
        super().__init__()
        self.around = (first, channels - first - matches.shape[1])
        self.weight = nn.Parameter(torch.ones(len(matches)))
        self.register_buffer("matches", matches)

    def forward(self, classifiers: Tensor) -> Tensor:
        """Add the classes: ``(L, D) -> (L, D)``, or ``(L, K', D)`` for several classifiers each."""
        classes = F.normalize(self.matches.to(classifiers.dtype), dim=1)
        named = F.pad(self.weight.unsqueeze(1) * classes, self.around)
        return classifiers + (named if classifiers.dim() == named.dim() else named.unsqueeze(1))


def named_classes(names: Sequence[str], backbone: Backbone, *, wanted: bool) -> nn.Module:
    """Make what adds the classes that labels are named after to their classifiers.

    Within `skip_initial_weights` no names are looked up, as what a saved model found replaces it.

    Args:
        names: The ``L`` labels.
        backbone: Its class scores are those of the classes of ImageNet; others have no known names.
        wanted: Whether to add anything.

    Returns:
        A module from classifiers ``(L, D)`` to classifiers: `NamedClasses`, or the identity.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> backbone = build_backbone(BackboneConfig(class_scores=True))
        >>> by_name = named_classes(["dog", "mood"], backbone, wanted=True)
        >>> by_name(torch.zeros(2, backbone.channels)).norm(dim=1).round().tolist()
        [1.0, 0.0]
    """
    if not wanted or not _has_known_classes(backbone):
        return nn.Identity()
    if initial_weights_skipped():
        matches = torch.zeros(len(names), CLASSES, dtype=torch.bool)
    else:
        matches = imagenet_classes(names)
        _tell(tuple(names), tuple(matches.any(1).tolist()))
    return NamedClasses(matches, backbone.channels, backbone.first_class)


@cache
def _tell(names: tuple[str, ...], known: tuple[bool, ...]) -> None:
    """Say once, though comparisons build many systems, which labels have classes."""
    found = [repr(name) for name, one in zip(names, known, strict=True) if one]
    log.info(
        "labels named after classes of the encoder: %d of %d%s",
        len(found),
        len(names),
        f", such as {', '.join(found[:3])}" if found else "",
    )


def class_directions(names: Sequence[str], backbone: Backbone) -> Tensor | None:
    """Find the classifiers that labels have by their names alone, of length 1.

    Args:
        names: The ``L`` labels.
        backbone: The encoder, as in `named_classes`.

    Returns:
        ``(L, D)`` float32, zeros for labels that stand for no class; None if all do.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> backbone = build_backbone(BackboneConfig(class_scores=True))
        >>> class_directions(["dog", "mood"], backbone).norm(dim=1).round().tolist()
        [1.0, 0.0]
        >>> class_directions(["mood"], backbone)
    """
    if not _has_known_classes(backbone):
        return None
    matches = imagenet_classes(names)
    if not bool(matches.any()):
        return None
    module = NamedClasses(matches, backbone.channels, backbone.first_class)
    return module(torch.zeros(len(names), backbone.channels)).detach()


def _has_known_classes(backbone: Backbone) -> bool:
    scores = backbone.class_scores
    return scores is not None and scores.classes == CLASSES
