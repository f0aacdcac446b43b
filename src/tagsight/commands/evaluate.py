"""``tagsight evaluate``: measures a model on labelled photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import HARDWARE, Engine, Hardware, LabelsPath, NewLabels
from tagsight.commands.output import STANDARD_OUTPUT, print_info, print_result, write_json
from tagsight.commands.reading import CheckedReading

if TYPE_CHECKING:
    from tagsight.runtime.cluster import RayCluster

Split = Literal["train", "val", "test"]


@Parameter(name="*")
@dataclass(frozen=True)
class ExtraMeasures:
    """Additional measures, and the conventions of the standard ones."""

    boxes: Path | None = None
    """COCO file of boxes, to measure whether the evidence lies on the objects."""

    grad_cam: bool = False
    """Measure the evidence of Grad-CAM instead of the system's own maps."""

    faithfulness: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Number of photos on which to measure whether scores depend on what the evidence points at
    (insertion and deletion), and the evidence on the weights; 84 forward passes for each label of a
    photo."""

    retrieval: Annotated[int | None, Parameter(validator=Number(gte=1, lte=1000))] = None
    """Number of nearest photos of each photo, to measure also retrieval: how many of them share a
    label with it."""

    image_size: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Side of the square that photos are resized to, in pixels, a multiple of the encoder's stride;
    by default that of the training."""

    against: Path | None = None
    """Another model folder, to be compared on the same photos: differences of mAP and of each label
    with intervals and p-values."""

    views: str | None = None
    """Views of each photo to average logits over, besides the photo itself: flip, its mirror image,
    and factors of the image size, as in flip,1.25. Evidence and retrieval are measured without."""

    never_predicted: Literal["zero", "one", "wrong"] = "zero"
    """Precision of a label that is never predicted: zero, one (as in SRN's tables), or wrong: one
    false positive, which also lowers OP (as in ML-GCN's and CSRA's tables)."""

    unknown: Literal["left-out", "absent"] = "left-out"
    """How precision and recall treat unknown targets, such as VOC's difficult objects: left-out (as
    in CSRA's tables), or absent (as in ML-GCN's tables). mAP always leaves them out."""


@Parameter(name="*")
@dataclass(frozen=True)
class ReportOutput:
    """Files to write."""

    html: Path | None = None
    """HTML file for the report as a page: curves, thresholds to move, and the worst mistakes with
    their evidence; one file, which loads nothing."""

    json: Path | None = None
    """File for the full report as JSON; without a name, standard output."""


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class EvaluationHardware(Hardware):
    """Hardware options; they do not affect results."""

    engine: Engine = "plain"
    """Recognise photos in this process (plain), or in the processes of a Ray cluster (ray): that of
    RAY_ADDRESS in the environment, or one started here for the duration of the command."""

    def cluster(self) -> RayCluster | None:
        """Return the cluster to recognise photos on, with as many processes as `workers`.

        Raises:
            DataError: If Ray is asked for and not installed.

        Example:
            >>> EvaluationHardware(engine="ray", workers=2).cluster()
            RayCluster(workers=2)
        """
        from tagsight.runtime.cluster import RayCluster

        return RayCluster(self.workers) if self.engine == "ray" else None


def evaluate(
    model: Path,
    data: LabelsPath,
    /,
    *,
    split: Split = "test",
    reading: CheckedReading = CheckedReading(),
    extra: ExtraMeasures = ExtraMeasures(),
    additions: NewLabels = NewLabels(),
    output: ReportOutput = ReportOutput(),
    hardware: EvaluationHardware = EvaluationHardware(),
) -> None:
    """Evaluate a model on a split of labelled photos, or on all photos of data without splits.

    ```console
    tagsight evaluate runs/first/model labels.csv
    tagsight evaluate runs/first/model labels.csv --split val --html report.html
    ```

    Prints mAP, precision, recall and calibration; --html also draws curves and the worst mistakes.

    Args:
        model: Model folder.
        data: Labels: a file or folder in a known format; matched to the model's labels by name.
        split: Photos to evaluate on.
    """
    print_info(f"loading {model}")

    from tagsight.evaluation.report_text import report_lines
    from tagsight.metrics.classification import Conventions
    from tagsight.workflows import evaluate as measure

    with hardware.exact().together() as runtime:
        report = measure(
            model,
            reading.read(data, every_label=True),
            split=split,
            boxes=extra.boxes,
            grad_cam=extra.grad_cam,
            faithfulness=extra.faithfulness,
            retrieval=extra.retrieval,
            image_size=extra.image_size,
            views=extra.views.split(",") if extra.views else (),
            conventions=Conventions(
                extra.never_predicted, "absent" if extra.unknown == "absent" else "left_out"
            ),
            new_labels=additions.names() or (),
            vectors=additions.vectors,
            against=extra.against,
            html=output.html,
            max_bad=reading.max_bad,
            cluster=hardware.cluster(),
            runtime=runtime,
        )
        if not runtime.processes.is_first:
            return
    if output.json != STANDARD_OUTPUT:
        print_result(report_lines(report))
    if output.html is not None:
        print_info(f"report: {output.html}")
    if output.json is not None:
        write_json(report, output.json)
