"""Explain photos: draw the evidence for each label found."""

from __future__ import annotations

import re
import unicodedata
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin

from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.errors import DataError
from tagsight.inference.interpolation import over_padding, upsample
from tagsight.inference.recognizer import load
from tagsight.inference.result import label_index
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import replacing
from tagsight.visualize.contact_sheet import Section, contact_sheet, heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.inference.recognizer import OnError, PhotoLike, Recognizer
    from tagsight.inference.result import Result
    from tagsight.inference.run import Run

MOST_PANELS = 24
"""Most labels on a contact sheet, and most of those found that are drawn; asked ones all are."""


class Explanation(NamedTuple):
    """Pictures drawn for one photo.

    Attributes:
        result: Labels and evidence of the photo.
        shown: Labels that are drawn: those of `Result.shown`, the highest if many were found.
        sheet: File of the contact sheet.
        heatmaps: Files of the heatmaps, one for each label shown.
        not_drawn: Number of labels that were found and are not drawn.
    """

    result: Result
    shown: tuple[str, ...]
    sheet: Path
    heatmaps: tuple[Path, ...]
    not_drawn: int


def explain_photos(
    recognizer: Recognizer,
    photos: Iterable[Path | str],
    out: Path | str,
    *,
    labels: Sequence[str] = (),
    with_grad_cam: bool = False,
    on_error: OnError | None = None,
) -> Iterator[Explanation]:
    """Draw the evidence for the labels of photos, one photo at a time.

    For ``dog.jpg`` it writes ``dog.png``, the contact sheet, and ``dog.<label>.png`` for each label
    shown, of those found at most the highest ``MOST_PANELS``. A label's full name is in the
    metadata of its file as ``Title``. Files get a number where the names of photos or labels
    collide. Existing files are only replaced if they are pictures drawn by tagsight, which are
    skipped as photos.

    Args:
        recognizer: The model.
        photos: Files.
        out: Folder for the pictures, created if needed.
        labels: Labels to show even if their scores are below the thresholds.
        with_grad_cam: Whether the contact sheet shows Grad-CAM as well.
        on_error: As in `Recognizer.recognize`.

    Returns:
        The explanations, which are drawn as they are consumed.

    Raises:
        DataError: If a label is unknown, before anything is drawn, or a photo cannot be read.

    Example:
        >>> recognizer = load("runs/first/model")
        >>> for explanation in explain_photos(recognizer, ["photos/dog.jpg"], "runs/evidence"):
        ...     print(explanation.sheet)
        runs/evidence/dog.png
    """
    for name in labels:
        label_index(recognizer.labels, name)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    names, folder = _FileNames(out), out.resolve()
    # The photos may be in the folder of the pictures, or above it.
    given = (
        photo
        for photo in map(Path, photos)
        if photo.parent.resolve() != folder or not _drawn_by_us(photo)
    )
    return (
        _explain(recognizer, result, names, labels, with_grad_cam=with_grad_cam)
        for result in recognizer.recognize(given, on_error=on_error)
    )


def explain(
    model: str | Path | Recognizer | Run,
    photos: str | Path | Iterable[str | Path],
    *,
    out: str | Path,
    labels: Sequence[str] = (),
    grad_cam: bool = False,
    on_problem: Callable[[Path, str], object] | None = None,
) -> list[Explanation]:
    """Draw the evidence for the labels of photos, as `explain_photos` does.

    Args:
        model: A model folder, an exported file, a `Run` or a `Recognizer`.
        photos: Photos, folders of photos, and tars of photos.
        out: Folder for the pictures, created if needed.
        labels: Labels to be shown also below their threshold.
        grad_cam: Whether the contact sheet shows Grad-CAM as well.
        on_problem: Called with a photo that cannot be read, which is left out, and why; without it
            the error is raised.

    Raises:
        DataError: If the model or a photo cannot be used, or a label is unknown.

    Example:
        >>> import tagsight as ts
        >>> (shown,) = ts.explain("runs/first/model", "photos/dog.jpg", out="runs", labels=["dog"])
        >>> shown.sheet.name, "dog" in shown.shown
        ('dog.png', True)
    """
    paths = [Path(photo) for photo in ([photos] if isinstance(photos, str | Path) else photos)]

    def fail(_: Path, reason: str) -> None:
        raise DataError(reason)

    def leave_out(photo: PhotoLike, error: DataError) -> None:
        tell(Path(str(photo)), str(error))

    tell = on_problem or fail
    found = find_photos(paths, on_problem=tell)
    return list(
        explain_photos(
            load(model),
            found,
            Path(out),
            labels=labels,
            with_grad_cam=grad_cam,
            on_error=leave_out,
        )
    )


