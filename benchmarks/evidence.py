"""Evidence maps of all labels of a photo, against Grad-CAM by the package ``grad-cam``.

Ours come out of the one forward pass that gives the scores. Grad-CAM takes a forward and a backward
pass a label, which the target is about: more than two of ours each. It can also be given a copy of
the photo for each label in one batch, which is a row of its own. Both are in float32; it reads no
bfloat16.
"""

from __future__ import annotations

import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from table import HEADER, alternated, row
from torch import Tensor, nn

from tagsight.labels.space import empty_label_space
from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System
from tagsight.systems.catalogue import RECIPES, build_system

PASSES = 10
"""Ours in a turn, so that it is not too short to be timed."""


class Logits(nn.Module):
    """A system as Grad-CAM wants it: images in, logits out."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, images: Tensor) -> Tensor:
        return self.system(images).logits


def main() -> None:
    torch.manual_seed(0)
    runtime = Runtime.choose("cpu", "float32")
    image = on_device(torch.randint(256, (1, 3, 224, 224), dtype=torch.uint8), runtime)
    print(HEADER)
    for labels in (20, 80):
        names = [f"label {number}" for number in range(labels)]
        system = build_system(RECIPES["resnet-quick"], empty_label_space(names)).eval()
        wanted = [ClassifierOutputTarget(label) for label in range(labels)]
        with GradCAM(Logits(system), [system.backbone]) as peer:

            @torch.inference_mode()
            def ours(system: System = system) -> Tensor:
                for _ in range(PASSES):
                    maps = system(image).maps
                return maps

            def one_by_one(peer: GradCAM = peer, wanted: list = wanted) -> None:
                for label in wanted:
                    peer(input_tensor=image, targets=[label])

            def together(peer: GradCAM = peer, wanted: list = wanted) -> None:
                peer(input_tensor=image.repeat(len(wanted), 1, 1, 1), targets=wanted)

            passes, each, batch = alternated([ours, one_by_one, together], rounds=3)
        mine, name = passes / PASSES, f"maps of {labels} labels of a photo"
        shown = f"{1000 * mine:.1f} ms"
        row(name, shown, f"{1000 * each:,.0f} ms (grad-cam)", each / mine, 2 * labels)
        row(name, shown, f"{1000 * batch:,.0f} ms (grad-cam, in a batch)", batch / mine)


if __name__ == "__main__":
    main()
