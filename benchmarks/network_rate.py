"""How much of the processor's matrix-product rate the network reaches.

Multiply-adds per second of the encoder's forward pass (efficientnet_lite0, 32 photos of 224 pixels,
channels last), as torch counts them, against those of a large matrix product in the same precision.
"""

from __future__ import annotations

import torch
from table import HEADER, alternated, row
from torch.utils.flop_counter import FlopCounterMode

from tagsight.config import BackboneConfig
from tagsight.nn.backbones import build_backbone
from tagsight.runtime.device import Runtime

BATCH, SIDE, MATRIX = 32, 224, 4096
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@torch.inference_mode()
def main() -> None:
    backbone = build_backbone(BackboneConfig()).eval()
    images = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter:
        backbone(images)
    work = counter.get_total_flops() / 2
    print(f"{work / BATCH / 1e6:.0f} million multiply-adds a photo")
    print(HEADER)
    for precision, dtype in DTYPES.items():
        runtime = Runtime.choose("cpu", precision)
        first, second = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))

        def encode(runtime: Runtime = runtime) -> None:
            with runtime.autocast():
                backbone(images)

        def multiply(first: torch.Tensor = first, second: torch.Tensor = second) -> None:
            torch.mm(first, second)

        network, product = alternated([encode, multiply], rounds=5)
        reached, limit = work / network / 1e9, MATRIX**3 / product / 1e9
        row(
            f"multiply-adds of the encoder in {precision}",
            f"{reached:,.0f} G/s ({BATCH / network:.0f} photos/s)",
            f"{limit:,.0f} G/s (matrix product)",
            reached / limit,
        )


if __name__ == "__main__":
    main()