def place(evidence: NDArray[np.float32], frame: Frame = WHOLE) -> str:
    """Describe where a map points: the centre and area of values above half the maximum.

    Args:
        evidence: ``(h, w)`` float, continued over padding (`over_padding`).
        frame: Where on the photo the map lies; by default on all of it.

    Example:
        >>> corner = np.zeros((7, 7), np.float32)
        >>> corner[0, 0] = 1
        >>> place(corner)
        'upper left, 2 % of the photo'
    """
    fine = upsample(evidence, (90, 90), frame.pixels((90, 90)))
    if fine.max() <= 0:
        return "nowhere"
    strong = fine >= fine.max() / 2
    weight = fine * strong
    y, x = (np.indices(fine.shape) * weight).sum((1, 2)) / weight.sum()
    row = ("upper", "", "lower")[min(int(y / 30), 2)]
    column = ("left", "", "right")[min(int(x / 30), 2)]
    where = " ".join(word for word in (row, column) if word) or "middle"
    return f"{where}, {100 * strong.mean():.0f} % of the photo"


def _explain(
    recognizer: Recognizer,
    result: Result,
    names: _FileNames,
    asked: Sequence[str],
    *,
    with_grad_cam: bool,
) -> Explanation:
    assert result.path is not None  # the photos are files
    every = result.shown(asked)
    shown = _drawn(every, asked)
    photo = open_photo(
        result.path, max_pixels=recognizer.max_pixels, max_memory=recognizer.max_memory
    )
    sections = [_section(result, shown)]
    if with_grad_cam:
        sections.append(_grad_cam_section(recognizer, photo, result, shown))
    sheet, *files = names.of(result.path, shown)
    limited = [section._replace(panels=section.panels[:MOST_PANELS]) for section in sections]
    _save(contact_sheet(photo, _title(result, every), limited), sheet)
    own = sections[0]
    for panel, top, file in zip(own.panels, own.tops, files, strict=True):
        _save(heatmap(photo, panel, unit=own.unit, top=top), file, panel.name)
    return Explanation(result, shown, sheet, tuple(files), len(every) - len(shown))


def _drawn(shown: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Leave out the lowest of many labels found, but none that was asked for."""
    kept = {*islice((name for name in shown if name not in asked), MOST_PANELS), *asked}
    return tuple(name for name in shown if name in kept)


def _section(result: Result, shown: Sequence[str]) -> Section:
    return Section("The system's own maps", "evidence in logits", result.panels(shown))


def _grad_cam_section(
    recognizer: Recognizer, photo: Image.Image, result: Result, shown: Sequence[str]
) -> Section:
    maps = recognizer.grad_cam(photo, [result.index(name) for name in shown])
    pairs = zip(result.panels(shown), maps, strict=True)
    panels = [
        panel._replace(evidence=over_padding(evidence, panel.frame)) for panel, evidence in pairs
    ]
    return Section("Grad-CAM", "Grad-CAM, no unit", panels)


def _title(result: Result, shown: Sequence[str]) -> str:
    title = result.path.name if result.path else "photo"
    if not result.labels:
        title += "; no label found"
    if len(shown) > MOST_PANELS:
        title += f"; {MOST_PANELS} of {amount(len(shown), 'label')}"
    return title


def _save(picture: Image.Image, file: Path, label: str | None = None) -> None:
    signature = PngImagePlugin.PngInfo()
    signature.add_text("Software", "tagsight")
    if label is not None:
        signature.add_itxt("Title", label)  # the name of the file may be cut or changed
    with replacing(file) as temporary:
        picture.save(temporary, format="PNG", pnginfo=signature)


class _FileNames:
    """Unique file names in a folder, also where the file system ignores case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._given: set[str] = set()

    def of(self, photo: Path, labels: Sequence[str]) -> list[Path]:
        """Choose the files of a photo: its sheet, then one for each label."""
        stem = _cut(photo.stem, 120)
        for number in count(1):
            numbered = stem if number == 1 else f"{stem}-{number}"
            files = [self.folder / f"{numbered}.png", *self._of_labels(numbered, labels)]
            if all(self._is_free(file) for file in files):
                break
        self._given |= {file.name.casefold() for file in files}
        return files

    def _of_labels(self, stem: str, labels: Sequence[str]) -> Iterator[Path]:
        taken: dict[str, int] = {}
        for label in labels:
            word = _cut(re.sub(r"[^\w\- ]", "_", unicodedata.normalize("NFC", label)), 60)
            number = taken[word.casefold()] = taken.get(word.casefold(), 0) + 1
            # Unambiguous: the label itself contains no full stop any more.
            yield self.folder / f"{stem}.{word}{f'.{number}' if number > 1 else ''}.png"

    def _is_free(self, file: Path) -> bool:
        if file.name.casefold() in self._given:
            return False
        return not file.exists() or _drawn_by_us(file)


def _cut(name: str, most: int) -> str:
    """Cut a name and drop invalid bytes; most file systems take 255 bytes of valid text."""
    return name.encode("utf-8", "surrogateescape")[:most].decode("utf-8", "ignore") or "photo"


def _drawn_by_us(file: Path) -> bool:
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            return picture.info.get("Software") == "tagsight"
    except (OSError, SyntaxError, ValueError):
        return False
