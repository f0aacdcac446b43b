"""Attention consistency, the steps of VAC and G-CAM: views, their maps, their distance.

The views of a step are made from the batch, so that all views of a photo share its crop, as
equivariance demands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from tagsight.nn.class_activation import class_maps
from tagsight.nn.equivariance import on_one_grid, undo_on_maps
from tagsight.nn.losses import map_consistency
from tagsight.nn.views import ORDER, ORIGINAL, FrozenFeatures, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from tagsight.config import ConsistencyConfig, Transform
    from tagsight.nn.backbones import Backbone
    from tagsight.nn.views import Images


class Viewing(Protocol):
    """What gives the feature grids of views: a system's encoder, and its way to make a view."""

    backbone: Backbone

    def see(self, images: Tensor, view: View) -> Tensor:
        """Make a view of images: ``(B, 3, H, W) -> (B, 3, H', W')``."""


class Pair(NamedTuple):
    """Two views that differ by one transform."""

    first: View
    second: View
    weight: float


def view_pairs(config: ConsistencyConfig) -> list[Pair]:
    """The views of one step and which of them are compared.

    ``all``: the photo and each rearrangement of it (flip, quarter turn), each at both sizes;
    rearrangements are compared at each size, sizes at each rearrangement, the latter averaged and
    weighed by ``scale_weight``.
    ``each``: the photo with one view per transform. ``one``: with one view, drawn at random.
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
    """All views that some step may compare."""
    every = "each" if config.views == "one" else config.views
    return views_of(view_pairs(config.model_copy(update={"views": every})))


def views_of(pairs: Sequence[Pair]) -> list[View]:
    """The views that pairs compare, each once, in an order that is always the same."""
    return sorted({view for pair in pairs for view in pair[:2]}, key=sorted)


def view_features(system: Viewing, images: Images, views: Sequence[View]) -> dict[View, Tensor]:
    """Encode the views of a batch, those of one size together.

    Args:
        system: Whose encoder it is.
        images: ``(B, 3, H, W)`` float in [0, 1], or the frozen features of their views.
        views: Which.

    Returns:
        ``(B, D, h, w)`` float by view, in the order of ``views``.
    """
    backbone = system.backbone
    if isinstance(images, FrozenFeatures):
        encode, seen = backbone.from_frozen, images.views
    else:
        encode, seen = backbone, {view: system.see(images, view) for view in views}
    grids: dict[View, Tensor] = {}
    for size in dict.fromkeys(seen[view].shape for view in views):
        group = [view for view in views if seen[view].shape == size]
        features = encode(torch.cat([seen[view] for view in group]))
        grids |= zip(group, features.chunk(len(group)), strict=True)
    return {view: grids[view] for view in views}


def maps_in_photo_frame(features: Tensor, classifiers: Tensor, view: View) -> Tensor:
    """Class activation maps of a view (G-CAM Eq. 10), its transforms undone (Eq. 11).

    ``(B, D, h, w), (L, D) -> (B, L, h, w)``: where the network is equivariant, all views of a photo
    have the same maps, but for the size of their grids.
    """
    maps = class_maps(features, classifiers)
    for transform in reversed(ORDER):
        if transform in view:
            maps = undo_on_maps(maps, transform)
    return maps


def maps_distance(
    maps: Mapping[View, Tensor], pairs: Sequence[Pair], config: ConsistencyConfig
) -> Tensor:
    """Sum the distances between the maps of all pairs of views, each on one grid (G-CAM Eq. 12).

    Args:
        maps: ``(B, L, h, w)`` float by view, in the frame of the photo.
        pairs: Which are compared, and their weights.
        config: How grids of two sizes are made one, and the kind of distance.
    """
    distances = []
    for pair in pairs:
        first, second = on_one_grid(maps[pair.first], maps[pair.second], config.alignment)
        distances.append(pair.weight * map_consistency(first, second, config.error))
    return torch.stack(distances).sum()


def consistency_weight(config: ConsistencyConfig, progress: float) -> float:
    """Lambda of G-CAM Eq. 13 at a fraction of the training, in [0, 1]; it grows over the ramp."""
    return config.weight * (min(1.0, progress / config.ramp) if config.ramp else 1.0)
