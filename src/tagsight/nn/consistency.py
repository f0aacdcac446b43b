"""Attention consistency of VAC and G-CAM: views of a batch, their maps and the maps' distance.

Views are made from the batch rather than loaded, so that all views of a photo share its crop, as
equivariance requires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from tagsight.nn.class_activation import class_maps
from tagsight.nn.equivariance import on_one_grid, undo_on_maps
from tagsight.nn.padding import filled
from tagsight.nn.views import ORDER, ORIGINAL, FrozenFeatures, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.nn.config import ConsistencyConfig, Transform
    from tagsight.nn.encoder_base import Backbone
    from tagsight.nn.equivariance import Alignment
    from tagsight.nn.views import Images


class ViewEncoder(Protocol):
    """An encoder together with the function that makes its views, such as a system."""

    backbone: Backbone

    def make_view(self, images: Tensor, view: View) -> Tensor:
        """Make a view of images: ``(B, 3, H, W) -> (B, 3, H', W')``."""


class Pair(NamedTuple):
    """Two views that differ by one transform, and the weight of their distance."""

    first: View
    second: View
    weight: float


def view_pairs(config: ConsistencyConfig) -> list[Pair]:
    """Choose the pairs of views that a step compares.

    ``all``: the photo and each of its rearrangements (flip, quarter turn), each at both sizes.
    Every rearrangement is compared with the photo at each size, and the two sizes in every
    arrangement; the latter share the weight ``scale_weight``.
    ``each``: the photo with one view per transform. ``one``: with one view, drawn at random.

    Args:
        config: Which transforms there are, how they are combined, and the weight of ``scale``.

    Example:
        >>> from tagsight.nn.config import ConsistencyConfig
        >>> (pair,) = view_pairs(ConsistencyConfig(transforms=("flip",)))
        >>> sorted(pair.first), sorted(pair.second), pair.weight
        ([], ['flip'], 1.0)
    """
    transforms: Sequence[Transform] = config.transforms
    if config.views == "one":
        transforms = [transforms[int(torch.randint(len(transforms), ()))]]
    if config.views != "all":
        weights = {"scale": config.scale_weight}
        return [Pair(ORIGINAL, frozenset({t}), weights.get(t, 1.0)) for t in transforms]
    moved = [frozenset({transform}) for transform in transforms if transform != "scale"]
    small: list[View] = [frozenset({"scale"})] if "scale" in transforms else []
    at_each_size = [Pair(size, size | view, 1.0) for size in (ORIGINAL, *small) for view in moved]
    arranged = (ORIGINAL, *moved)
    share = config.scale_weight / len(arranged)
    across = [Pair(v, v | size, share) for size in small for v in arranged]
    return at_each_size + across


def possible_views(config: ConsistencyConfig) -> list[View]:
    """List all views that any step may compare.

    Example:
        >>> from tagsight.nn.config import ConsistencyConfig
        >>> config = ConsistencyConfig(transforms=("flip", "scale"), views="one")
        >>> [sorted(view) for view in possible_views(config)]
        [[], ['flip'], ['scale']]
    """
    every = "each" if config.views == "one" else config.views
    return views_of(view_pairs(config.model_copy(update={"views": every})))


def views_of(pairs: Sequence[Pair]) -> list[View]:
    """List the views in the pairs, each once, in a fixed order.

    Example:
        >>> flip = frozenset({"flip"})
        >>> views_of([Pair(ORIGINAL, flip, 1.0), Pair(flip, ORIGINAL, 1.0)]) == [ORIGINAL, flip]
        True
    """
    return sorted({view for pair in pairs for view in pair[:2]}, key=sorted)


class ViewGrid(NamedTuple):
    """A view's feature grid.

    Attributes:
        features: ``(B, D, h, w)`` float; cells of padding have the mean of the others.
        on_photo: ``(B, 1, h, w)`` bool, the cells that are not padding; None if all are.
    """

    features: Tensor
    on_photo: Tensor | None


def view_grids(system: ViewEncoder, images: Images, views: Sequence[View]) -> dict[View, ViewGrid]:
    """Encode the views of a batch, with one pass for all views of the same size.

    Args:
        system: The encoder.
        images: ``(B, 3, H, W)`` float in [0, 1], or the frozen features of their views.
        views: The views to encode.

    Returns:
        The grids by view, in the order of ``views``.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone, skip_initial_weights
        >>> from types import SimpleNamespace
        >>> from tagsight.nn.views import FLIP
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet", frozen_stages=1))
        >>> pixels = torch.rand(2, 3, 64, 64)
        >>> frozen = {view: backbone.to_frozen(pixels) for view in (ORIGINAL, FLIP)}
        >>> system = SimpleNamespace(backbone=backbone)
        >>> grids = view_grids(system, FrozenFeatures(frozen), [ORIGINAL, FLIP])
        >>> grids[FLIP].features.shape
        torch.Size([2, 96, 2, 2])
    """
    backbone = system.backbone
    if isinstance(images, FrozenFeatures):
        encode, seen = backbone.from_frozen, images.views
        on_photo = {view: images.on_photo.get(view) for view in views}
    else:
        encode, seen = backbone, {view: system.make_view(images, view) for view in views}
        on_photo = {view: backbone.on_photo(seen[view]) for view in views}
    grids: dict[View, Tensor] = {}
    for size in dict.fromkeys(seen[view].shape for view in views):
        group = [view for view in views if seen[view].shape == size]
        features = encode(torch.cat([seen[view] for view in group]))
        grids |= zip(group, features.chunk(len(group)), strict=True)
    return {view: ViewGrid(filled(grids[view], on_photo[view]), on_photo[view]) for view in views}


def maps_in_photo_frame(features: Tensor, classifiers: Tensor, view: View) -> Tensor:
    """Compute a view's class activation maps (G-CAM Eq. 10) and undo its transforms (Eq. 11).

    ``(B, D, h, w), (L, D) -> (B, L, h, w)``. If the network is equivariant, all views of a photo
    get the same maps, up to the size of their grids.

    Args:
        features: ``(B, D, h, w)`` float, features of the view.
        classifiers: ``(L, D)`` float.
        view: Its transforms.

    Example:
        >>> features, flip = torch.rand(1, 2, 3, 3), frozenset({"flip"})
        >>> maps = maps_in_photo_frame(features.flip(-1), torch.eye(2), flip)
        >>> torch.equal(maps, features)
        True
    """
    maps = class_maps(features, classifiers)
    for transform in reversed(ORDER):
        if transform in view:
            maps = undo_on_maps(maps, transform)
    return maps


class AlignedPair(NamedTuple):
    """The maps of two views on one grid, ``(B, L, h, w)``, and the weight of their distance."""

    first: Tensor
    second: Tensor
    weight: float


def aligned_pairs(
    maps: Mapping[View, Tensor], pairs: Sequence[Pair], alignment: Alignment
) -> list[AlignedPair]:
    """Resample the maps of each pair of views to one grid.

    Args:
        maps: ``(B, L, h, w)`` float by view, in the frame of the photo.
        pairs: Views to compare, and the weights of their distances.
        alignment: How to resample maps of different sizes.

    Example:
        >>> from tagsight.nn.config import ConsistencyConfig
        >>> (pair,) = view_pairs(ConsistencyConfig(transforms=("scale",)))
        >>> maps = {pair.first: torch.zeros(1, 1, 7, 7), pair.second: torch.zeros(1, 1, 6, 6)}
        >>> [aligned.first.shape for aligned in aligned_pairs(maps, [pair], "bilinear")]
        [torch.Size([1, 1, 6, 6])]
    """
    return [
        AlignedPair(*on_one_grid(maps[pair.first], maps[pair.second], alignment), pair.weight)
        for pair in pairs
    ]


def consistency_weight(config: ConsistencyConfig, progress: float) -> float:
    """Compute lambda of G-CAM Eq. 13, which grows linearly over the ramp.

    Args:
        config: The final weight, and the ramp as a fraction of the training.
        progress: Fraction of the training that is done, in [0, 1].

    Example:
        >>> from tagsight.nn.config import ConsistencyConfig
        >>> consistency_weight(ConsistencyConfig(weight=0.4, ramp=0.5), progress=0.25)
        0.2
    """
    return config.weight * (min(1.0, progress / config.ramp) if config.ramp else 1.0)
