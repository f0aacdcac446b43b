"""What training on a processor reads instead of photos: the frozen stages' outcome for a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from tagsight.nn.views import ORIGINAL, FrozenFeatures
from tagsight.runtime.device import Runtime
from tagsight.systems.base import System


@torch.no_grad()
def frozen(system: System, images: Tensor) -> FrozenFeatures:
    with Runtime.choose("cpu").autocast():
        return FrozenFeatures(
            {
                view: system.backbone.to_frozen(system.make_view(images, view)).clone()
                for view in {ORIGINAL, *system.views}
            }
        )
