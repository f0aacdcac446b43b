"""Draw evidence maps over photos.

Maps stay raw, in logits, until they are drawn. Each label has a scale of its own, from zero, where
the photo is as it was, to its strongest evidence (`scale_top`); the scale stands beside the
picture. Evidence against a label is not drawn. Every picture of evidence is made of the layer that
`evidence_layer` draws, whether in `explain`, in a notebook, in a report or on a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.inference.colour_scale import colour_table, opacity_table
from tagsight.inference.interpolation import upsample
from tagsight.inference.marks import Mark, draw_marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tagsight.inference.interpolation import Box

FINEST = 1024
"""Longest side in pixels at which a map is interpolated; a larger layer is an enlargement of it."""

MOST_NAMES = 8
"""Most labels that are named on a photo."""

HINT = 0.25
"""Share of the strongest evidence on a photo at which the scale of a label ends at the least: next
to no evidence stays fainter than that for a label that is found."""

_GREY = 128
"""Brightness of the middle grey on which the colour bar is drawn."""


class Panel(NamedTuple):
    """One label of a photo, as it is shown.

    Attributes:
        name: Name of the label.
        score: In [0, 1].
        threshold: In [0, 1]; the label is found if its score reaches it.
        found: Whether the label is found.
        evidence: ``(h, w)`` float32, the map, continued over padding (`over_padding`).
        frame: Where on the photo the map lies; by default on all of it.
    """

    name: str
    score: float
    threshold: float
    found: bool
    evidence: NDArray[np.float32]
    frame: Frame = WHOLE


def strongest(maps: NDArray[np.float32]) -> float:
    """Return the strongest evidence of maps; 0 if no value is positive.

    Args:
        maps: ``(..., h, w)`` float.

    Example:
        >>> strongest(np.array([[[1, -4]], [[3, 2]]], dtype=np.float32))
        3.0
    """
    return max(0.0, float(maps.max(initial=0.0)))


def scale_top(evidence: NDArray[np.float32], shown: Iterable[NDArray[np.float32]]) -> float:
    """Choose where the scale of a label ends: at its strongest evidence, or a share of all.

    So a cat is seen beside a sure person, and labels with hardly any evidence stay faint (`HINT`).

    Args:
        evidence: ``(h, w)`` float, the map of the label.
        shown: ``(..., h, w)`` float each, the maps of the labels shown of the same photo.

    Returns:
        The value in the unit of the maps that gets the last colour; 0 without evidence for it.

    Example:
        >>> cat, person, bird = (np.full((2, 2), value, np.float32) for value in (3.0, 8.0, 0.1))
        >>> [scale_top(one, [cat, person, bird]) for one in (cat, person, bird)]
        [3.0, 8.0, 2.0]
    """
    own = strongest(evidence)
    return max(own, HINT * max(map(strongest, shown), default=0.0)) if own > 0 else 0.0


def peak(
    evidence: NDArray[np.float32], size: tuple[int, int], box: Box | None = None
) -> tuple[float, float] | None:
    """Locate the strongest evidence: the centre of the highest cell, the first of equal ones.

    Args:
        evidence: ``(h, w)`` float.
        size: Width and height of the photo in pixels.
        box: Where on the photo the map lies; by default on the whole photo.

    Returns:
        Its x and y in pixels, within the photo; None if no value is positive.

    Example:
        >>> peak(np.array([[0, 2]], dtype=np.float32), (80, 40))
        (60.0, 20.0)
    """
    if strongest(evidence) <= 0:
        return None
    row, column = np.unravel_index(evidence.argmax(), evidence.shape)
    left, top, right, bottom = box or (0, 0, *size)
    x = left + (right - left) * (float(column) + 0.5) / evidence.shape[1]
    y = top + (bottom - top) * (float(row) + 0.5) / evidence.shape[0]
    return min(max(x, 0.0), float(size[0])), min(max(y, 0.0), float(size[1]))


def overlay(
    photo: Image.Image,
    evidence: NDArray[np.float32],
    top: float,
    *,
    box: Box | None = None,
    name: str = "",
) -> Image.Image:
    """Draw the evidence for one label on a photo, with a mark where it is strongest.

    Args:
        photo: RGB, upright.
        evidence: ``(h, w)`` float.
        top: Value that gets the last colour; values of 0 or less leave the photo as it is.
        box: Where on the photo the map lies, left, top, right and bottom in pixels; by default on
            the whole photo.
        name: Name of the label, to be written beside the mark.

    Example:
        >>> photo = Image.new("RGB", (80, 80), (128, 128, 128))
        >>> picture = overlay(photo, np.array([[0, 2]], dtype=np.float32), top=2.0)
        >>> picture.getpixel((0, 0)), picture.getpixel((79, 79))
        ((128, 128, 128), (223, 215, 108))
    """
    picture = photo.copy()
    layer = evidence_layer(evidence, top, photo.size, box).convert("RGBA")
    picture.paste(layer, mask=layer)
    place = peak(evidence, photo.size, box)
    return picture if place is None else draw_marks(picture, [Mark(place, name)])


def name_labels(photo: Image.Image, panels: Sequence[Panel]) -> Image.Image:
    """Name the labels found on a photo, each where the evidence for it is strongest.

    Args:
        photo: RGB, upright.
        panels: Labels of the photo; of those found, the 8 with the highest scores are named.

    Example:
        >>> dog = Panel("dog", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> photo = Image.new("RGB", (320, 240))
        >>> missed = dog._replace(name="cat", found=False)
        >>> name_labels(photo, [dog]) == photo, name_labels(photo, [missed]) == photo
        (False, True)
    """
    found = sorted((panel for panel in panels if panel.found), key=lambda panel: -panel.score)
    places = [
        (peak(panel.evidence, photo.size, panel.frame.pixels(photo.size)), panel.name)
        for panel in found[:MOST_NAMES]
    ]
    return draw_marks(photo, [Mark(place, name) for place, name in places if place is not None])


def evidence_layer(
    evidence: NDArray[np.float32],
    top: float,
    size: tuple[int, int],
    box: Box | None = None,
) -> Image.Image:
    """Draw the evidence for one label as a layer to put over a photo, transparent where it is 0.

    Args:
        evidence: ``(h, w)`` float.
        top: Value that gets the last colour; values of 0 or less are transparent.
        size: Width and height of the photo in pixels, or of a smaller layer for it.
        box: Where on the photo the map lies; by default on the whole photo.

    Returns:
        An image with a palette of 256 colours, each with its own opacity.

    Example:
        >>> evidence = np.array([[0.0, 2.0]], np.float32)
        >>> layer = evidence_layer(evidence, top=2.0, size=(64, 48)).convert("RGBA")
        >>> layer.getpixel((0, 24))[3], layer.getpixel((63, 24))[3] > 100
        (0, True)
    """
    scale = min(1.0, FINEST / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    # The box of the smaller layer, whose sides are rounded.
    across, down = width / size[0], height / size[1]
    inner = box and (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    share = upsample(evidence, (width, height), inner) / top if top > 0 else np.zeros((1, 1))
    steps = Image.fromarray((255 * np.clip(share, 0, 1)).round().astype(np.uint8))
    layer = steps.resize(size, Image.Resampling.BILINEAR)
    layer.putpalette(colour_table().tobytes())
    layer.info["transparency"] = opacity_table().tobytes()
    return layer


def colour_bar(size: tuple[int, int]) -> Image.Image:
    """Draw the scale of evidence from zero to its top, left to right, as it is over middle grey.

    Args:
        size: Width and height in pixels.

    Example:
        >>> bar = colour_bar((256, 8))
        >>> bar.getpixel((0, 0)), bar.getpixel((255, 7))
        ((128, 128, 128), (223, 215, 108))
    """
    steps = np.linspace(0, 1, size[0], dtype=np.float32)[None]
    layer = evidence_layer(steps, 1.0, size).convert("RGBA")
    bar = Image.new("RGB", size, (_GREY, _GREY, _GREY))
    bar.paste(layer, mask=layer)
    return bar
