from __future__ import annotations

import numpy as np
import pytest
import torch
from channels import corner
from PIL import Image
from tiny import drawn, saved_photos
from torch import Tensor, nn

from tagsight.inference.exported_graph import ExportedGraph, resize_weights
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


def test_resizing_in_the_graph_is_that_of_the_training(tmp_path):
    noise = torch.rand(3, 211, 173, generator=torch.Generator().manual_seed(0))
    wide, narrow = tmp_path / "wide.png", tmp_path / "narrow.png"
    corner("red", (200, 90)).save(wide)
    corner("blue", (20, 400)).save(narrow)
    drawings = saved_photos(tmp_path, drawn(4)[0])
    for path in [wide, narrow, *drawings, *saved_photos(tmp_path, noise[None])]:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        seen = ExportedGraph(Shown(), 32, 1.0)(torch.from_numpy(np.array(photo))[None]).logits
        expected = as_float(warp(photo, 32)[None]).flatten(1)
        apart = (seen - expected).abs()
        assert apart.max() <= 1.01 / 255
        assert (apart > 0).float().mean() < 0.002


def test_a_photo_of_the_right_size_stays_as_it_is():
    assert torch.equal(resize_weights(32, 32), torch.eye(32))


@pytest.mark.parametrize("length", [1, 2, 31, 33, 500])
def test_resizing_keeps_what_is_even(length):
    weights = resize_weights(length, 32)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(32))
    torch.testing.assert_close(weights.flip(0, 1), weights)
