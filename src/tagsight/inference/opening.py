"""Open a trained model from whatever names it, and the photos that it is measured on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagsight.checkpoint.folder import LoadedModel, load_model
from tagsight.data.photos.check import without_problems
from tagsight.data.rules.application import apply_rules
from tagsight.data.rules.problems import lookalikes
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import measured
from tagsight.evaluation.measured_rows import measured_rows, photos_outside
from tagsight.evaluation.paired import paired_report
from tagsight.evaluation.views import predict_views
from tagsight.inference.networks.folder_file import FolderFileNetwork
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.inference.run import Run
from tagsight.metrics.classification import Conventions
from tagsight.training.preparation import checked, note_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.annotations import Annotations
    from tagsight.evaluation.measured import Measured
    from tagsight.evaluation.views import Predictor
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog

ModelLike = str | Path | Run | Recognizer | LoadedModel
"""A model folder, a run, or a model that was opened from a folder."""

Split = Literal["train", "val", "test"]


def opened_model(model: ModelLike, runtime: Runtime) -> LoadedModel:
    """Open a model folder, or take the model that was opened from one, on the runtime's device.

    Raises:
        DataError: If the folder cannot be used, or the model is an exported file.

    Example:
        >>> import tagsight as ts
        >>> runtime = ts.Runtime.choose("cpu")
        >>> opened_model("runs/first/model", runtime).labels.names
        ('dog', 'sky')
        >>> opened_model(ts.load("runs/first/model"), runtime).recipe.system
        'resnet'
    """
    if isinstance(model, Run):
        model = model.model_folder
    if isinstance(model, str | Path):
        return load_model(Path(model), runtime.device)
    if isinstance(model, Recognizer):
        network = model.network
        if isinstance(network, FolderFileNetwork):
            network = network.trained
        if not isinstance(network, TrainedNetwork):
            msg = "expected a model folder, which torch runs, got an exported file"
            raise DataError(msg)
        model = network.model
    return model.to(runtime.device)


def measured_photos(
    model: LoadedModel,
    annotations: Annotations,
    split: Split,
    runtime: Runtime,
    *,
    max_bad: float | None,
    log: WorkLog,
) -> Annotations:
    """Select the rows of a split, with the model's labels, without photos that do not open.

    Args:
        model: Whose labels are matched by name, after its rules on labels were applied, and whose
            recorded split comes first.
        annotations: The collection.
        split: The rows to take, as `measured_rows` does.
        runtime: Threads and processes that open the photos.
        max_bad: Largest fraction of unusable photos, as for `without_problems`.
        log: Told where the split comes from, and which photos are left out.

    Raises:
        DataError: If there is no such split, or more photos are unusable.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.runtime.progress import SILENT
        >>> runtime, rows = ts.Runtime.choose("cpu"), ts.read_annotations("labels.csv")
        >>> model = opened_model("runs/first/model", runtime)
        >>> photos = measured_photos(model, rows, "test", runtime, max_bad=None, log=SILENT)
        >>> len(photos), photos.names
        (4, ('dog', 'sky'))
    """
    ruled = apply_rules(annotations, model.label_rules.of_other_data())
    matched = ruled.matched_to(model.labels.names)
    if hint := lookalikes(ruled.names, model.labels.names):
        log.note(hint)
    rows, origin = measured_rows(matched, model.folder, split)
    log.note(origin)
    with log.work("checking photos", len(rows)) as advance:
        check = checked(rows.paths, runtime, progress=advance)
    note_problems(check.problems, log)
    return without_problems(rows, check, max_bad=max_bad)


def measured_beside(
    first: Measured,
    against: ModelLike,
    split: str,
    runtime: Runtime,
    *,
    views: Sequence[str | float],
    predict: Predictor = predict_views,
    log: WorkLog,
) -> Measured:
    """Measure another model on the photos of a measured one, whose report gets ``against``.

    Args:
        first: The model on the split.
        against: The other model, at the image size of its own training.
        split: Name of the split.
        runtime: Device, precision, processes.
        views: Views of each photo, as for both.
        predict: Computes the logits, as for both.
        log: Shows the progress, and is told if the other model may have learned from the photos.

    Raises:
        DataError: If the other model cannot be used, or has no label in common.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.runtime.progress import SILENT
        >>> runtime, folder = ts.Runtime.choose("cpu"), "runs/first/model"
        >>> rows = ts.read_annotations("labels.csv").rows("test")
        >>> first = measured(opened_model(folder, runtime), rows, runtime)
        >>> second = measured_beside(first, folder, "test", runtime, views=(), log=SILENT)
        >>> "against" in first.report, second.report["mAP"] == first.report["mAP"]
        (True, True)
    """
    model = opened_model(against, runtime)
    rows = first.rows.matched_to(model.labels.names)
    conventions = Conventions(**first.report["conventions"])
    with log.work(f"recognising by {model.title}", len(rows)) as advance:
        second = measured(
            model,
            rows,
            runtime,
            conventions=conventions,
            views=views,
            predict=predict,
            progress=advance,
        )
    report = paired_report(first, second)
    report["model"], report["outside"] = model.title, photos_outside(rows, model.folder, split)
    first.report["against"] = report
    return second
