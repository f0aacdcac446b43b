import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.data.photos.resizing import as_square, without_padding
from tagsight.inference.exported_graph import ExportedGraph
from tagsight.loading.transforms import as_float, squared
from tagsight.systems.base import Recognition


class Shown(nn.Module):
    """Says of photos what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Identity()
        self.one_of = ()

    def forward(self, images: Tensor) -> Recognition:
        seen = self.backbone(images)
        return Recognition(seen.flatten(1), seen[:, :, None, None], seen.flatten(1))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("resize", "share"), [("warp", 0.002), ("fit", 0.002), ("crop", 0.02)])
def test_resizing_in_the_graph_is_that_of_the_training(resize, share, photos):
    graph = ExportedGraph(Shown(), 32, 1.0, resize)
    shapes = [noise(173, 211), noise(400, 30), noise(33, 32), noise(1, 50)]
    for photo in [*(Image.open(path).convert("RGB") for path in photos), *shapes]:
        seen = graph(torch.from_numpy(np.array(photo))[None]).logits
        apart = (seen - as_float(squared(photo, 32, resize)[None]).flatten(1)).abs()
        assert apart.max() <= 1.01 / 255
        assert (apart > 0).float().mean() < share


def test_a_fitted_photo_is_padded_and_not_resized_again():
    photo = noise(200, 70)
    whole = torch.from_numpy(as_square(photo, 32, "fit"))
    pixels = torch.from_numpy(without_padding(whole.numpy()))
    seen = ExportedGraph(Shown(), 32, 1.0, "fit")(pixels[None]).logits
    assert_close(seen, as_float(whole.permute(2, 0, 1)).flatten()[None], rtol=0, atol=0)
