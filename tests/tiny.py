"""A network small enough for tests, equivariant by construction, and photos drawn for it.

Convolutions of 1 x 1 and average pooling do not know left from right nor up from down: mirrored or
turned photos give mirrored or turned features, exactly. It is registered with timm, so that systems
are built around it as around any other encoder.
"""

import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from timm.models import register_model
from torch import Tensor, nn

from tagsight.config import BackboneConfig, SystemConfig
from tagsight.labels.space import LabelSpace
from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS
from tagsight.systems.remembering import RememberingSystem

CELL = 8
"""Side of a cell of the feature grid, in pixels."""

COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.8, 0.1),
    "blue": (0.1, 0.2, 0.9),
    "yellow": (0.9, 0.9, 0.1),
    "white": (1.0, 1.0, 1.0),
}
"""The labels of the drawn photos."""


class TinyNetwork(nn.Module):
    """What a colour is, cell by cell: ``(B, 3, H, W) -> (B, 24, H / CELL, W / CELL)``."""

    num_features = 24
    pretrained_cfg: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        means, deviations = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
        self.pretrained_cfg = {"input_size": (3, 32, 32), "mean": means, "std": deviations}
        self.feature_info = [{"reduction": CELL}]
        self.pixels = nn.Conv2d(3, 16, 1)
        self.cells = nn.Conv2d(16, self.num_features, 1)

    def forward_features(self, images: Tensor) -> Tensor:
        return F.relu(self.cells(F.avg_pool2d(F.relu(self.pixels(images)), CELL)))


@register_model
def tiny_equivariant(**_options: object) -> TinyNetwork:
    return TinyNetwork()


class StagedNetwork(TinyNetwork):
    """The same with a stage that can be frozen."""

    def __init__(self) -> None:
        super().__init__()
        pixels, cells = self.pixels, self.cells
        del self.pixels, self.cells
        self.layer1 = nn.Sequential(pixels, nn.ReLU(), nn.AvgPool2d(CELL))
        self.cells = cells

    def forward_features(self, images: Tensor) -> Tensor:
        return F.relu(self.cells(self.layer1(images)))


@register_model
def tiny_staged(**_options: object) -> StagedNetwork:
    return StagedNetwork()


TINY = BackboneConfig(
    name="tiny_equivariant",
    weights="none",
    frozen_stages=0,
    freeze_depthwise=False,
    freeze_batch_norm=False,
)

TINY_STAGED = TINY.model_copy(update={"name": "tiny_staged", "frozen_stages": 1})


def label_space() -> LabelSpace:
    """Five labels with dependencies, word vectors, and counts from 40 photos."""
    generator = torch.Generator().manual_seed(5)
    targets = (torch.rand(40, len(COLOURS), generator=generator) < 0.4).long()
    targets[:, 1] |= targets[:, 0]
    vectors = torch.randn(len(COLOURS), 7, generator=generator)
    return LabelSpace.from_targets(list(COLOURS), targets, vectors)


def permuted(labels: LabelSpace, order: Tensor) -> LabelSpace:
    """The labels of a space in another order."""
    return LabelSpace(
        names=tuple(labels.names[i] for i in order.tolist()),
        vectors=labels.vectors[order],
        cooccurrence=labels.cooccurrence[order][:, order],
        photos=labels.photos[order],
    )


def tiny_system(name: str, labels: LabelSpace | None = None, **settings: object) -> System:
    """A system around the tiny network, its graph with edges, its small view in whole cells.

    One that remembers has seen sixteen photos.
    """
    labels = labels or label_space()
    built = SYSTEMS[name](tiny_settings(name, **settings), labels)
    if isinstance(built, RememberingSystem):
        images, targets = drawn(16)
        names = list(COLOURS)
        columns = [names.index(name) if name in names else -1 for name in labels.names]
        built.remember(built.describe(images), targets[:, columns])
    return built


def tiny_settings(name: str, **settings: object) -> SystemConfig:
    """Settings around the tiny network, as small as the system has them."""
    kind = SYSTEMS[name].Config
    decoder = {"width": 32, "heads": 4, "hidden": 32, "embedding": 16, "attention_width": 16}
    defaults: dict[str, object] = {
        "graph": {"hidden": 32, "epsilon": 0.3, "width": 16},
        "consistency": {"scale": 0.75},
        "decoder": decoder,
        "hidden": 64,
        "dropout": 0.0,
        "channels": 32,
        "grid": 4,
        "k": 3,
        "sigma": 2e-3,
        "negative": 0.95,
        "similar": 0.1,
    }
    known = {
        setting: _known(kind.model_fields[setting].annotation, values)
        for setting, values in defaults.items()
        if setting in kind.model_fields
    }
    return kind.model_validate({"backbone": TINY, **known, **settings})


def _known(kind: Any, values: object) -> object:
    """Those of a group's values that the system has a setting for."""
    if not isinstance(values, dict):
        return values
    return {name: value for name, value in values.items() if name in kind.model_fields}


def drawn(count: int, side: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Photos of coloured squares before noise: ``(N, 3, S, S)`` float and ``(N, 5)`` int."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 + 0.2 * torch.rand(count, 3, side, side, generator=generator)
    targets = (torch.rand(count, len(COLOURS), generator=generator) < 0.4).long()
    block = side // 4
    for image, present in zip(images, targets, strict=True):
        places = torch.randperm(16, generator=generator).tolist()
        for place, (label, colour) in zip(places, enumerate(COLOURS.values()), strict=False):
            if present[label]:
                top, left = place // 4 * block, place % 4 * block
                square = image[:, top : top + block, left : left + block]
                square[:] = torch.tensor(colour)[:, None, None]
    return images, targets


def exact_photos(count: int, side: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Drawn photos in double precision."""
    images, targets = drawn(count, side, seed)
    return images.double(), targets


def rates(system: System, *parameters: nn.Parameter) -> set[float]:
    """Learning rates of parameters in a run with 1e-3, the backbone's a tenth of it."""
    groups = system.parameter_groups(1e-3, 0.1)
    return {g["lr"] for g in groups for p in g["params"] for q in parameters if p is q}


def loss_left(system: System, lr: float, steps: int = 80, enough: float = 0.0) -> float:
    """The share of the label loss of 16 photos that training on them leaves, until it is enough."""
    images, targets = drawn(16)
    optimizer = torch.optim.Adam(system.parameters(), lr=lr)
    first = system.losses(images, targets)["labels"].item()
    left = 1.0
    for _ in range(steps):
        optimizer.zero_grad()
        losses = system.losses(images, targets)
        left = losses["labels"].item() / first
        if left < enough:
            break
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    return left


def saved_photos(folder: Path, images: Tensor) -> list[Path]:
    """Write photos as PNG files, in their order."""
    paths = [folder / f"{i:03}.png" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        pixels = (image * 255).round().to(torch.uint8)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return paths


if __name__ == "__main__":  # the command line, which knows the tiny network
    from tagsight.cli import main

    sys.exit(main(sys.argv[1:]))
