"""Photos and heatmaps within JSON, as ``data:`` URLs."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from tagsight.inference.heatmaps import colour_bar, evidence_layer, peak, scale_top
from tagsight.runtime.amounts import amount
from tagsight.server.responses import Evidence, Overlay
from tagsight.visualize.contact_sheet import Section, heatmap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from tagsight.inference.heatmaps import Panel
    from tagsight.inference.result import Result

HEATMAP_SIDE, OVERLAY_SIDE = 768, 192
"""Longest sides of the photo of a heatmap, and of a transparent overlay, in pixels."""

BAR_LENGTH = 256
"""Width of the colour bar in pixels; a page draws it as large as it likes."""

MOST_HEATMAPS, MOST_OVERLAYS = 8, 24
"""Numbers of labels of a photo that get one, those with the highest scores."""

_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w-]+=[\w.-]+)*;base64,", re.ASCII)


def decode_data_urls(urls: Sequence[str], most: int) -> list[bytes]:
    """Decode the photos that a client sends as URLs; no other URL or path is opened.

    Args:
        urls: Each ``data:image/...;base64,...``.
        most: Maximum number of photos.

    Raises:
        HTTPException: 413 if there are too many, 422 if one is no such URL.

    Example:
        >>> decode_data_urls(["data:image/png;base64,cGhvdG8="], 1)
        [b'photo']
    """
    if len(urls) > most:
        raise HTTPException(413, f"expected at most {amount(most, 'photo')}, got {len(urls)}")
    return [_decoded(url, place) for place, url in enumerate(urls, 1)]


def heatmap_urls(photo: Image.Image, result: Result) -> dict[str, str]:
    """Draw the evidence for the predicted labels as `explain` does.

    Args:
        photo: The photo, with sides of at most `HEATMAP_SIDE` pixels.
        result: Its result, with at least one label.

    Returns:
        A PNG as a ``data:`` URL by label, for the `MOST_HEATMAPS` highest scores.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from tagsight.inference.result import Result
        >>> maps = np.array([[[4.0, 0.0], [0.0, 0.0]]], np.float32)
        >>> one = np.ones(1)
        >>> result = Result(
        ...     None, ("dog",), 0.9 * one, 0.5 * one, one > 0, maps, one, one, photo_size=(640, 480)
        ... )
        >>> heatmap_urls(Image.new("RGB", (64, 48)), result)["dog"][:22]
        'data:image/png;base64,'
    """
    names = [label.name for label in result.labels[:MOST_HEATMAPS]]
    shown = Section("", "evidence in logits", result.panels(names))
    return {
        panel.name: png_url(heatmap(photo, panel, unit=shown.unit, top=top))
        for panel, top in zip(shown.panels, shown.tops, strict=True)
    }


def draw_evidence(result: Result) -> Evidence:
    """Draw the evidence for the labels with the highest scores as transparent overlays.

    Each has a scale of its own (`scale_top`).

    Example:
        >>> import numpy as np
        >>> from tagsight.inference.result import Result
        >>> maps = np.array([[[4.0, 0.0], [0.0, 0.0]]], np.float32)
        >>> one = np.ones(1)
        >>> result = Result(
        ...     None, ("dog",), 0.9 * one, 0.5 * one, one > 0, maps, one, one, photo_size=(640, 480)
        ... )
        >>> evidence = draw_evidence(result)
        >>> dog = evidence.overlays["dog"]
        >>> dog.top, dog.peak  # in logits; as fractions of the photo
        (4.0, (0.25, 0.25))
    """
    shown = result.panels([label.name for label in result.ranked()[:MOST_OVERLAYS]])
    longest = max(result.photo_size)
    width, height = (max(1, round(OVERLAY_SIDE * side / longest)) for side in result.photo_size)
    size, unit = (width, height), result.frame.pixels((1, 1))
    maps = [panel.evidence for panel in shown]

    def drawn(panel: Panel) -> Overlay:
        top = scale_top(panel.evidence, maps)
        layer = evidence_layer(panel.evidence, top, size, result.frame.pixels(size))
        place = peak(panel.evidence, (1, 1), unit)
        return Overlay(picture=png_url(layer), top=top, peak=place)

    return Evidence(
        bar=png_url(colour_bar((BAR_LENGTH, 1))),
        overlays={panel.name: drawn(panel) for panel in shown},
    )


def _decoded(url: str, place: int) -> bytes:
    start = _DATA.match(url)
    if start is None:
        raise HTTPException(
            422,
            f"expected photo {place} within the request, as data:image/jpeg;base64,..., "
            f"got {url[:60]!r}: this server fetches no URLs",
        )
    try:
        return base64.b64decode(url[start.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, f"expected photo {place} as base64: {error}") from error


def png_url(picture: Image.Image) -> str:
    """Encode a picture as ``data:image/png;base64,...``, without loss.

    Example:
        >>> from PIL import Image
        >>> png_url(Image.new("L", (1, 1)))[:30]
        'data:image/png;base64,iVBORw0K'
    """
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
