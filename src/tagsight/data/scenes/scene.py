"""A photo of a scene: what is seen of each thing, and the camera that sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from tagsight.data.scenes.composition import Composer, Layer
from tagsight.data.scenes.dependencies import draw_labels
from tagsight.data.scenes.light import draw_light

if TYPE_CHECKING:
    from numpy.random import Generator

Box: TypeAlias = tuple[float, float, float, float]
Mask: TypeAlias = NDArray[np.bool_]

SIZES = ((320, 240), (320, 240), (240, 320), (288, 288), (336, 224), (300, 225))
LEAST_SEEN = 0.25
"""Share of a thing, with what is outside of the photo, that must be seen for it to be there."""

LEAST_BARE = 0.4
"""Share of the sea that things in front of it must leave to be seen."""

SMALLEST_SIDE = 0.05
"""Of what is seen of a thing, its longer side as a share of the photo's shorter side."""


class Scene(NamedTuple):
    """A photo and what is in it.

    Attributes:
        photo: RGB.
        labels: What is present.
        boxes: For each of them the left, top, right and bottom of what is seen of each instance,
            in pixels; right and bottom are just outside.
    """

    photo: Image.Image
    labels: frozenset[str]
    boxes: dict[str, list[Box]]


def draw_scene(seed: int, index: int, size: tuple[int, int] | None = None) -> Scene:
    """Draw one scene; it depends on nothing but the arguments.

    Args:
        seed: Of the collection, at least 0.
        index: Of the scene in it, at least 0.
        size: ``(width, height)`` in pixels; by default one of several.
    """
    rng = np.random.default_rng([seed, index])
    size = size or SIZES[int(rng.integers(len(SIZES)))]
    name, labels = draw_labels(rng)
    light = draw_light(rng, name, labels)
    sky, layers = Composer(rng, labels, light, size).compose()
    kept = seen_layers(layers, size)
    boxes: dict[str, list[Box]] = {}
    for layer, seen in kept:
        if layer.label:
            boxes.setdefault(layer.label, []).append(tight_box(seen))
    photo = _photographed(rng, _painted(sky, [layer for layer, _ in kept]))
    return Scene(photo, frozenset(boxes), boxes)


def seen_layers(layers: list[Layer], size: tuple[int, int]) -> list[tuple[Layer, Mask]]:
    """The layers that are kept and the pixels that are seen of each, ``(height, width)`` bool.

    A pixel belongs to the foremost layer that covers at least half of it. A thing of which too
    little would be seen is left out of the photo, so that nothing is in it that does not count; so
    is a thing that would hide too much of the ground.
    """
    masks = [_mask(layer, size) for layer in layers]
    free = np.ones(size[::-1], np.bool_)
    bare = _bare_ground(layers, masks)
    kept = []
    for layer, mask in zip(reversed(layers), reversed(masks), strict=True):
        seen = mask & free
        if not layer.is_ground:
            if layer.label and not _is_there(seen, layer):
                continue
            if any(_hides(seen, ground, free) for ground in bare):
                continue
        free &= ~mask
        kept.append((layer, seen))
    return kept[::-1]


def tight_box(seen: Mask) -> Box:
    """Left, top, right and bottom of the pixels of a mask."""
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _mask(layer: Layer, size: tuple[int, int]) -> Mask:
    width, height = size
    left, top = layer.corner
    mask = np.zeros((height, width), np.bool_)
    opaque = _opaque(layer)[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    rows, columns = opaque.shape
    mask[max(0, top) : max(0, top) + rows, max(0, left) : max(0, left) + columns] = opaque
    return mask


def _opaque(layer: Layer) -> Mask:
    return np.asarray(layer.image.getchannel("A")) >= 128


def _bare_ground(layers: list[Layer], masks: list[Mask]) -> list[Mask]:
    # What would be seen of the parts of the ground that count as something if nothing stood there.
    bare = []
    free = np.ones_like(masks[0])
    for layer, mask in zip(reversed(layers), reversed(masks), strict=True):
        if layer.is_ground:
            if layer.label:
                bare.append(mask & free)
            free &= ~mask
    return bare


def _hides(seen: Mask, ground: Mask, free: Mask) -> bool:
    if not (seen & ground).any():
        return False
    return bool((ground & free & ~seen).sum() < LEAST_BARE * ground.sum())


def _is_there(seen: Mask, layer: Layer) -> bool:
    count = int(seen.sum())
    if not count or count < LEAST_SEEN * int(_opaque(layer).sum()):
        return False
    left, top, right, bottom = tight_box(seen)
    return max(right - left, bottom - top) >= SMALLEST_SIDE * min(seen.shape)


def _painted(sky: Image.Image, layers: list[Layer]) -> Image.Image:
    photo = sky.copy()
    shining = Image.new("RGB", photo.size)
    for layer in layers:
        if layer.shade:
            photo.paste(layer.shade[0], layer.shade[1], layer.shade[0])
        photo.paste(layer.image, layer.corner, layer.image)
        shining.paste((0, 0, 0), layer.corner, layer.image)
        if layer.glow:
            shining.paste(layer.glow, layer.corner, layer.glow)
    width, height = photo.size
    bloom = shining.reduce(4).point(lambda value: value * 0.7).filter(ImageFilter.GaussianBlur(2.5))
    return ImageChops.screen(photo, bloom.resize((width, height), Image.Resampling.BICUBIC))


def _photographed(rng: Generator, photo: Image.Image) -> Image.Image:
    if rng.random() < 0.6:
        photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    width, height = photo.size
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    exposure = rng.uniform(0.96, 1.14) * (1 - rng.uniform(0, 0.22) * (rows**2 + columns**2) / 2)
    balance = rng.uniform(0.95, 1.05, 3)
    pixels = np.asarray(photo, np.float32) * (exposure[..., None] * balance).astype(np.float32)
    noise = rng.standard_normal((height, width, 3), np.float32)
    pixels += noise * np.float32(rng.uniform(1, 4.5))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
