"""Workflows from labels to a measured model: train, evaluate, calibrate.

Each function does the work of the command of the same name, and the command calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.config import model_folder
from tagsight.checkpoint.folder import save_model
from tagsight.checkpoint.new_labels import add_labels
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.config import Recipe
from tagsight.data.boxes import read_boxes
from tagsight.data.format import EVERY_LABEL
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.evaluation import evaluate as evaluation
from tagsight.evaluation.cluster import predict_on_cluster
from tagsight.evaluation.evidence_report import find_pairs
from tagsight.evaluation.further_measures import measure_further
from tagsight.evaluation.predictions import predict as predict_photos
from tagsight.evaluation.views import evaluation_views, predict_views
from tagsight.inference.opening import measured_beside, measured_photos, opened_model
from tagsight.inference.run import Run
from tagsight.loading.batches import evaluation_photos
from tagsight.metrics.classification import Conventions
from tagsight.runtime.device import Runtime
from tagsight.runtime.files import default_cache
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.catalogue import DEFAULT_RECIPE
from tagsight.systems.settings import chosen_recipe
from tagsight.training.log import RunLog
from tagsight.training.opening import for_few_photos, opening_line
from tagsight.training.preparation import prepare
from tagsight.training.resume import is_unfinished
from tagsight.training.run import Start, train_run
from tagsight.training.tracking.tracked_log import tracked
from tagsight.training.tracking.tracker import check_tracker
from tagsight.visualize.reports.evaluation_report import write_evaluation_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.checkpoint.decision import Decision
    from tagsight.data.annotations import Annotations
    from tagsight.data.readers import Labels
    from tagsight.evaluation.evaluate import Report
    from tagsight.inference.opening import ModelLike, Split
    from tagsight.runtime.cluster import RayCluster
    from tagsight.systems.base import System
    from tagsight.training.preparation import Prepared
    from tagsight.training.tracking.tracker import Tracking


def train(  # noqa: PLR0913 - an option of the command each
    labels: Labels,
    *,
    images: str | Path | None = None,
    recipe: str | Recipe = DEFAULT_RECIPE,
    system: type[System] | None = None,
    out: str | Path,
    epochs: int | None = None,
    seed: int = 0,
    settings: Mapping[str, object] | None = None,
    vectors: str | Path | None = None,
    init: str | Path | None = None,
    resume: bool = False,
    state_every: float = 5.0,
    max_bad: float | None = None,
    track: Tracking | None = None,
    runtime: Runtime | None = None,
    progress: bool = True,
) -> Run:
    """Train a system on labelled photos and keep the epoch that is best on the validation split.

    Photos that cannot be opened are left out. A collection without splits of its own is divided
    70/15/15. Ctrl-C ends the run with the best model so far; ``resume=True`` goes on.

    Args:
        labels: A labels file or folder of a known format, a pandas DataFrame as `read_annotations`
            takes it, or `Annotations`.
        images: Folder of the photos, where it is not the usual one of the format.
        recipe: The name of a recipe, or one of `recipes()`.
        system: A system of your own, which is trained in place of the recipe's (`register`).
        out: The run folder; it gets the model, the log and the split.
        epochs: Passes over the training photos; by default the recipe's, and more if the photos
            are few (``training.least_steps``).
        seed: Decides the split, if one has to be drawn, and everything random in training.
        settings: Changes of the recipe, named as on the command line: ``training.image_size``,
            ``graph.epsilon``.
        vectors: Word vectors of the labels, a GloVe text file or ``.npz``; by default those of the
            extra ``glove``.
        init: A model folder whose weights to start from; its labels are matched by name.
        resume: Whether to go on where the run in ``out`` was cut off.
        state_every: Minutes between two saved states, which is what a crash loses at most.
        max_bad: Largest fraction of unusable photos; by default 0.01, or 5 photos if that is more.
        track: ``tensorboard``, ``mlflow`` or ``wandb``: settings, curves and the report are also
            written for this program, and stay on this machine unless its environment variables
            name a server.
        runtime: Device, precision and caches; by default the GPU if there is one.
        progress: Whether progress and remarks are shown.

    Raises:
        DataError: If labels, settings, system or folders cannot be used; what is wrong with a
            system is said before the first photo is opened.
        FloatingPointError: If the loss is no longer finite; the best model so far is kept.

    Example:
        >>> import tagsight as ts
        >>> settings = {"training.image_size": 64, "graph.epsilon": 0.3}
        >>> run = ts.train(
        ...     "labels.csv", out="runs/second", epochs=1, settings=settings, progress=False
        ... )
        >>> run.model.labels, len(run.history)
        (('dog', 'sky'), 1)
    """
    chosen = chosen_recipe(recipe, system, epochs, seed, settings)
    folder, log = Path(out), TerminalLog(shown=progress)
    if check_run_folder(folder, resume=resume):
        log.note(f"the run in {folder} came to its end before: there is nothing to resume")
        return Run.open(folder)
    if track is not None:
        check_tracker(track)
    if init is not None:
        model_folder(Path(init))  # a wrong one is named before every photo is opened
    annotations = read_annotations(labels, images=images)
    runtime = runtime or Runtime.choose(cache=default_cache())
    prepared, chosen = _prepared(annotations, chosen, runtime, max_bad, log)
    steps = chosen.training.steps(prepared.annotations.split_sizes.get("train", 0))
    writes = runtime.processes.is_first
    with (
        RunLog(folder / "run.jsonl" if writes else None, steps, log.console) as run_log,
        tracked(run_log, track if writes else None, folder, chosen) as followed,
    ):

        def begin() -> None:
            followed.begin()
            if writes:
                prepared.write(folder)

        outcome = train_run(
            prepared.annotations,
            chosen,
            folder,
            runtime,
            log=followed.log,
            start=Start(_path(vectors), _path(init), resume, 60 * state_every),
            hashes=prepared.hashes,
            facts=prepared.facts,
            unjudged=prepared.unjudged,
            begin=begin,
        )
        followed.report(folder, outcome)
    return Run(folder, chosen, outcome)


def _prepared(
    annotations: Annotations,
    recipe: Recipe,
    runtime: Runtime,
    max_bad: float | None,
    log: TerminalLog,
) -> tuple[Prepared, Recipe]:
    """Check the photos, complete the splits, and fit the recipe to the number of photos."""
    prepared = prepare(
        annotations,
        runtime,
        seed=recipe.training.seed,
        max_bad=max_bad,
        hold_out=recipe.training.selection == "best",
        unjudged=recipe.training.unjudged == "consistency",
        log=log,
    )
    photos = prepared.annotations.split_sizes.get("train", 0)
    training, remarks = for_few_photos(recipe.training, prepared.annotations)
    for remark in remarks:
        log.note(remark)
    log.note(opening_line(recipe, training, photos, runtime))
    return prepared, recipe.model_copy(update={"training": training})


def evaluate(  # noqa: PLR0913 - an option of the command each
    model: ModelLike,
    labels: Labels,
    *,
    images: str | Path | None = None,
    split: Split = "test",
    boxes: str | Path | None = None,
    grad_cam: bool = False,
    faithfulness: int | None = None,
    retrieval: int | None = None,
    image_size: int | None = None,
    views: Sequence[str | float] = (),
    conventions: Conventions = Conventions(),
    new_labels: Sequence[str] = (),
    vectors: str | Path | None = None,
    against: ModelLike | None = None,
    html: str | Path | None = None,
    max_bad: float | None = None,
    cluster: RayCluster | None = None,
    runtime: Runtime | None = None,
    progress: bool = True,
) -> Report:
    """Measure a model on the photos of a split, or on all where the data have no split.

    Args:
        model: A model folder, a `Run`, or a model that was opened from a folder.
        labels: As for `train`; they are matched to the model's by name.
        images: Folder of the photos, where it is not the usual one of the format.
        split: The photos to measure on: as recorded when the model was trained, else the data's.
        boxes: COCO file of boxes, to measure whether the evidence points at the objects.
        grad_cam: Whether the evidence of Grad-CAM is measured in place of the system's own.
        faithfulness: Photos on which insertion, deletion and maps of randomised weights are
            measured; each takes 84 forward passes a label.
        retrieval: Photos to search for each photo, to measure how many share a label with it.
        image_size: Side of the square that photos are resized to, in pixels; by default that of
            the training.
        views: ``flip``, and factors of the image size such as 1.25: logits are averaged over the
            photo and these views of it, in all combinations; not for evidence and retrieval.
        conventions: How precision and recall treat labels that are never predicted, and unknown
            targets.
        new_labels: Labels that the model was not trained on, recognised by their words.
        vectors: The word vectors that the model was trained with, for new labels.
        against: Another model, measured on the same photos and compared over the labels that both
            know, by a paired bootstrap over photos.
        html: File to be written: the report as a page with curves, thresholds to move, and the
            worst mistakes with their evidence.
        max_bad: Largest fraction of unusable photos; by default 0.01, or 5 photos if that is more.
        cluster: Machines that recognise the photos, which have model and photos at the same paths.
            Photos are checked, and evidence and retrieval measured, here.
        runtime: Device, precision and caches; by default the GPU if there is one, in float32.
        progress: Whether progress and remarks are shown.

    Returns:
        A dictionary of plain values: mAP and its interval, precision, recall and F1 by every
        decision, calibration, evidence, and each label's figures.

    Raises:
        DataError: If the model, the labels or an option cannot be used.

    Example:
        >>> import tagsight as ts
        >>> report = ts.evaluate("runs/first/model", "labels.csv", split="val", progress=False)
        >>> report["photos"], report["labels"]
        (4, 2)
        >>> 0 <= report["mAP"] <= 100
        True
    """
    log, runtime = TerminalLog(shown=progress), runtime or Runtime.choose(precision="float32")
    loaded = opened_model(model, runtime)
    if new_labels:
        loaded = add_labels(loaded, new_labels, vectors=_path(vectors))
    trained_at = loaded.recipe.training.image_size
    loaded = loaded.at(image_size or trained_at)
    # A misspelt view is refused before the photos are looked for.
    evaluation_views(views, loaded.recipe.training.image_size, loaded.system.backbone.stride)
    known_boxes = read_boxes(Path(boxes)) if boxes is not None else None
    collection = read_annotations(labels, images=images, options=EVERY_LABEL)
    rows = measured_photos(loaded, collection, split, runtime, max_bad=max_bad, log=log)
    pairs = find_pairs(rows, known_boxes) if known_boxes is not None else None
    predict = predict_views if cluster is None else partial(predict_on_cluster, cluster=cluster)
    with log.work("recognising", len(rows)) as advance:
        found = evaluation.measured(
            loaded,
            rows,
            runtime,
            conventions=conventions,
            views=views,
            predict=predict,
            progress=advance,
        )
    found.report["trained_image_size"] = trained_at
    measure_further(
        found,
        runtime,
        log,
        pairs=pairs,
        source="grad-cam" if grad_cam else "maps",
        faithfulness=faithfulness,
        retrieval=retrieval,
    )
    other = None
    if against is not None:
        other = measured_beside(
            found, against, split, runtime, views=views, predict=predict, log=log
        )
    if html is not None and runtime.processes.is_first:
        with log.work("drawing evidence", 1):
            write_evaluation_report(Path(html), found, runtime, split=split, against=other)
    return found.report


def calibrate(
    model: ModelLike,
    labels: Labels,
    *,
    images: str | Path | None = None,
    objective: str = "f1",
    split: Split = "val",
    max_bad: float | None = None,
    runtime: Runtime | None = None,
    progress: bool = True,
) -> Decision:
    """Fit each label's threshold and the temperature again and store them in the model folder.

    Args:
        model: As for `evaluate`; its weights stay as they are.
        labels: As for `train`; they are matched to the model's by name.
        images: Folder of the photos, where it is not the usual one of the format.
        objective: ``f1``, or ``precision>=p`` with p in (0, 1].
        split: The photos to fit to; never those that the result is reported on.
        max_bad: Largest fraction of unusable photos; by default 0.01, or 5 photos if that is more.
        runtime: Device, precision and caches; by default the GPU if there is one, in the precision
            of training.
        progress: Whether progress and remarks are shown.

    Raises:
        DataError: If the model, the labels or the objective cannot be used.

    Example:
        >>> import tagsight as ts
        >>> decision = ts.calibrate("runs/first/model", "labels.csv", progress=False)
        >>> decision.thresholds.shape
        (2,)
    """
    # A misspelt objective is refused here, before the network has run over all photos.
    fit_decision(torch.zeros(1, 1), torch.ones(1, 1), names=["any"], objective=objective)
    log, runtime = TerminalLog(shown=progress), runtime or Runtime.choose()
    loaded = opened_model(model, runtime)
    if loaded.folder is None:
        msg = "expected a model that was read from a folder, to store the decision there"
        raise DataError(msg)
    collection = read_annotations(labels, images=images, options=EVERY_LABEL)
    rows = measured_photos(loaded, collection, split, runtime, max_bad=max_bad, log=log)
    photos = evaluation_photos(rows.paths, loaded.recipe.training, runtime)
    with log.work("recognising", len(rows)) as advance:
        logits, _ = predict_photos(loaded.system, photos, runtime, progress=advance)
    decision = fit_decision(
        logits,
        rows.targets,
        names=loaded.labels.names,
        objective=objective,
        probabilities=loaded.system.probabilities,
        one_of=loaded.decision.one_of,
    )
    facts: dict[str, object] = {**loaded.facts}
    facts["calibration"] = {"objective": objective, "photos": len(rows)}
    save_model(
        loaded.folder,
        loaded.system,
        loaded.labels,
        decision,
        loaded.recipe,
        facts,
        label_rules=loaded.label_rules,
    )
    return decision


def check_run_folder(out: Path, *, resume: bool) -> bool:
    """Check that a run can begin or go on in a folder; return whether it is finished already.

    Raises:
        DataError: If there is a model or an unfinished run already, and no run is to go on.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     check_run_folder(Path(folder) / "run", resume=False)
        False
    """
    unfinished = is_unfinished(out)
    if resume:
        return (out / "model").exists() and not unfinished
    if unfinished:
        msg = (
            f"expected a new run folder, got {out} with an unfinished run; go on with "
            "`resume=True`, or choose another `out`"
        )
        raise DataError(msg)
    if (out / "model").exists():
        msg = f"expected a new run folder, got {out} with a model in it; choose another `out`"
        raise DataError(msg)
    return False


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
