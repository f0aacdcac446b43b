"""Whether `torch.compile` wins: after how many photos the time to compile is made up for.

    python benchmarks/trials/compiled_step.py

The trained part of `gcam-cpu` in a training step from frozen features, and the whole network of the
same system in tagging. Needs a C++ compiler. Both ways are timed in turns, by processor time of the
whole process.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch

from tagsight.labels.space import LabelSpace
from tagsight.loading.transforms import on_device
from tagsight.nn.views import FrozenFeatures
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.training.loop import build_optimizer

BATCH, LABELS, ROUNDS = 32, 12, 6


def built() -> System:
    recipe = RECIPES["gcam-cpu"]
    targets = torch.randint(2, (100, LABELS))
    names = [f"label {number}" for number in range(LABELS)]
    return build_system(recipe, LabelSpace.from_targets(names, targets, torch.randn(LABELS, 50)))


def training(system: System, runtime: Runtime) -> Callable[[], None]:
    system.train()
    optimizer = build_optimizer(system, RECIPES["gcam-cpu"].training)
    photos = torch.randint(256, (BATCH, 3, 224, 224), dtype=torch.uint8)
    targets = torch.randint(2, (BATCH, LABELS))
    with torch.no_grad(), runtime.autocast():
        images = on_device(photos, runtime)
        views = {v: system.backbone.to_frozen(system.make_view(images, v)) for v in system.views}

    def step() -> None:
        optimizer.zero_grad()
        with runtime.autocast():
            losses = system.losses(FrozenFeatures(views), targets)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    return step


def tagging(system: System, runtime: Runtime) -> Callable[[], None]:
    system.eval()
    photos = on_device(torch.randint(256, (BATCH, 3, 224, 224), dtype=torch.uint8), runtime)

    @torch.no_grad()
    def recognise() -> None:
        with runtime.autocast():
            system(photos)

    return recognise


def compare(name: str, make: Callable[[System, Runtime], Callable[[], None]]) -> None:
    runtime = Runtime.choose("cpu")
    plain = built()
    compiled = copy.deepcopy(plain)
    for part in ("frozen", "network"):
        module = getattr(compiled.backbone, part)
        if part == "network":
            module.forward_features = torch.compile(module.forward_features)
        else:
            module.compile()
    ways = make(plain, runtime), make(compiled, runtime)
    started = time.process_time()
    for _ in range(4):  # the views of a step are drawn at random: each shape is compiled once
        ways[1]()
    compiling = time.process_time() - started
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for way, taken in zip(ways, times, strict=True):
            started = time.process_time()
            way()
            taken.append(time.process_time() - started)
    plainly, fast = (min(taken) for taken in times)
    won = plainly - fast
    after = f"{compiling / won * BATCH:,.0f} photos" if won > 0 else "never"
    print(
        f"{name}: {plainly:.3f} s plainly, {fast:.3f} s compiled, ratio {plainly / fast:.2f}; "
        f"compiling took {compiling:.0f} s, made up for after: {after}"
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    compare(f"training step of {BATCH} photos", training)
    compare(f"tagging {BATCH} photos", tagging)
