"""Where labels were found, as pictures within a JSON answer."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from tagsight.inference.heatmaps import overlay, strongest, transparent_overlay

if TYPE_CHECKING:
    from PIL import Image

    from tagsight.inference.result import Result

SIDE = 768
"""Longest side of a picture, in pixels."""

VEIL = 192
"""Longest side of a picture that is laid over the photo."""

MOST_VEILS = 24
"""Labels of a photo that have one."""

MOST = 8
"""Labels of a photo that are drawn, those with the highest scores."""


def heatmap_urls(photo: Image.Image, result: Result) -> dict[str, str]:
    """Draw the evidence of the labels that were found, the surest of them, all on one scale.

    Args:
        photo: Reduced to `SIDE`.
        result: What was recognised in it; a label at least.

    Returns:
        A PNG as a ``data:`` URL, by label.
    """
    names = [label.name for label in result.labels[:MOST]]
    maps = {name: result.map(name) for name in names}
    top = max(strongest(evidence) for evidence in maps.values())
    return {name: _url(overlay(photo, evidence, top)) for name, evidence in maps.items()}


def evidence_urls(result: Result) -> dict[str, str]:
    """Draw the evidence of the labels with the highest scores, to be laid over the photo.

    Returns:
        A PNG with transparency as a ``data:`` URL, by label; all are on one scale.
    """
    shown = [label.name for label in result.ranked()[:MOST_VEILS]]
    top = max(strongest(result.map(name)) for name in shown)
    longest = max(result.photo_size)
    width, height = (max(1, round(VEIL * side / longest)) for side in result.photo_size)
    return {
        name: _url(transparent_overlay(result.map(name), top, (width, height))) for name in shown
    }


def _url(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
