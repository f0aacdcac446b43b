"""``tagsight evaluate``: what a model is worth on labelled photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import ExistingPath
from cyclopts.validators import Number

from tagsight.commands.options import Machine, Reading
from tagsight.commands.output import STANDARD_OUTPUT, remark, say, write_json
from tagsight.runlog import progress

if TYPE_CHECKING:
    from tagsight.checkpoint import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.runtime import Runtime


@Parameter(name="*")
@dataclass(frozen=True)
class Evidence:
    """How the evidence is measured."""

    boxes: Path | None = None
    """COCO file of boxes, to measure whether the evidence points at the objects."""

    grad_cam: bool = False
    """Measure the evidence of Grad-CAM instead of the system's own."""


def evaluate(
    model: Path,
    data: ExistingPath,
    /,
    *,
    split: Literal["train", "val", "test"] = "test",
    reading: Reading = Reading(),
    evidence: Evidence = Evidence(),
    json: Path | None = None,
    max_bad: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.01,
    machine: Machine = Machine(),
) -> None:
    """Measure a model on the photos of a split, or on all where the data have no split.

    Args:
        model: The model folder.
        data: Labels: a file or a folder of a known format; they are matched to the model's by name.
        split: The photos to measure on.
        json: File for the whole report; without a name it goes to standard output.
        max_bad: Largest fraction of the photos that may be unusable.
    """
    from tagsight.checkpoint import load_model
    from tagsight.data.boxes import read_boxes
    from tagsight.evaluate import evaluate as measure
    from tagsight.evidence_report import measure_evidence
    from tagsight.report_text import report_lines

    runtime = machine.runtime()
    loaded = load_model(model, runtime.device)
    rows = split_rows(loaded, model, reading.read(data), split, runtime, max_bad)
    boxes = read_boxes(evidence.boxes) if evidence.boxes is not None else None
    with progress("recognising", len(rows)) as advance:
        report = measure(loaded, rows, runtime, progress=advance)
    with progress("measuring evidence", len(rows)) as advance:
        report["evidence"] = measure_evidence(
            loaded,
            rows,
            runtime,
            boxes=boxes,
            source="grad-cam" if evidence.grad_cam else "maps",
            progress=advance,
        )
    if json != STANDARD_OUTPUT:
        say(report_lines(report))
    if json is not None:
        write_json(report, json)


def split_rows(
    loaded: LoadedModel,
    model: Path,
    annotations: Annotations,
    split: str,
    runtime: Runtime,
    max_bad: float,
) -> Annotations:
    """Find the rows of a split, with the model's labels, and leave out photos that do not open."""
    from tagsight.data.check import check_photos, without_problems
    from tagsight.measured_rows import measured_rows

    rows, origin = measured_rows(annotations.matched_to(loaded.labels.names), model, split)
    remark(origin)
    with progress("checking photos", len(rows)) as advance:
        check = check_photos(rows.paths, workers=runtime.workers, progress=advance)
    for path, reason in check.problems[:10]:
        remark(f"left out: {path}: {reason}")
    return without_problems(rows, check, max_bad=max_bad)
