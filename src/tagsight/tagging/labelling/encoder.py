"""The encoder of a project's photos: an embedding of each, and a compact grid of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
import torch.nn.functional as F

from tagsight.data.photos.reading import decoding_side
from tagsight.data.photos.resizing import frame_of
from tagsight.loading.transforms import on_device, squared
from tagsight.nn.backbones import build_backbone
from tagsight.nn.class_activation import pooled
from tagsight.nn.views import stacked_pixels
from tagsight.systems.catalogue import QUICK_RECIPE, RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from tagsight.config import Recipe, Resize
    from tagsight.data.photos.resizing import Frame
    from tagsight.nn.encoder_base import Backbone
    from tagsight.runtime.device import Runtime

CELLS = 7
"""Cells across and down of the compact grid."""

DIRECTIONS = 64
"""Numbers of a compact cell: random directions, in which distances hardly change."""

STEP = 254.0
"""Numbers of a compact cell, which has length 1, are stored as bytes after this factor."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of ``B`` photos.

    Args:
        embeddings: ``(B, D)`` float16, the means of the feature grids.
        cells: ``(B, 7, 7, 64)`` int8, compact cells (`PhotoEncoder.compact`).

    Example:
        >>> encoded = Encoded(np.ones((3, 8), np.float16), np.zeros((3, 7, 7, 64), np.int8))
        >>> encoded.rows([0, 2]).embeddings.shape
        (2, 8)
    """

    embeddings: NDArray[np.float16]
    cells: NDArray[np.int8]

    def rows(self, rows: Sequence[int]) -> Encoded:
        """Return the features of some of the photos."""
        return Encoded(self.embeddings[list(rows)], self.cells[list(rows)])


@dataclass(frozen=True, eq=False)
class PhotoEncoder:
    """An encoder whose weights are never changed.

    Args:
        backbone: In evaluation mode, on the runtime's device.
        side: Side of the squares that it sees, in pixels.
        resize: How photos are made squares.
        runtime: Device, precision and threads.
        directions: ``(D, 64)`` float32, the directions of compact cells.

    Example:
        >>> from PIL import Image
        >>> from tagsight.runtime.device import Runtime
        >>> encoder = PhotoEncoder.choose(Runtime.choose("cpu", workers=1))
        >>> square = encoder.square(Image.new("RGB", (640, 480)))
        >>> encoded = encoder.encode([square])
        >>> square.shape, encoded.embeddings.shape, encoded.cells.shape
        (torch.Size([3, 448, 448]), (1, 2280), (1, 7, 7, 64))
    """

    backbone: Backbone
    side: int
    resize: Resize
    runtime: Runtime
    directions: Tensor

    @classmethod
    def choose(cls, runtime: Runtime, recipe: Recipe | None = None) -> Self:
        """Take the encoder and the resolution of a recipe, by default of ``gcam-quick``.

        Raises:
            DataError: As `build_backbone` does.
        """
        recipe = recipe or RECIPES[QUICK_RECIPE]
        backbone = build_backbone(recipe.settings.backbone).eval().to(runtime.device)
        backbone.requires_grad_(requires_grad=False)
        random = torch.Generator().manual_seed(0)
        drawn = torch.randn(backbone.channels, DIRECTIONS, generator=random)
        directions = (drawn / drawn.norm(dim=0)).to(runtime.device)
        training = recipe.training
        return cls(backbone, training.image_size, training.resize, runtime, directions)

    @property
    def dimensions(self) -> int:
        """Length ``D`` of an embedding."""
        return self.backbone.channels

    @property
    def least_side(self) -> int:
        """Smallest side that photos are decoded to, in pixels."""
        return decoding_side(self.side)

    def name(self) -> str:
        """Name what features depend on: the encoder, its weights, and how photos are resized."""
        digest = blake2b(f"{self.side} {self.resize} {CELLS} {DIRECTIONS}".encode(), digest_size=8)
        for name, tensor in self.backbone.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return f"{self.backbone.name}-{self.side}-{digest.hexdigest()}"

    def square(self, photo: Image.Image) -> Tensor:
        """Resize a photo to what the encoder sees: ``(C, side, side)`` uint8."""
        return squared(photo, self.side, self.resize)

    def frame(self, size: tuple[int, int]) -> Frame:
        """Return where the grid lies on a photo of this width and height."""
        return frame_of(size, self.side, self.resize)

    @torch.inference_mode()
    def grids(self, squares: Sequence[Tensor]) -> Tensor:
        """Encode squares: ``B`` times ``(C, side, side)`` uint8 -> ``(B, D, h, w)`` float32."""
        images = on_device(stacked_pixels(list(squares)), self.runtime)
        with self.runtime.autocast():
            grid: Tensor = self.backbone(images)
        return grid.float()

    @torch.inference_mode()
    def encode(self, squares: Sequence[Tensor]) -> Encoded:
        """Encode squares, as `grids` does, to embeddings and compact cells."""
        grids = self.grids(squares)
        embeddings = pooled(grids, "average").half()
        return Encoded(embeddings.cpu().numpy(), self.compact(grids).cpu().numpy())

    def compact(self, grids: Tensor) -> Tensor:
        """Reduce grids to compact cells: ``(B, D, h, w) -> (B, 7, 7, 64)`` int8.

        Cells are pooled to 7 x 7, projected, and given length 1.
        """
        cells = F.adaptive_avg_pool2d(grids, CELLS).movedim(1, -1)
        unit = F.normalize(F.normalize(cells, dim=-1) @ self.directions, dim=-1)
        return (STEP * unit).round().clamp(-127, 127).to(torch.int8)
