"""Evidence for a label in one photo, computed when somebody looks at it."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.inference.heatmaps import evidence_layer, peak, scale_top
from tagsight.tagging.labelling.thumbnails import state_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from tagsight.tagging.labelling.encoder import PhotoEncoder
    from tagsight.tagging.labelling.learner import Learned
    from tagsight.tagging.labelling.photos import Photo

MOST_GRIDS = 16
"""Feature grids that are kept, of the photos looked at last: some 16 MB."""

SIDE = 512
"""Longest side of an overlay, in pixels."""


class Overlay(NamedTuple):
    """A layer to put over a photo.

    Attributes:
        png: The picture, transparent where there is no evidence.
        peak: Where the evidence is strongest, as fractions of width and height; None without any.
        top: Evidence in logits that the last colour stands for.
    """

    png: bytes
    peak: tuple[float, float] | None
    top: float


class Grids:
    """Feature grids of the photos that were looked at last.

    Args:
        encoder: Computes them.

    Example:
        >>> from PIL import Image
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.tagging.labelling.encoder import PhotoEncoder
        >>> from tagsight.tagging.labelling.photos import Photo
        >>> grids = Grids(PhotoEncoder.choose(Runtime.choose("cpu", workers=1)))
        >>> photo = Photo(1, "a.jpg", 64, 48, size=9, modified=1, problem=None)
        >>> grid = grids.compute(photo, Image.new("RGB", (64, 48)))
        >>> grids.get(photo) is grid, grids.get(photo._replace(modified=2))
        (True, None)
    """

    def __init__(self, encoder: PhotoEncoder) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str], NDArray[np.float32]] = OrderedDict()

    def get(self, photo: Photo) -> NDArray[np.float32] | None:
        """Return the grid of a photo, ``(h, w, D)`` float32, or None if it is not there."""
        with self._lock:
            return self._kept.get((photo.id, state_of(photo)))

    def compute(self, photo: Photo, decoded: Image.Image) -> NDArray[np.float32]:
        """Encode a decoded photo, and keep its grid: ``(h, w, D)`` float32."""
        (grid,) = self._encoder.grids([self._encoder.square(decoded)]).movedim(1, -1).cpu().numpy()
        with self._lock:
            self._kept[photo.id, state_of(photo)] = grid
            while len(self._kept) > MOST_GRIDS:
                self._kept.popitem(last=False)
        return grid


def draw_evidence(
    grid: NDArray[np.float32],
    size: tuple[int, int],
    learned: Learned,
    column: int,
    encoder: PhotoEncoder,
) -> Overlay:
    """Draw the evidence for a label, on a scale beside the labels that the photo probably has.

    Args:
        grid: ``(h, w, D)`` float32, of the photo.
        size: Width and height of the photo in pixels.
        learned: The heads.
        column: Column of the label.
        encoder: Knows where the grid lies on the photo.

    Example:
        >>> from types import SimpleNamespace
        >>> from tagsight.data.photos.resizing import frame_of
        >>> from tagsight.tagging.labelling.learner import Learned
        >>> from tagsight.training.heads import fit_heads
        >>> cells = np.random.default_rng(0).normal(size=(49, 2)).astype(np.float32)
        >>> fitted = fit_heads(cells, (cells[:, :1] > 0).astype(np.int8))
        >>> learned = Learned(1, 1, fitted, (1,), np.ones((1, 1)), np.ones((1, 1)), 0.1)
        >>> encoder = SimpleNamespace(frame=lambda size: frame_of(size, 224, "warp"))
        >>> grid = np.zeros((7, 7, 2), np.float32)
        >>> grid[1:4, 3:6] = 9, 0
        >>> drawn = draw_evidence(grid, (640, 480), learned, 0, encoder)
        >>> [round(place, 2) for place in drawn.peak]
        [0.64, 0.36]
    """
    maps = learned.fitted.heads.evidence(grid)
    scores = learned.fitted.decision.scores(maps.mean((1, 2)))
    shown = learned.fitted.decision.predicted(scores)
    shown[column] = True
    scale = SIDE / max(size)
    width, height = (max(1, round(scale * side)) for side in size)
    box = encoder.frame(size).pixels((width, height))
    evidence = np.ascontiguousarray(maps[column], np.float32)
    top = scale_top(evidence, maps[shown])
    layer = evidence_layer(evidence, top, (width, height), box)
    file = io.BytesIO()
    layer.save(file, "PNG")
    place = peak(evidence, (width, height), box)
    at = None if place is None else (place[0] / width, place[1] / height)
    return Overlay(file.getvalue(), at, top)
