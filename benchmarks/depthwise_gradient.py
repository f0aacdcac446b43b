"""What the gradients of depthwise convolutions cost on a CPU, in processor time on one core.

Prints how much longer the input gradient of a strided depthwise convolution takes in bfloat16 than
in float32 (why `tagsight.backbones.FullPrecision` exists), and how much longer a step through the
trained stages takes if depthwise weights are trained as well (`backbone.freeze_depthwise`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from tagsight.backbones import build_backbone
from tagsight.config import BackboneConfig
from tagsight.runtime import Runtime

BATCH, CHANNELS, SIDE = 32, 672, 14  # of the strided layer in the trained stages


def best_time(run: Callable[[], object], runtime: Runtime) -> float:
    times = []
    for _ in range(4):
        started = time.process_time()
        with runtime.autocast():
            run()
        times.append(time.process_time() - started)
    return min(times[1:])


def strided_gradient(runtime: Runtime) -> float:
    layer = nn.Conv2d(CHANNELS, CHANNELS, 5, 2, 2, groups=CHANNELS)
    layer.weight.requires_grad = False
    features = torch.randn(BATCH, CHANNELS, SIDE, SIDE, requires_grad=True)
    with runtime.autocast():
        output = layer(features.to(memory_format=torch.channels_last))
    given = output, features, torch.randn_like(output)
    return best_time(lambda: torch.autograd.grad(*given, retain_graph=True), runtime)


def step_through_trained_stages(runtime: Runtime, *, freeze_depthwise: bool) -> float:
    backbone = build_backbone(BackboneConfig(freeze_depthwise=freeze_depthwise)).train()
    stem, stages = backbone.network.conv_stem, backbone.network.blocks[:4]
    images = torch.rand(BATCH, 3, 224, 224)
    frozen = best_time(lambda: stages(stem(images)), runtime)
    step = best_time(lambda: backbone(images).float().square().mean().backward(), runtime)
    return step - frozen


if __name__ == "__main__":
    torch.set_num_threads(1)
    fast = Runtime.choose("cpu")
    half, full = (strided_gradient(Runtime(fast.device, p)) for p in ("bfloat16", "float32"))
    print(f"input gradient of a strided depthwise 5x5, bfloat16 / float32: {half / full:.1f}")
    trained, kept = (step_through_trained_stages(fast, freeze_depthwise=f) for f in (False, True))
    print(f"step in {fast.precision}, depthwise weights trained / frozen: {trained / kept:.1f}")
