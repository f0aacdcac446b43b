"""A model that can be checked by eye and by hand: a label's map is one colour of the photo.

The maps of ``red``, ``green`` and ``blue`` are ``40 x - 2`` where ``x`` in [0, 1] is the mean of
the colour in a cell: a label's logit is the mean of its map, and a photo without the colour has -2.
"""

from pathlib import Path

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import LoadedModel
from tagsight.config import Recipe, Resize, SystemConfig, TrainConfig
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.labels.space import empty_label_space
from tagsight.nn.padding import cells_on_photo, filled
from tagsight.runtime.device import Runtime
from tagsight.systems.base import Recognition, System

SIDE, CELLS = 32, 8
NAMES = ("red", "green", "blue")
GAIN, AGAINST = 40.0, 2.0


class Cells(nn.Module):
    channels, stride = 3, SIDE // CELLS
    class_scores = None

    def forward(self, images: Tensor) -> Tensor:
        return filled(F.avg_pool2d(images[:, :3], self.stride), self.on_photo(images))

    def on_photo(self, images: Tensor) -> Tensor | None:
        return cells_on_photo(images, self.stride)


class Channels(System):
    Config = SystemConfig
    paper = "https://example.org"
    published = ()

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.config = SystemConfig()
        self.backbone = Cells()

    @property
    def maps_add_up(self) -> bool:
        return True

    def forward(self, images: Tensor) -> Recognition:
        features = self.backbone(images)
        maps = GAIN * features - AGAINST
        return Recognition(maps.mean((-2, -1)), maps, features.mean((-2, -1)))


def channels_model(
    system: System | None = None,
    *,
    threshold: float = 0.5,
    temperature: float = 1.0,
    names: tuple[str, ...] = NAMES,
    resize: Resize = "warp",
) -> LoadedModel:
    recipe = Recipe(
        name="channels",
        system="channels",
        settings=SystemConfig(),
        training=TrainConfig(image_size=SIDE, resize=resize),
        source="tests",
        expectation="exact",
    )
    return LoadedModel(
        system=(system or Channels()).eval(),
        labels=empty_label_space(names),
        decision=Decision(np.full(len(names), threshold), temperature),
        recipe=recipe,
        facts={},
        digest="c" * 64,
    )


def channels_recognizer(
    system: System | None = None, *, batch_size: int = 4, **options: object
) -> Recognizer:
    model = channels_model(system, **options)
    network = TrainedNetwork(model, Runtime.choose("cpu", "float32", workers=2))
    return Recognizer(network, batch_size=batch_size)


def corner(
    colour: str = "red", size: tuple[int, int] = (64, 64), brightness: int = 255
) -> Image.Image:
    """A black photo with the upper left quarter in one colour."""
    photo = Image.new("RGB", size)
    pixel = tuple(brightness if name == colour else 0 for name in NAMES)
    photo.paste(pixel, (0, 0, size[0] // 2, size[1] // 2))
    return photo


def save_rotated(photo: Image.Image, path: Path) -> None:
    """Write a photo lying on its side, with the mark that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
