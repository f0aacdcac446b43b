"""How far the gradients of a step in parts, or of two processes, are from those of the whole step.

    python benchmarks/trials/shared_step.py

Prints, for each system on noise in float32, the largest difference of a parameter's gradient,
relative to the gradient's length. Two processes are played by one: each one's share in turn.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tagsight.labels.space import LabelSpace
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import TrainingBatches
from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime
from tagsight.runtime.processes import Processes
from tagsight.systems.catalogue import RECIPES, build_system

BATCH, LABELS, SIDE = 32, 12, 96


class Noise:
    """Photos of nothing."""

    def __init__(self) -> None:
        self.photos = torch.randint(256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8)

    def __len__(self) -> int:
        return BATCH

    def __getitem__(self, row: int) -> Tensor:
        return self.photos[row]


def gradients(name: str, batches: list[TrainingBatches], runtime: Runtime) -> dict[str, Tensor]:
    """Those of a step, the sum over its batches, weighed as in training."""
    recipe = RECIPES[name]
    if hasattr(recipe.settings, "consistency"):
        plain = recipe.settings.consistency.model_copy(update={"error": "squared", "ramp": 0.0})
        settings = recipe.settings.model_copy(update={"consistency": plain})
        recipe = recipe.model_copy(update={"settings": settings})
    torch.manual_seed(0)
    names = [f"label {number}" for number in range(LABELS)]
    labels = LabelSpace.from_targets(names, batches[0].targets, torch.randn(LABELS, 50))
    system = build_system(recipe, labels).train()
    for batch in (batch for some in batches for batch in some(0)):
        torch.manual_seed(1)  # all look at the same views
        losses = system.losses(on_device(batch.images, runtime), batch.targets)
        (batch.share * torch.stack(list(losses.values())).sum()).backward()
    return {n: p.grad.double() for n, p in system.named_parameters() if p.grad is not None}


def main() -> None:
    torch.manual_seed(0)
    runtime = Runtime.choose("cpu", "float32")
    targets = torch.randint(2, (BATCH, LABELS))
    augmentation = Augmentation(SIDE, 1, flip=True, seed=0)
    whole = TrainingBatches(Noise(), targets, augmentation, BATCH, 2)
    ways = {
        "three parts": [replace(whole, parts=3)],
        "two processes": [replace(whole, processes=Processes(rank, 2)) for rank in range(2)],
    }
    for name in ("resnet-cpu", "ml-gcn-cpu", "vac-cpu", "gcam-cpu"):
        expected = gradients(name, [whole], runtime)
        for way, batches in ways.items():
            found = gradients(name, batches, runtime)
            apart = max(((found[n] - g).norm() / g.norm()).item() for n, g in expected.items())
            print(f"{name} in {way}: {apart:.1e}")


if __name__ == "__main__":
    main()
