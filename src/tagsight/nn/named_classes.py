"""Evidence for a label by the encoder's own classes that the label's name stands for."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tagsight.labels.imagenet import CLASSES, imagenet_classes
from tagsight.nn.backbones import initial_weights_skipped
from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.nn.encoder_base import Backbone

log = logging.getLogger(__name__)


class NamedClasses(nn.Module):
    """Finds evidence for labels in each cell by the classes that their names stand for.

    The evidence is the length of the cell's class scores of those classes, which WordNet has under
    the label's name (`imagenet_classes`): `GAIN` times the root of the probability that the cell
    shows any of them, as many as there are. It begins with a weight of 1 and is added to what a
    label's classifier finds; the weight is learned with it.

    Args:
        matches: ``(L, K)`` bool, which classes a label stands for, possibly none.
        first: Channel of the first class score (`Backbone.first_class`).

    Example:
        >>> named = NamedClasses(torch.tensor([[True, False, True], [False] * 3]), first=2)
        >>> cell = torch.tensor([9.0, 9.0, 3.0, 5.0, 4.0])
        >>> named(cell[None, :, None, None]).flatten().tolist()
        [5.0, 0.0]
    """

    matches: Tensor

    def __init__(self, matches: Tensor, first: int) -> None:
        super().__init__()
        self.first = first
        self.weight = nn.Parameter(torch.ones(len(matches)))
        self.register_buffer("matches", matches)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the evidence in each cell: ``(B, D, h, w) -> (B, L, h, w)``."""
        # No gradient reaches class scores, and that of a root is infinite at 0.
        scores = widened(features.detach()[:, self.first : self.first + self.matches.shape[1]])
        with full_precision(features.device):
            square = torch.einsum("bkhw,lk->blhw", scores.square(), self.matches.to(scores.dtype))
        return self.weight[:, None, None] * square.clamp(min=0).sqrt()


def named_classes(names: Sequence[str], backbone: Backbone, *, wanted: bool) -> NamedClasses | None:
    """Make what finds evidence for labels by their names.

    Within `skip_initial_weights` no names are looked up, as what a saved model found replaces it.

    Args:
        names: The ``L`` labels.
        backbone: Its class scores are those of the classes of ImageNet; others have no known names.
        wanted: Whether to look for any.

    Returns:
        None if the names are not to say anything, or cannot.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> backbone = build_backbone(BackboneConfig(class_scores=True))
        >>> by_name = named_classes(["dog", "mood"], backbone, wanted=True)
        >>> by_name.matches.sum(1)
        tensor([118,   0])
    """
    if not wanted or not _has_known_classes(backbone):
        return None
    if initial_weights_skipped():
        matches = torch.zeros(len(names), CLASSES, dtype=torch.bool)
    else:
        matches = imagenet_classes(names)
        _log_known(tuple(names), tuple(matches.any(1).tolist()))
    return NamedClasses(matches, backbone.first_class)


def evidence_by_name(by_name: NamedClasses | None, features: Tensor) -> Tensor | None:
    """Find evidence for labels by their names, if they say anything: ``(B, L, h, w)`` or None.

    Example:
        >>> evidence_by_name(None, torch.ones(1, 5, 2, 2))
    """
    return None if by_name is None else by_name(features)


@cache
def _log_known(names: tuple[str, ...], known: tuple[bool, ...]) -> None:
    """Log which labels have classes, once, though comparisons build many systems."""
    found = [repr(name) for name, one in zip(names, known, strict=True) if one]
    log.info(
        "labels named after classes of the encoder: %d of %d%s",
        len(found),
        len(names),
        f", such as {', '.join(found[:3])}" if found else "",
    )


def matching_classes(names: Sequence[str], backbone: Backbone) -> Tensor | None:
    """Find the classes of an encoder that labels are named after.

    Args:
        names: The ``L`` labels.
        backbone: The encoder, as in `named_classes`.

    Returns:
        ``(L, K)`` bool; None if no label is named after any, or the encoder has no known classes.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> backbone = build_backbone(BackboneConfig(class_scores=True))
        >>> matching_classes(["dog", "mood"], backbone).sum(1).tolist()
        [118, 0]
        >>> matching_classes(["mood"], backbone)
    """
    if not _has_known_classes(backbone):
        return None
    matches = imagenet_classes(names)
    return matches if bool(matches.any()) else None


def _has_known_classes(backbone: Backbone) -> bool:
    scores = backbone.class_scores
    return scores is not None and scores.classes == CLASSES
