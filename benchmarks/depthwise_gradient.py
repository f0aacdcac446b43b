"""What the gradients of depthwise convolutions cost on a CPU, in processor time on one core.

Prints how much longer the input gradient of a strided depthwise convolution takes in bfloat16 than
in float32 (why `tagsight.nn.backbones.FullPrecision` exists), and how much longer a step through
the trained stages takes if depthwise weights are trained as well (`backbone.freeze_depthwise`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from table import HEADER, alternated, row
from torch import nn

from tagsight.config import BackboneConfig
from tagsight.nn.backbones import build_backbone
from tagsight.runtime.device import Runtime

BATCH, CHANNELS, SIDE = 32, 672, 14  # of the strided layer in the trained stages
CLOCK = time.process_time


def within(runtime: Runtime, run: Callable[[], object]) -> Callable[[], None]:
    def once() -> None:
        with runtime.autocast():
            run()

    return once


def strided_gradient(runtime: Runtime) -> Callable[[], None]:
    layer = nn.Conv2d(CHANNELS, CHANNELS, 5, 2, 2, groups=CHANNELS)
    layer.weight.requires_grad = False
    features = torch.randn(BATCH, CHANNELS, SIDE, SIDE, requires_grad=True)
    with runtime.autocast():
        output = layer(features.to(memory_format=torch.channels_last))
    given = output, features, torch.randn_like(output)
    return within(runtime, lambda: torch.autograd.grad(*given, retain_graph=True))


def step_through_trained_stages(
    runtime: Runtime, *, freeze_depthwise: bool
) -> tuple[Callable[[], None], Callable[[], None]]:
    """The whole step, and the frozen part of it."""
    backbone = build_backbone(BackboneConfig(freeze_depthwise=freeze_depthwise)).train()
    stem, stages = backbone.network.conv_stem, backbone.network.blocks[:4]
    images = torch.rand(BATCH, 3, 224, 224)
    step = within(runtime, lambda: backbone(images).float().square().mean().backward())
    return step, within(runtime, lambda: stages(stem(images)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    fast = Runtime.choose("cpu")
    runtimes = [Runtime(fast.device, precision) for precision in ("bfloat16", "float32")]
    half, full = alternated([strided_gradient(runtime) for runtime in runtimes], clock=CLOCK)
    print(HEADER)
    name = "input gradient of a strided depthwise 5x5, bfloat16 / float32"
    row(name, f"{1000 * half:.0f} ms", f"{1000 * full:.0f} ms (float32)", half / full)
    ways = [step_through_trained_stages(fast, freeze_depthwise=frozen) for frozen in (False, True)]
    times = alternated([way for both in ways for way in both], clock=CLOCK)
    trained, kept = times[0] - times[1], times[2] - times[3]
    name = f"step in {fast.precision}, depthwise weights trained / frozen"
    row(name, f"{trained:.2f} s", f"{kept:.2f} s (frozen)", trained / kept)
