"""Where the time goes: shares of operators in a training step, in the frozen stages, in use.

    python benchmarks/trials/profile_step.py

The training step is that of `gcam-cpu` on 32 photos from frozen features; the frozen stages and the
whole network see 32 photos at 224 pixels. One thread, so that nobody waits for another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from compiled_step import BATCH, built, tagging, training
from torch.profiler import ProfilerActivity, profile

from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime

LISTED, ROUNDS = 8, 4


def shares(name: str, way: Callable[[], object]) -> None:
    for _ in range(3):
        way()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(ROUNDS):
            way()
    events = sorted(profiled.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    print(f"\n{name}: {total / ROUNDS / 1000:.0f} ms\n\n| operator | share |\n| --- | --- |")
    for event in events[:LISTED]:
        print(f"| `{event.key}` | {100 * event.self_cpu_time_total / total:.0f} % |")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    runtime, system = Runtime.choose("cpu"), built()
    shares(f"training step, {BATCH} photos", training(system, runtime))
    images = on_device(torch.randint(256, (BATCH, 3, 224, 224), dtype=torch.uint8), runtime)

    @torch.no_grad()
    def frozen() -> None:
        with runtime.autocast():
            system.backbone.to_frozen(images)

    shares(f"frozen stages, {BATCH} photos", frozen)
    shares(f"whole network in use, {BATCH} photos", tagging(system, runtime))


if __name__ == "__main__":
    main()
