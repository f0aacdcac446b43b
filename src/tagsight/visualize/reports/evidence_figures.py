"""Photos with the evidence for one label, for the pages of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.errors import DataError
from tagsight.inference.heatmaps import overlay, scale_top
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.notebook import evidence_scale
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.threads import batched
from tagsight.visualize.reports.elements import Html, element

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.result import Result
    from tagsight.runtime.device import Runtime
    from tagsight.visualize.reports.pictures import Pictures

SIDE = 240
"""Longest side of a picture in pixels."""


class Evidence(NamedTuple):
    """The evidence for one label of a photo.

    Attributes:
        picture: The photo with the map, as an ``img``; empty if there is no room.
        scale: The colours, from 0 to the evidence in logits that the brightest stands for.
        found: Whether there is any; without, the picture is the photo.
    """

    picture: Html
    scale: Html
    found: bool


class EvidenceFigures:
    """Draws the evidence of a model on photos, as long as a page has room for pictures.

    Args:
        model: The model.
        runtime: Device, precision, and threads that decode photos.
        pictures: Embeds pictures in the page.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.visualize.reports.pictures import Pictures
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> figures, photo = EvidenceFigures(model, runtime, Pictures()), Path("photos/dog.jpg")
        >>> figures.recognise([photo])
        >>> figures.evidence(photo, "dog", "a dog").picture[:14]
        '<img src="data'
        >>> figures.evidence(Path("photos/none.jpg"), "dog", "") is None
        True
    """

    def __init__(self, model: LoadedModel, runtime: Runtime, pictures: Pictures) -> None:
        self._recognizer = Recognizer(TrainedNetwork(model, runtime))
        self._pictures = pictures
        self._results: dict[Path, Result] = {}

    def recognise(self, photos: Iterable[Path]) -> None:
        """Recognise the photos that are to be drawn; those that cannot be read are left out.

        One batch at a time, in this thread: it takes the memory that measuring the model has freed,
        which the memory of other threads would come on top of.
        """
        waiting = [path for path in dict.fromkeys(photos) if path not in self._results]
        for batch in batched(waiting, self._recognizer.batch_size):
            for path, result in zip(batch, self._recognizer.answers(batch), strict=True):
                if not isinstance(result, DataError):
                    self._results[path] = result

    def evidence(self, path: Path, label: str, alt: str) -> Evidence | None:
        """Draw the evidence for a label on a photo that was recognised; None if it cannot be read.

        The scale is that of the label (`scale_top`) beside the labels found.

        Args:
            path: The photo.
            label: Name of the label.
            alt: Description of the picture.
        """
        result = self._results.get(path)
        photo = None if result is None else _small(path)
        if result is None or photo is None:
            return None
        panels = {panel.name: panel for panel in result.panels(result.shown([label]))}
        own = panels[label]
        top = scale_top(own.evidence, [panel.evidence for panel in panels.values()])
        drawn = overlay(photo, own.evidence, top, box=own.frame.pixels(photo.size))
        picture = self._pictures.picture(drawn, alt)
        return Evidence(picture, Html(evidence_scale(top)) if picture else Html(), found=top > 0)


def evidence_figure(evidence: Evidence | None, caption: Iterable[Html]) -> Html:
    """Write a picture of evidence and what is said of it as a figure.

    Args:
        evidence: What was drawn; None for a figure without a picture.
        caption: Lines below the picture.

    Example:
        >>> evidence_figure(None, [element("b", "dog")])
        '<figure><figcaption><div><b>dog</b></div></figcaption></figure>'
    """
    lines = [element("div", line) for line in caption]
    picture, scale = (Html(), Html()) if evidence is None else evidence[:2]
    return element("figure", picture, element("figcaption", scale, lines))


def _small(path: Path) -> Image.Image | None:
    try:
        photo = open_photo(path, least_side=SIDE)
    except (DataError, OSError):
        return None
    width, height = photo.size
    scale = SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return photo.resize(size, Image.Resampling.LANCZOS)
