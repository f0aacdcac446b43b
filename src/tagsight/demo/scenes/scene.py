"""One scene: its labels, its photo, and the boxes of what is seen in it."""

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
"""``(width, height)`` in pixels of the photos, if nothing else is asked for."""

SHORTEST, LONGEST = 64, 1024
"""Sides in pixels that can be asked for."""


class Scene(NamedTuple):
    """A photo and what is in it.

    Attributes:
        photo: RGB.
        labels: What is present.
        boxes: For each of them, the left, top, right and bottom of what is seen of each instance,
            in pixels; right and bottom are just outside.
    """

    photo: Image.Image
    labels: frozenset[str]
    boxes: dict[str, list[Box]]


def draw_scene(seed: int, index: int, size: tuple[int, int] | None = None) -> Scene:
    """Draw one scene, which depends on nothing but the arguments.

    A label that was decided on is not present if too little of it would be seen: it is then left
    out of the photo.

    Args:
        seed: Of the collection, at least 0.
        index: Of the scene in it, at least 0.
        size: ``(width, height)`` in pixels, 64 to 1,024 each; by default one of several.

    Raises:
        ValueError: If an argument is outside of its range.
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
    """The sky, and what is before it from back to front with what is seen of each."""
    name, labels = draw_labels(rng)
    light = draw_light(rng, name, labels)
    sky, layers = Composer(rng, labels, light, size).compose()
    return sky, seen_layers(layers, size)
