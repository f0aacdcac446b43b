"""A page on which labels that are probably wrong are looked through, by keyboard.

The page holds the whole table of labels, and makes a new file of it; it cannot change the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError
from tagsight.inference.heatmaps import overlay
from tagsight.inference.notebook import evidence_scale
from tagsight.runtime.amounts import amount
from tagsight.visualize.reports.elements import Html, element, joined, name
from tagsight.visualize.reports.page import Section, html_page
from tagsight.visualize.reports.pictures import BUDGET, Pictures, thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.resizing import Frame
    from tagsight.evaluation.label_errors import LabelError, Reason

MOST_SHOWN, MOST_BESIDE, SIDE = 200, 48, 224
"""Labels on a page, labels in a report on the collection, and the longest side of their photos in
pixels."""

HIGHEST = 0.99
"""Probability above which it is not said how much."""

LARGEST_TABLE = 3_000_000
"""Characters of the table within a page."""

REASONS: dict[Reason, str] = {
    "photo": "the photo looks otherwise",
    "labels": "other labels of the photo say otherwise",
    "twins": "its near twins have the opposite",
}


class ErrorEvidence(NamedTuple):
    """Place of the evidence for a label on a photo.

    Attributes:
        map: ``(h, w)`` float, in logits.
        top: End of its scale in logits (`scale_top`); 0 without evidence.
        frame: Where on the photo the map lies.
    """

    map: NDArray[np.float32]
    top: float
    frame: Frame


class ShownError(NamedTuple):
    """A label that is probably wrong, and where its evidence is on the photo.

    Attributes:
        error: The label.
        evidence: Its evidence; None for none.
    """

    error: LabelError
    evidence: ErrorEvidence | None


def label_errors_page(annotations: Annotations, shown: Sequence[ShownError], title: str) -> str:
    """Write the page, with keys to accept corrections and to download the corrected table.

    Args:
        annotations: The collection.
        shown: The labels, the most probable error first.
        title: Heading of the page.

    Raises:
        DataError: If the table of labels is too large for a page.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.evaluation.label_errors import LabelError
        >>> rows = Annotations(("<b>",), (Path("a.jpg"),), torch.ones(1, 1), None, "any")
        >>> error = LabelError(0, 0, 1, 0.02, 0.98, ("photo",))
        >>> page = label_errors_page(rows, [ShownError(error, None)], "labels.csv")
        >>> "&lt;b&gt;" in page, "the photo looks otherwise" in page
        (True, True)
    """
    size = sum(map(len, annotations.relative_names)) + annotations.targets.numel()
    if size > LARGEST_TABLE:
        msg = (
            f"expected a table of at most {LARGEST_TABLE:,} characters for a page, got {size:,}; "
            "write the labels to a CSV file instead"
        )
        raise DataError(msg)
    lead = joined(
        element(
            "p",
            "Keys: a takes the correction, k keeps the label, u makes it unknown, arrows move. "
            "The file that was read stays as it is, and what you choose is lost with this page "
            "unless you download the corrected table.",
        ),
        element("p", element("button", "Download the corrected table", type="button", id="save")),
    )
    sections = [Section("Probably wrong", label_error_list(annotations, shown, most=MOST_SHOWN))]
    data = {
        "names": annotations.names,
        "photos": annotations.relative_names,
        "splits": annotations.splits,
        "targets": [
            "".join("01"[v] if v >= 0 else "-" for v in row) for row in annotations.targets.tolist()
        ],
        "errors": [[one.error.row, one.error.label] for one in shown[:MOST_SHOWN]],
    }
    return html_page(title, lead, sections, data=data, scripts=["label_error_page.js"])


def label_error_list(
    annotations: Annotations,
    shown: Sequence[ShownError],
    *,
    most: int = MOST_SHOWN,
    pictures_size: int = BUDGET,
) -> Html:
    """Write the first labels as a list of photos, each with the evidence and both opinions.

    Args:
        annotations: The collection.
        shown: The labels.
        most: Labels in the list.
        pictures_size: Characters that all pictures may take.

    Example:
        >>> import tagsight as ts
        >>> label_error_list(ts.read_annotations("labels.csv"), [])
        ''
    """
    pictures = Pictures(pictures_size)
    items = [_item(annotations, one, pictures) for one in shown[:most]]
    if not items:
        return Html()
    more = f", the first {len(items)} of which are here" if len(shown) > len(items) else ""
    count = f"{amount(len(shown), 'label')} that may be wrong, the most probable first{more}."
    return joined(element("p", count), element("ol", items, class_="label-errors"))


def _item(annotations: Annotations, shown: ShownError, pictures: Pictures) -> Html:
    error, label = shown.error, annotations.names[shown.error.label]
    path = annotations.paths[error.row]
    given, other = ("present", "absent") if error.given else ("absent", "present")
    evidence, nowhere = shown.evidence, None
    if evidence is not None and evidence.top <= 0:  # the photo would stand there twice
        nowhere = element("p", "nothing in the photo is evidence for ", name(label))
        evidence = None
    return element(
        "li",
        element("div", list(_pictures(path, label, evidence, pictures)), class_="pictures"),
        element(
            "p", name(label), f": the table says {given}, probably {other} ({_share(error.wrong)})"
        ),
        nowhere,
        element(
            "p",
            f"score {error.score:.2f} without this photo; ",
            "; ".join(REASONS[reason] for reason in error.reasons),
        ),
        element("p", name(annotations.relative_names[error.row]), class_="faint"),
        element("p", "", role="status"),
        tabindex="0",
    )


def _pictures(
    path: Path, label: str, evidence: ErrorEvidence | None, pictures: Pictures
) -> Iterator[Html]:
    """Yield the photo, and the photo with the evidence if there is some."""
    photo = None if pictures.left <= 0 else thumbnail(path, SIDE)
    if photo is None:
        return
    yield pictures.picture(photo, path.name)
    if evidence is not None:
        on_photo = overlay(photo, evidence.map, evidence.top, box=evidence.frame.pixels(photo.size))
        picture = pictures.picture(on_photo, f"evidence for {label}")
        yield element("div", picture, Html(evidence_scale(evidence.top)) if picture else None)


def _share(probability: float) -> str:
    """Write a probability; what is not certain is not 100%."""
    return "over 99%" if probability > HIGHEST else f"{probability:.0%}"
