"""How much faster training on a CPU is if the C library keeps freed memory (`Runtime.choose`).

Each way runs in a process of its own, since it cannot be undone. Prints the ratio of their training
steps per second of processor time, the system's share included, on one core.
"""

from __future__ import annotations

import subprocess
import sys
import time

import torch
from table import HEADER, row

from tagsight.labels.space import empty_label_space
from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.training.loop import build_optimizer

STEPS, ROUNDS = 8, 2


def seconds_per_step(runtime: Runtime) -> float:
    torch.set_num_threads(1)
    recipe = RECIPES["resnet-cpu"]
    batch, side = recipe.training.batch_size, recipe.training.image_size
    system = build_system(recipe, empty_label_space("abcdefghijkl")).train()
    optimizer = build_optimizer(system, recipe.training)
    photos = torch.randint(256, (batch, 3, side, side), dtype=torch.uint8)
    targets = torch.randint(2, (batch, 12))
    times = []
    for _ in range(STEPS):
        started = time.process_time()
        with runtime.autocast():
            losses = system.losses(on_device(photos, runtime), targets)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        times.append(time.process_time() - started)
    return min(times[1:])


def measured(way: str, precision: str) -> float:
    command = [sys.executable, __file__, way, precision]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["kept", precision]:
            print(seconds_per_step(Runtime.choose("cpu", precision)))
        case ["returned", precision]:
            print(seconds_per_step(Runtime(torch.device("cpu"), precision)))
        case _:
            precision = Runtime.choose("cpu").precision
            rounds = [
                [measured(way, precision) for way in ("returned", "kept")] for _ in range(ROUNDS)
            ]
            returned, kept = (min(times) for times in zip(*rounds, strict=True))
            print(HEADER)
            name = "training steps per second, memory kept / returned"
            row(name, f"{1 / kept:.2f}/s", f"{1 / returned:.2f}/s (returned)", returned / kept, 1)
