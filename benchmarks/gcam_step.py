"""A training step of G-CAM with four views, against the same pixels through the plain baseline.

G-CAM's step sees each photo at 224 pixels, mirrored, and both again at 192 pixels. The baseline
(`resnet`, same backbone and settings of it) sees two batches of as many photos at 224 pixels and
two at 192: the same 2 x 224^2 + 2 x 192^2 = 174,080 pixels a photo, one backward pass a batch, one
step of the optimiser. Both start from pixels, as with crops, and from frozen features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from frozen import frozen
from table import HEADER, alternated, row
from torch import Tensor

from tagsight.config import Recipe
from tagsight.labels.space import LabelSpace
from tagsight.nn.views import Images
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.training.loop import build_optimizer

LABELS, LARGEST_OVERHEAD = 20, 1.10
LARGE, SMALL = 224, 192

Step = Callable[[], None]


def four_views() -> Recipe:
    """G-CAM's recipe for a CPU with all views, as in the paper."""
    recipe = RECIPES["gcam-cpu"]
    settings = recipe.settings
    every = settings.consistency.model_copy(update={"views": "all", "ramp": 0.0, "weight": 0.4})
    return recipe.model_copy(
        update={"settings": settings.model_copy(update={"consistency": every})}
    )


def label_space(targets: Tensor) -> LabelSpace:
    names = [f"label {number}" for number in range(LABELS)]
    return LabelSpace.from_targets(names, targets, vectors=torch.randn(LABELS, 300))


def step_of(
    system: System, recipe: Recipe, given: list[Images], targets: Tensor, runtime: Runtime
) -> Step:
    """Forward and backward for each batch, then the optimiser."""
    optimizer = build_optimizer(system, recipe.training)

    def step() -> None:
        optimizer.zero_grad()
        for batch in given:
            with runtime.autocast():
                losses = system.losses(batch, targets)
            torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    return step


def main() -> None:
    torch.manual_seed(0)
    consistent, plain = four_views(), RECIPES["resnet-cpu"]
    batch = consistent.training.batch_size
    targets = torch.randint(2, (batch, LABELS))
    labels = label_space(targets)
    ours = build_system(consistent, labels).train()
    peer = build_system(plain, labels).train()
    large, small = (torch.rand(batch, 3, side, side) for side in (LARGE, SMALL))

    print(HEADER)
    as_pixels = [large], [large, large, small, small]
    features = [frozen(peer, images) for images in (large, large, small, small)]
    as_features = [frozen(ours, large)], features
    for name, (mine, theirs) in {"pixels": as_pixels, "frozen features": as_features}.items():
        runtime = Runtime.choose("cpu")
        steps = (
            step_of(ours, consistent, mine, targets, runtime),
            step_of(peer, plain, theirs, targets, runtime),
        )
        with_views, without = alternated(steps, rounds=5)
        row(
            f"step of G-CAM, 4 views of {batch} photos, from {name}",
            f"{with_views:.2f} s",
            f"{without:.2f} s (baseline, same pixels)",
            with_views / without,
            LARGEST_OVERHEAD,
            wanted="most",
        )


if __name__ == "__main__":
    main()
