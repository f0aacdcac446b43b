"""A model's suggestions for the controls of a project: labels, or regions with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PIL import Image

from tagsight.data.tags.text import same
from tagsight.inference.evidence_boxes import evidence_boxes
from tagsight.inference.evidence_outlines import evidence_outlines, outline_mask
from tagsight.inference.heatmaps import peak
from tagsight.server.bridges.label_studio.brush import run_lengths
from tagsight.server.bridges.label_studio.messages import (
    Bitmask,
    Brush,
    ChosenLabels,
    ChosenPaths,
    Ellipse,
    KeyPoint,
    Polygon,
    Prediction,
    Rectangle,
    Suggestion,
)
from tagsight.server.data_urls import png_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tagsight.inference.evidence_boxes import EvidenceBox
    from tagsight.inference.result import Label, Result
    from tagsight.server.bridges.label_studio.configuration import Control, Kind
    from tagsight.server.bridges.label_studio.messages import Region, Value

PERCENT = (100, 100)
"""Size of a photo on which places are in percent."""


def suggest(result: Result, controls: Sequence[Control], version: str) -> Prediction:
    """Suggest the labels found in a photo, in the spelling of each control.

    Args:
        result: Its result.
        controls: Controls that refer to the photo.
        version: Version of the model.

    Example:
        >>> import numpy as np
        >>> from tagsight.inference.result import Result
        >>> from tagsight.server.bridges.label_studio.configuration import EXAMPLE, controls
        >>> maps = np.array([[[4.0, 0.0], [0.0, 0.0]]], np.float32)
        >>> one = np.ones(1)
        >>> result = Result(
        ...     None, ("dog",), 0.9 * one, 0.5 * one, one > 0, maps, one, one, photo_size=(640, 480)
        ... )
        >>> (suggestion,) = suggest(result, controls(EXAMPLE), "gcam-cpu 3f2a9c0d11ee").result
        >>> suggestion.from_name, suggestion.value.choices, suggestion.score
        ('label', ['dog'], 0.9)
    """
    suggestions = [
        Suggestion(
            id=f"{control.name}-{place}"[-100:],
            from_name=control.name,
            to_name=control.to_name,
            type=cast("Kind", control.kind),
            value=value,
            score=score,
            original_width=result.photo_size[0],
            original_height=result.photo_size[1],
        )
        for control in controls
        for place, (value, score) in enumerate(_values(result, control), 1)
    ]
    best = max((one.score for one in suggestions), default=0.0)
    return Prediction(result=suggestions, score=best, model_version=version)


def _values(result: Result, control: Control) -> Iterator[tuple[Value, float]]:
    """Yield the values that a control gets, with their scores."""
    found = [label for label in result.labels if same(label.name) in control.options]
    chosen = found if control.several else found[:1]
    names = [control.options[same(label.name)] for label in chosen]
    if not chosen:
        return
    if control.kind == "choices":
        yield ChosenLabels(choices=names), chosen[0].score
    elif control.kind == "taxonomy":
        yield ChosenPaths(taxonomy=[name.split("/") for name in names]), chosen[0].score
    else:
        for label, name in zip(chosen, names, strict=True):
            for region in _regions(result, label, name, control.kind):
                yield region, label.score


def _regions(result: Result, label: Label, name: str, kind: str) -> Iterator[Region]:
    """Yield where the evidence for a label is; nowhere if there is evidence against it alone."""
    (panel,) = result.panels([label.name])
    if kind == "keypointlabels":
        if place := peak(panel.evidence, PERCENT, panel.frame.pixels(PERCENT)):
            yield KeyPoint(x=place[0], y=place[1], keypointlabels=[name])
    elif kind == "polygonlabels":
        for outline in evidence_outlines(panel.evidence, panel.frame):
            yield Polygon(points=(100 * outline.outer).tolist(), polygonlabels=[name])
    elif kind in {"brushlabels", "bitmasklabels"}:
        if outlines := evidence_outlines(panel.evidence, panel.frame):
            mask = outline_mask(outlines, result.photo_size)
            yield _brush(mask, name) if kind == "brushlabels" else _bitmask(mask, name)
    else:
        for box in evidence_boxes(panel.evidence, panel.frame):
            yield _rectangle(box, name) if kind == "rectanglelabels" else _ellipse(box, name)


def _brush(mask: NDArray[np.uint8], name: str) -> Brush:
    return Brush(rle=run_lengths(mask), brushlabels=[name])


def _bitmask(mask: NDArray[np.uint8], name: str) -> Bitmask:
    opacity = Image.fromarray(mask)
    black = Image.new("L", opacity.size)
    return Bitmask(imageDataURL=png_url(Image.merge("LA", (black, opacity))), bitmasklabels=[name])


def _rectangle(box: EvidenceBox, name: str) -> Rectangle:
    left, top, width, height = (100 * side for side in box)
    return Rectangle(x=left, y=top, width=width, height=height, rectanglelabels=[name])


def _ellipse(box: EvidenceBox, name: str) -> Ellipse:
    """Return the ellipse that fills a rectangle."""
    across, down = 50 * box.width, 50 * box.height
    x, y = 100 * box.left + across, 100 * box.top + down
    return Ellipse(x=x, y=y, radiusX=across, radiusY=down, ellipselabels=[name])
