"""One scene: its labels, its photo, and the boxes of the visible parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.demo.scenes.camera import painted, photographed
from tagsight.demo.scenes.colours import one_of
from tagsight.demo.scenes.composition import Box, Composer, Layer
from tagsight.demo.scenes.dependencies import draw_labels
from tagsight.demo.scenes.light import draw_light
from tagsight.demo.scenes.visibility import Mask, seen_layers, tight_box

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL import Image

SIZES = ((320, 240), (320, 240), (240, 320), (288, 288), (336, 224), (300, 225))
"""Default sizes of photos, ``(width, height)`` in pixels."""

SHORTEST, LONGEST = 64, 1024
"""Allowed sides, in pixels."""


class Scene(NamedTuple):
    """A photo with its labels and boxes.

    Attributes:
        photo: RGB.
        labels: Labels that are present.
        boxes: For each label, the left, top, right and bottom of the visible part of each object,
            in pixels; right and bottom are exclusive.
    """

    photo: Image.Image
    labels: frozenset[str]
    boxes: dict[str, list[Box]]


def draw_scene(seed: int, index: int, size: tuple[int, int] | None = None) -> Scene:
    """Draw one scene, which depends on the arguments only.

    An object of which too little would be visible is left out, and so is its label.

    Args:
        seed: Seed of the collection, at least 0.
        index: Index of the scene in it, at least 0.
        size: ``(width, height)`` in pixels, 64 to 1,024 each; by default one of `SIZES`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> scene = draw_scene(0, 3, (96, 72))
        >>> scene.photo.size, sorted(scene.labels)
        ((96, 72), ['car', 'moon', 'star', 'tree'])
    """
    if min(seed, index) < 0:
        msg = f"expected a seed and an index of at least 0, got {seed} and {index}"
        raise ValueError(msg)
    if size and not SHORTEST <= min(size) <= max(size) <= LONGEST:
        msg = f"expected a width and a height of {SHORTEST} to {LONGEST} pixels, got {size}"
        raise ValueError(msg)
    rng = np.random.default_rng([seed, index])
    sky, layers = compose_scene(rng, size or one_of(rng, SIZES))
    boxes: dict[str, list[Box]] = {}
    for layer, seen in layers:
        if layer.label:
            boxes.setdefault(layer.label, []).append(tight_box(seen))
    photo = photographed(rng, painted(sky, [layer for layer, _ in layers]))
    return Scene(photo, frozenset(boxes), boxes)


def compose_scene(
    rng: Generator, size: tuple[int, int]
) -> tuple[Image.Image, list[tuple[Layer, Mask]]]:
    """Compose the sky and the layers in front of it, from back to front with visible parts.

    Example:
        >>> sky, layers = compose_scene(np.random.default_rng(0), (96, 72))
        >>> sky.size, all(seen.shape == (72, 96) for _, seen in layers)
        ((96, 72), True)
    """
    name, labels = draw_labels(rng)
    light = draw_light(rng, name, labels)
    sky, layers = Composer(rng, labels, light, size).compose()
    return sky, seen_layers(layers, size)
