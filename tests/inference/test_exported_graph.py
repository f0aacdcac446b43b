from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from tiny import saved_photos
from torch import Tensor, nn

from tagsight.inference.exported_graph import ExportedGraph
from tagsight.loading.transforms import as_float, warp
from tagsight.systems.base import Recognition


class Shown(nn.Module):
    """Says of photos what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Identity()

    def forward(self, images: Tensor) -> Recognition:
        seen = self.backbone(images)
        return Recognition(seen.flatten(1), seen[:, :, None, None], seen.flatten(1))


def test_resizing_in_the_graph_is_that_of_the_training(photos, tmp_path):
    noise = torch.rand(1, 3, 211, 173, generator=torch.Generator().manual_seed(0))
    for path in [*photos, *saved_photos(tmp_path, noise)]:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        seen = ExportedGraph(Shown(), 32, 1.0)(torch.from_numpy(np.array(photo))[None]).logits
        apart = (seen - as_float(warp(photo, 32)[None]).flatten(1)).abs()
        assert apart.max() <= 1.01 / 255
        assert (apart > 0).float().mean() < 0.002
