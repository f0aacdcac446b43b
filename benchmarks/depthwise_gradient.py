"""What the gradients of depthwise convolutions cost on a CPU.

Prints how much longer forward and backward of a strided depthwise convolution take in bfloat16 than
in float32 (why `tagsight.backbones.FullPrecision` exists), and how much longer a step through the
trained stages takes when depthwise weights are trained (`backbone.freeze_depthwise`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tagsight.backbones import build_backbone
from tagsight.config import BackboneConfig
from tagsight.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, REPEATS = 32, 5
CHANNELS, SIDE = 672, 14  # of the only strided layer in the trained stages at 224 pixels


def best_time(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def step(layers: nn.Module, features: Tensor, runtime: Runtime) -> None:
    with runtime.autocast():
        output = layers(features)
    output.float().square().mean().backward()


def strided_convolution(runtime: Runtime) -> float:
    layer = nn.Conv2d(CHANNELS, CHANNELS, 5, stride=2, padding=2, groups=CHANNELS)
    layer.to(memory_format=torch.channels_last)
    features = torch.randn(BATCH, CHANNELS, SIDE, SIDE).to(memory_format=torch.channels_last)
    features.requires_grad_()
    return best_time(lambda: step(layer, features, runtime))


def trained_stages(runtime: Runtime, *, freeze_depthwise: bool) -> float:
    backbone = build_backbone(BackboneConfig(freeze_depthwise=freeze_depthwise)).train()
    network, first = backbone.network, backbone.network.blocks[:4]
    layers = nn.Sequential(*network.blocks[4:], network.conv_head, network.bn2)
    with torch.no_grad():
        features = first(network.bn1(network.conv_stem(torch.randn(BATCH, 3, 224, 224))))
    return best_time(lambda: step(layers, features, runtime))


if __name__ == "__main__":
    fast = Runtime.choose("cpu")
    full = Runtime(fast.device, "float32")
    half = Runtime(fast.device, "bfloat16")
    ratio = strided_convolution(half) / strided_convolution(full)
    print(f"strided depthwise 5x5, bfloat16 / float32: {ratio:.1f}")
    trained, kept = (trained_stages(fast, freeze_depthwise=frozen) for frozen in (False, True))
    print(f"trained stages in {fast.precision}, depthwise trained / frozen: {trained / kept:.1f}")
