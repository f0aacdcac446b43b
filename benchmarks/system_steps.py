"""What a training step of each system costs, and recognising with it, against the plain baseline.

A step is that of the system's recipe for a CPU: 32 photos at 224 pixels from frozen features (what
a run on a CPU has), losses at the end of the training, where every part takes part, backward pass
and optimiser. Recognising is one forward pass of 16 photos of pixels. 20 and 80 labels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from frozen import frozen
from table import HEADER, alternated, row
from torch import Tensor

from tagsight.labels.space import LabelSpace
from tagsight.nn.views import FrozenFeatures
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, SYSTEMS, build_system
from tagsight.training.loop import build_optimizer

PHOTOS, RECOGNISED, SIDE = 32, 16, 224
SIZES = (20, 80)
BASELINE = "resnet"
ROUNDS = 3


def label_space(targets: Tensor) -> LabelSpace:
    names = [f"label {number}" for number in range(targets.shape[1])]
    return LabelSpace.from_targets(names, targets, vectors=torch.randn(len(names), 300))


def step_of(system: System, images: FrozenFeatures, targets: Tensor) -> Callable[[], None]:
    recipe = next(r for r in RECIPES.values() if type(system) is SYSTEMS[r.system])
    optimizer, runtime = build_optimizer(system, recipe.training), Runtime.choose("cpu")
    system.train()

    def step() -> None:
        optimizer.zero_grad()
        with runtime.autocast():
            losses = system.losses(images, targets)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    return step


def recognition_of(system: System, images: Tensor) -> Callable[[], None]:
    runtime = Runtime.choose("cpu")

    @torch.inference_mode()
    def recognise() -> None:
        with runtime.autocast():
            system(images)

    return recognise


def main() -> None:
    torch.manual_seed(0)
    photos = torch.rand(PHOTOS, 3, SIDE, SIDE)
    print(HEADER)
    for size in SIZES:
        targets = torch.randint(2, (PHOTOS, size))
        labels = label_space(targets)
        baseline = build_system(RECIPES[f"{BASELINE}-cpu"], labels)
        peer = step_of(baseline, frozen(baseline, photos), targets)
        recognise = recognition_of(baseline.eval(), photos[:RECOGNISED])
        for name, kind in SYSTEMS.items():
            if name == BASELINE:
                continue
            system = build_system(RECIPES[f"{name}-cpu"], labels)
            if not kind.remembers:
                ways = step_of(system, frozen(system, photos), targets), peer
                ours, theirs = alternated(ways, rounds=ROUNDS)
                said = f"{theirs * 1e3:.0f} ms ({BASELINE})"
                row(f"step of {name}, {size} labels", f"{ours * 1e3:.0f} ms", said, ours / theirs)
            ways = recognition_of(system.eval(), photos[:RECOGNISED]), recognise
            ours, theirs = alternated(ways, rounds=ROUNDS)
            said = f"{theirs * 1e3:.0f} ms ({BASELINE})"
            what = f"recognising with {name}, {size} labels"
            row(what, f"{ours * 1e3:.0f} ms", said, ours / theirs)


if __name__ == "__main__":
    main()
