"""Show a result in a notebook: the photo, its labels, and where the evidence for them is."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.errors import DataError
from tagsight.inference.heatmaps import colour_bar, name_labels, overlay, scale_top
from tagsight.runtime.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tagsight.inference.heatmaps import Panel

PHOTO_SIDE, PANEL_SIDE, QUALITY = 400, 200, 85
"""Longest sides of the photo and of an overlay in pixels, and the quality of their JPEGs."""

MOST_PANELS = 12
"""Labels that are shown, those with the highest scores."""

_GREY = 128
"""Brightness that stands for a photo which is not there."""

# Notebooks are light or dark: text and marks take the colour of the page, and only bars and
# pictures have colours of their own. Styles are inline, as some viewers remove style sheets.
_BAR, _TRACK, _FAINT = "background:#4a7fb5", "background:rgba(128,128,128,.3)", "opacity:.7"
_SMALL = "opacity:.8;font-size:12px"
_MARK = "background:currentColor;position:absolute;top:-3px;width:2px;height:12px"


def result_html(
    photo: Path | bytes | Image.Image | NDArray[np.uint8] | None,
    size: tuple[int, int],
    panels: Sequence[Panel],
) -> str:
    """Show a photo beside its labels, each with score, threshold and evidence, as HTML.

    The pictures are within the HTML, which refers to nothing else. Each label has its scale below.

    Args:
        photo: The photo; where there is none, or it can no longer be read, the maps are drawn over
            grey.
        size: Width and height of the photo in pixels, upright.
        panels: Labels to show, at least one; of more than 12 those with the highest scores.

    Example:
        >>> from tagsight.inference.heatmaps import Panel
        >>> dog = Panel("<dog>", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> shown = result_html(None, (64, 48), [dog])
        >>> "&lt;dog&gt;" in shown, "0.94" in shown
        (True, True)
    """
    shown = sorted(panels, key=lambda panel: -panel.score)[:MOST_PANELS]
    maps = [panel.evidence for panel in shown]
    opened = _opened(photo)
    background = opened or Image.new("RGB", size, (_GREY, _GREY, _GREY))
    small = background.resize(_scaled(size, PANEL_SIDE), Image.Resampling.LANCZOS)
    left = "" if opened is None else _photo_figure(opened, photo, size, shown)
    figures = "".join(
        _panel_figure(small, panel, scale_top(panel.evidence, maps)) for panel in shown
    )
    more = len(panels) - len(shown)
    rest = f"<div style='{_FAINT}'>and {more:,} more</div>" if more else ""
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start;"
        f"font:13px/1.5 system-ui,sans-serif'>{left}"
        "<div style='flex:1;min-width:220px'>"
        f"<div style='display:flex;flex-wrap:wrap;gap:16px;align-items:flex-end'>{figures}</div>"
        f"{rest}"
        "</div></div>"
    )


def data_url(picture: Image.Image, *, quality: int = QUALITY) -> str:
    """Encode a picture as a JPEG within a ``data:`` URL.

    Example:
        >>> data_url(Image.new("RGB", (8, 8)))[:32]
        'data:image/jpeg;base64,/9j/4AAQS'
    """
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def evidence_scale(top: float) -> str:
    """Show which colours stand for which evidence, as a line of HTML.

    Args:
        top: End of the scale in logits.

    Example:
        >>> evidence_scale(0.0), "2.5 logits" in evidence_scale(2.5)
        ("<div style='opacity:.8;font-size:12px'>no evidence</div>", True)
    """
    if top <= 0:
        return f"<div style='{_SMALL}'>no evidence</div>"
    bar = np.asarray(colour_bar((9, 1)))[0]
    stops = ",".join(f"rgb({red},{green},{blue})" for red, green, blue in bar.tolist())
    return (
        f"<div style='{_SMALL};display:flex;gap:6px;align-items:center'>0"
        "<span style='flex:1;max-width:160px;height:8px;border-radius:2px;"
        f"background:linear-gradient(90deg,{stops})'></span>{top:.3g} logits</div>"
    )


def _opened(photo: Path | bytes | Image.Image | NDArray[np.uint8] | None) -> Image.Image | None:
    if photo is None:
        return None
    source = Image.fromarray(photo) if isinstance(photo, np.ndarray) else photo
    try:
        return open_photo(source, least_side=PHOTO_SIDE)
    except DataError:  # moved or changed since it was recognised
        return None


def _photo_figure(
    opened: Image.Image, photo: object, size: tuple[int, int], panels: Sequence[Panel]
) -> str:
    small = opened.resize(_scaled(size, PHOTO_SIDE), Image.Resampling.LANCZOS)
    name = f"<bdi>{escape(printable(photo.name))}</bdi>, " if isinstance(photo, Path) else ""
    return (
        f"<figure style='margin:0'>{_img(name_labels(small, panels), 'the photo')}"
        f"<figcaption style='{_FAINT}'>{name}{size[0]} x {size[1]} pixels</figcaption>"
        "</figure>"
    )


def _panel_figure(photo: Image.Image, panel: Panel, top: float) -> str:
    name = escape(printable(f"{panel.name:.200}"))
    picture = overlay(photo, panel.evidence, top, box=panel.frame.pixels(photo.size))
    verdict = "threshold" if panel.found else "below the threshold"
    return (
        f"<figure style='margin:0;width:{PANEL_SIDE}px'>"
        f"<figcaption style='overflow-wrap:anywhere'><b><bdi>{name}</bdi></b> "
        f"{panel.score:.2f} <span style='{_FAINT}'>{verdict} {panel.threshold:.2f}</span>"
        f"<div style='{_TRACK};position:relative;height:6px;margin:4px 0 6px'>"
        f"<div style='{_BAR};height:6px;width:{100 * panel.score:.1f}%'></div>"
        f"<div style='{_MARK};left:{99 * panel.threshold:.1f}%'></div></div></figcaption>"
        f"{_img(picture, f'evidence for {panel.name}')}{evidence_scale(top)}</figure>"
    )


def _img(picture: Image.Image, description: str) -> str:
    described = escape(printable(f"{description:.200}"))
    return (
        f"<img src='{data_url(picture)}' alt='{described}' "
        f"width='{picture.width}' height='{picture.height}' style='display:block;max-width:100%'>"
    )


def _scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    return width, height
