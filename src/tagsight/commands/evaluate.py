"""``tagsight evaluate``: what a model is worth on labelled photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import ExistingPath
from cyclopts.validators import Number

from tagsight.commands.options import CheckedReading, Hardware, NewLabels
from tagsight.commands.output import STANDARD_OUTPUT, print_info, print_result, write_json

Split = Literal["train", "val", "test"]


@Parameter(name="*")
@dataclass(frozen=True)
class ExtraMeasures:
    """What is measured besides scores and decisions, and by which conventions."""

    boxes: Path | None = None
    """COCO file of boxes, to measure whether the evidence points at the objects."""

    grad_cam: bool = False
    """Measure the evidence of Grad-CAM instead of the system's own."""

    retrieval: Annotated[int | None, Parameter(validator=Number(gte=1, lte=1000))] = None
    """Search for each photo among the others, and measure how many of the first so many share a
    label with it."""

    image_size: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Side of the square that photos are resized to, in pixels, where it is not to be that of the
    training: a multiple of the encoder's stride."""

    never_predicted: Literal["zero", "one", "wrong"] = "zero"
    """Precision of a label that is never predicted: zero, one (SRN's tables), or wrong, which
    counts it as one wrong prediction, so that OP falls too (ML-GCN's and CSRA's tables)."""

    unknown: Literal["left-out", "absent"] = "left-out"
    """What unknown targets such as VOC's difficult objects are in precision and recall: left out
    (CSRA's tables), or absent, though not in mAP (ML-GCN's tables)."""


def evaluate(
    model: Path,
    data: ExistingPath,
    /,
    *,
    split: Split = "test",
    reading: CheckedReading = CheckedReading(),
    extra: ExtraMeasures = ExtraMeasures(),
    additions: NewLabels = NewLabels(),
    json: Path | None = None,
    hardware: Hardware = Hardware(),
) -> None:
    """Measure a model on the photos of a split, or on all where the data have no split.

    Args:
        model: The model folder.
        data: Labels: a file or a folder of a known format; they are matched to the model's by name.
        split: The photos to measure on.
        json: File for the whole report; without a name it goes to standard output.
    """
    print_info(f"loading {model}")

    from tagsight.evaluation.report_text import report_lines
    from tagsight.metrics.classification import Conventions
    from tagsight.workflows import evaluate as measure

    with hardware.exact().together() as runtime:
        report = measure(
            model,
            reading.read(data),
            split=split,
            boxes=extra.boxes,
            grad_cam=extra.grad_cam,
            retrieval=extra.retrieval,
            image_size=extra.image_size,
            conventions=Conventions(
                extra.never_predicted, "absent" if extra.unknown == "absent" else "left_out"
            ),
            new_labels=additions.names() or (),
            vectors=additions.vectors,
            max_bad=reading.max_bad,
            runtime=runtime,
        )
        if not runtime.processes.is_first:
            return
    if json != STANDARD_OUTPUT:
        print_result(report_lines(report))
    if json is not None:
        write_json(report, json)
