"""One training run: from annotations to a model folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.folder import load_model, model_digest
from tagsight.checkpoint.initial_weights import start_from
from tagsight.errors import DataError
from tagsight.evaluation.predictions import describe, predict
from tagsight.labels.space import LabelSpace
from tagsight.labels.vectors import label_vectors
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import PhotoStore, TrainingBatches
from tagsight.loading.encoding import Encoder, Rows, can_be_kept, kept_features, wanted_views
from tagsight.nn.views import ORIGINAL
from tagsight.systems.catalogue import SYSTEMS, build_system
from tagsight.systems.remembering import RememberingSystem
from tagsight.training.loop import Training
from tagsight.training.origin import origin_of
from tagsight.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.loading.batches import Photos
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System
    from tagsight.training.log import Log
    from tagsight.training.run_folder import Outcome


@dataclass(frozen=True)
class Start:
    """What a run begins with.

    Args:
        vectors: Word vectors file, if any.
        init: A model whose weights to start from, if any.
        resume: Whether to go on from the state in the run folder, if there is one.
        state_every: Seconds from one saved state to the next.
    """

    vectors: Path | None = None
    init: Path | None = None
    resume: bool = False
    state_every: float = 300.0


def train_run(
    annotations: Annotations,
    recipe: Recipe,
    out: Path,
    runtime: Runtime,
    *,
    log: Log,
    start: Start = Start(),
    hashes: Mapping[Path, bytes] | None = None,
    facts: Mapping[str, object] | None = None,
) -> Outcome:
    """Train a recipe on the training rows and keep the epoch that is best on the validation rows.

    The model folder is written after every epoch that improves on the ones before, complete with
    thresholds, so that whatever ends the run leaves the best model so far. Until the run is done
    the run folder also has the state of the training, to go on from. Test rows are not read.

    Where the recipe selects nothing every epoch takes the place of the one before. Validation rows
    are then measured, and thresholds fitted to them, if there are any; otherwise a score of 0.5
    decides.

    A system that remembers sees each photo once, as it is, and has one epoch and no state: what
    interrupts it leaves nothing, and it begins anew.

    Args:
        annotations: With splits; photos are known to be readable.
        recipe: System and settings.
        out: The run folder; the model goes into ``out / "model"``.
        runtime: Device, precision, processes; the first process alone writes.
        log: Who follows the run.
        start: What the run begins with.
        hashes: Content hash of every photo, to keep what frozen stages make of it.
        facts: What the model folder should say of its origin.

    Raises:
        DataError: If there are no training rows, or no validation rows to choose by; if the run
            that is to go on was begun with something else.
        FloatingPointError: If the loss or a logit is not finite; the best model so far is kept.
    """
    torch.manual_seed(recipe.training.seed)
    learn, judge = annotations.rows("train"), _validation_rows(annotations, recipe)
    if not _has_labels(judge):
        log.note("no validation photos: the last epoch is kept, and labels are decided at 0.5")
    digest = model_digest(start.init) if start.init else None
    facts = {**(facts or {}), **({"init": digest} if digest else {})}
    run = RunFolder(out, recipe, judge, runtime.processes, log, facts, start.state_every)
    origin = origin_of(recipe, annotations, hashes=hashes, vectors=start.vectors, init=digest)
    state = run.open(origin, resume=start.resume)
    labels = _label_space(learn, recipe, start.vectors, log)
    system = _system(labels, recipe, runtime, log, init=None if state else start.init)
    try:
        with _photos(system, recipe, learn, judge, runtime, hashes, log) as (shown, judged):
            if isinstance(system, RememberingSystem):
                seen = (shown, learn.targets), (judged, judge.targets)
                run.judge(0, system, labels, _remembering(system, *seen, runtime, log))
            else:
                training = _training(system, shown, learn.targets, recipe, runtime)
                if state is not None:
                    training.load_state_dict(state["training"])
                run.save_state(training)
                for step in training:
                    log.step(step)
                    if step.ends_epoch:
                        candidate = training.candidate
                        measured = _has_labels(judge)
                        logits = predict(candidate, judged, runtime).logits if measured else None
                        run.judge(step.epoch, candidate, labels, logits)
                    run.save_state_if_due(training)
    except KeyboardInterrupt:
        return run.interrupted()
    except FloatingPointError:
        run.tell_what_is_kept()
        raise
    return run.finished()


def augmentation_of(recipe: Recipe) -> Augmentation:
    """What a recipe does at random to the photos that it trains on."""
    training = recipe.training
    if SYSTEMS[recipe.system].remembers:  # each photo as it is, once
        return Augmentation(training.image_size, 1.0, flip=False, seed=training.seed)
    return Augmentation(
        training.image_size,
        training.crop,
        training.random_flip,
        training.seed,
        training.cutout,
        training.rand_augment,
    )


def _validation_rows(annotations: Annotations, recipe: Recipe) -> Annotations:
    """Take the validation rows; there may be none where nothing needs them."""
    has_split = "val" in annotations.split_sizes
    judge = annotations.rows("val") if has_split else annotations.select([])
    if _has_labels(judge):
        return judge
    kind = SYSTEMS[recipe.system]
    if recipe.training.selection == "best":
        needed = "to choose the best epoch by"
    elif kind.remembers:
        needed = f"to choose the settings of {recipe.system} by"
    elif not recipe.settings.probabilities:
        needed = f"to fit thresholds by, as the scores of {recipe.system} only rank"
    else:
        return judge
    msg = f"expected a photo of the split 'val' with a label, {needed}, got none among {len(judge)}"
    raise DataError(msg)


def _has_labels(rows: Annotations) -> bool:
    return bool((rows.targets == 1).any())


def _label_space(learn: Annotations, recipe: Recipe, vectors: Path | None, log: Log) -> LabelSpace:
    labels = LabelSpace.from_targets(learn.names, learn.targets)
    if not SYSTEMS[recipe.system].needs_vectors:
        return labels
    found = label_vectors(labels.names, source=vectors, cooccurrence=labels.cooccurrence)
    log.note(found.source)
    for note in found.notes:
        log.note(note)
    return replace(labels, vectors=found.vectors)


def _system(
    labels: LabelSpace, recipe: Recipe, runtime: Runtime, log: Log, *, init: Path | None
) -> System:
    system = build_system(recipe, labels).to(runtime.device)
    if init is not None:
        log.note(start_from(load_model(init, runtime.device), system, labels.names))
    return system


@contextmanager
def _photos(
    system: System,
    recipe: Recipe,
    learn: Annotations,
    judge: Annotations,
    runtime: Runtime,
    hashes: Mapping[Path, bytes] | None,
    log: Log,
) -> Iterator[tuple[Photos, Photos]]:
    """Photos to learn from and to judge by: as frozen features if they can be kept, else pixels."""
    augmentation = augmentation_of(recipe)
    side, square = augmentation.source_side, augmentation.takes_squares
    memory, most = runtime.photo_memory // 2, runtime.max_photo_memory
    pixels = (
        PhotoStore(learn.paths, side, memory, square=square, max_memory=most),
        PhotoStore(judge.paths, augmentation.side, memory, max_memory=most),
    )
    if not (hashes and runtime.cache and can_be_kept(system.backbone, augmentation)):
        yield pixels
        return
    splits = (
        Rows(learn.paths, wanted_views(system, augmentation)),
        Rows(judge.paths, [ORIGINAL]),
    )
    with kept_features(Encoder(system, augmentation.side, runtime), splits, hashes, log) as kept:
        yield pixels if kept is None else (kept[0], kept[1])


def _training(
    system: System, photos: Photos, targets: Tensor, recipe: Recipe, runtime: Runtime
) -> Training:
    batches = TrainingBatches(
        photos,
        targets,
        augmentation_of(recipe),
        recipe.training.batch_size,
        runtime.workers,
        runtime.accumulate,
        runtime.processes,
    )
    return Training(system, batches, recipe.training, runtime)


def _remembering(
    system: RememberingSystem,
    learn: tuple[Photos, Tensor],
    judge: tuple[Photos, Tensor],
    runtime: Runtime,
    log: Log,
) -> Tensor:
    """Let a system remember photos and choose its settings; give the logits that it is judged by.

    Every process describes its share of the photos and remembers all of them.
    """
    embeddings = []
    for description, (photos, _) in zip(("remembering", "validating"), (learn, judge), strict=True):
        with log.work(description, len(photos)) as advance:
            embeddings.append(describe(system, photos, runtime, progress=advance))
    system.remember(embeddings[0], learn[1])
    with log.work("comparing", len(learn[0])) as advance:
        chosen = system.choose(embeddings[1], judge[1], progress=advance)
    log.note(chosen)
    return system.recall(embeddings[1])
