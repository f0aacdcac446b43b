"""The attention consistency objective of VAC and G-CAM: views, their maps, their distance.

The views of a step are made here, from the batch, so that all views of a photo share its crop, as
equivariance demands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.nn.equivariance import on_one_grid, undo_on_maps
from tagsight.nn.losses import map_consistency
from tagsight.nn.views import ORDER, ORIGINAL, FrozenFeatures, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.config import ConsistencyConfig, SystemConfig, Transform
    from tagsight.nn.backbones import Backbone
    from tagsight.nn.views import Images


class GridClassifiers(Protocol):
    """What a system must have for its maps to be held together over views."""

    backbone: Backbone

    @property
    def config(self) -> SystemConfig:
        """Settings; the pooling is read."""

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """``(L, D)`` float classifiers, and ``(L,)`` float bias or None."""

    def see(self, images: Tensor, view: View) -> Tensor:
        """Make a view of images: ``(B, 3, H, W) -> (B, 3, H', W')``."""

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of the labels: ``(B, L), (B, L) -> ()``."""


class Pair(NamedTuple):
    """Two views that differ by one transform."""

    first: View
    second: View
    weight: float


def consistent_losses(
    system: GridClassifiers,
    config: ConsistencyConfig,
    images: Images,
    targets: Tensor,
    progress: float,
) -> dict[str, Tensor]:
    """Label loss over all views and distance of their maps, weighted by lambda (G-CAM Eq. 13).

    Args:
        system: Whose backbone and classifiers make the maps.
        config: Views, distance and lambda.
        images: ``(B, 3, H, W)`` float in [0, 1], or the frozen features of their views.
        targets: ``(B, L)`` int in {1, 0, -1}.
        progress: Fraction of the training that is done, in [0, 1]; lambda grows with it.
    """
    pairs = view_pairs(config)
    views = _views_of(pairs)
    features = _features(system, images, views)
    classifiers, bias = system.classifiers()

    pooling = system.config.pooling
    logits = [class_logits(pooled(features[v], pooling), classifiers, bias) for v in views]
    label_loss = torch.stack([system.label_loss(logit, targets) for logit in logits]).mean()

    steering = classifiers.detach() if config.detach_classifiers else classifiers
    maps = {view: _maps_in_photo_frame(features[view], steering, view) for view in views}
    consistency = torch.stack([_distance(maps, pair, config) for pair in pairs]).sum()

    weight = config.weight * (min(1.0, progress / config.ramp) if config.ramp else 1.0)
    return {"labels": (1 - weight) * label_loss, "consistency": weight * consistency}


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
    return _views_of(view_pairs(config.model_copy(update={"views": every})))


def _views_of(pairs: Sequence[Pair]) -> list[View]:
    return sorted({view for pair in pairs for view in pair[:2]}, key=sorted)


def _features(system: GridClassifiers, images: Images, views: Sequence[View]) -> dict[View, Tensor]:
    """Feature grids of the views; views of one size go through the backbone together."""
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
    return grids


def _maps_in_photo_frame(features: Tensor, classifiers: Tensor, view: View) -> Tensor:
    maps = class_maps(features, classifiers)
    for transform in reversed(ORDER):
        if transform in view:
            maps = undo_on_maps(maps, transform)
    return maps


def _distance(maps: dict[View, Tensor], pair: Pair, config: ConsistencyConfig) -> Tensor:
    first, second = on_one_grid(maps[pair.first], maps[pair.second], config.alignment)
    return pair.weight * map_consistency(first, second, config.error)
