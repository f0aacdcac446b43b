"""One training run: from annotations to a model folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.folder import load_model, model_digest
from tagsight.checkpoint.initial_weights import start_from
from tagsight.errors import DataError
from tagsight.evaluation.predictions import forward_photos, predict
from tagsight.labels.one_of import one_of_groups
from tagsight.labels.space import LabelSpace
from tagsight.labels.vectors import label_vectors
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import PhotoStore, TrainingBatches, evaluation_photos
from tagsight.loading.encoding import Encoder, Rows, can_be_kept, kept_features, wanted_views
from tagsight.loading.mixing import Mixing
from tagsight.nn.views import ORIGINAL
from tagsight.systems.catalogue import SYSTEMS, build_system
from tagsight.systems.remembering import RememberingSystem
from tagsight.training.loop import Training
from tagsight.training.resume import origin_of
from tagsight.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.loading.batches import Photos
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System
    from tagsight.training.log import Log
    from tagsight.training.run_folder import Outcome

MOST_NOTES = 20
"""Notes on word vectors that a run prints."""


@dataclass(frozen=True)
class Start:
    """Initialisation and resuming.

    Args:
        vectors: File of word vectors of the labels, if any.
        init: Model folder of the initial weights, if any.
        resume: Whether to resume from the saved state in the run folder, if there is one.
        state_every: Seconds between saved states.
    """

    vectors: Path | None = None
    init: Path | None = None
    resume: bool = False
    state_every: float = 300.0


def train_run(  # noqa: PLR0913 - what a run is made of
    annotations: Annotations,
    recipe: Recipe,
    out: Path,
    runtime: Runtime,
    *,
    log: Log,
    start: Start = Start(),
    hashes: Mapping[Path, bytes] | None = None,
    facts: Mapping[str, object] | None = None,
    unjudged: Sequence[Path] = (),
    begin: Callable[[], object] = lambda: None,
) -> Outcome:
    """Train a recipe on the training rows and keep an epoch by the validation rows.

    The model folder is written after every epoch that none before it exceeds by more than chance
    (`RunFolder`), with fitted thresholds, so that there is a model whenever the run ends. Until the
    run is finished, its folder also has saved states to resume from. Test rows are not read.

    If the recipe selects no epoch, each epoch replaces the one before. Validation rows are then
    measured and used to fit thresholds if there are any; without them the threshold is 0.5.

    A k-NN system (`RememberingSystem`) embeds each photo once, unaugmented. It has one epoch and no
    saved state: after an interruption it starts again.

    Args:
        annotations: Rows with splits; photos are known to be readable.
        recipe: System and settings.
        out: The run folder; the model is written to ``out / "model"``.
        runtime: Device, precision, processes; only the first process writes.
        log: Receives the events of the run.
        start: Initialisation and resuming.
        hashes: Content hash of every photo; with them, features of frozen stages are cached.
        facts: Origin of the model, for the model folder.
        unjudged: Photos of which no label is known, for recipes that train on them
            (``training.unjudged``); others ignore them.
        begin: Called before the first step. Until then the run may be refused, and nothing is
            written to its folder.

    Raises:
        DataError: If there are no training rows, or no validation rows where they are needed, or
            if the run to resume began with other settings or data.
        FloatingPointError: If the loss or a logit is not finite; the model so far is kept.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from rich.console import Console
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.training.log import RunLog
        >>> recipe = load_model(Path("runs/first/model")).recipe
        >>> rows, runtime = ts.read_annotations("labels.csv"), Runtime.choose("cpu", "float32")
        >>> with RunLog(None, recipe.training.steps(16), Console(quiet=True)) as log:
        ...     outcome = train_run(rows, recipe, Path("runs/third"), runtime, log=log)
        >>> outcome.model.as_posix(), outcome.interrupted
        ('runs/third/model', False)
    """
    torch.manual_seed(recipe.training.seed)
    unjudged = unjudged if recipe.training.unjudged == "consistency" else ()
    train_rows, val_rows = annotations.rows("train"), _validation_rows(annotations, recipe)
    if not _has_labels(val_rows):
        log.note("no validation photos: the last epoch is kept, and thresholds are 0.5")
    digest = model_digest(start.init) if start.init else None
    facts = {**(facts or {}), **({"init": digest} if digest else {})}
    run = RunFolder(out, recipe, val_rows, runtime.processes, log, facts, start.state_every)
    origin = origin_of(
        recipe, annotations, hashes=hashes, vectors=start.vectors, init=digest, unjudged=unjudged
    )
    state = run.open(origin, resume=start.resume)
    labels = _label_space(train_rows, recipe, start.vectors, log)
    system = build_system(recipe, labels).to(runtime.device)
    if start.init is not None and state is None:
        log.note(start_from(load_model(start.init, runtime.device), system, labels.names))
    try:
        paths = (*train_rows.paths, *unjudged), val_rows.paths
        with _photos(system, recipe, *paths, runtime, hashes, log) as photos:
            train_photos, val_photos = photos
            begin()
            if isinstance(system, RememberingSystem):
                known = (train_photos, train_rows.targets), (val_photos, val_rows.targets)
                run.keep_unless_worse(0, system, labels, _remember(system, *known, runtime, log))
            else:
                training = _training(system, train_photos, train_rows.targets, recipe, runtime)
                if state is not None:
                    training.load_state_dict(state["training"])
                run.save_state(training)
                for step in training:
                    log.step(step)
                    if step.ends_epoch:
                        system, logits = training.candidate, None
                        if _has_labels(val_rows):
                            logits = predict(system, val_photos, runtime).logits
                        run.keep_unless_worse(step.epoch, system, labels, logits)
                    run.save_state_if_due(training)
    except KeyboardInterrupt:
        return run.interrupted()
    except FloatingPointError:
        run.note_kept_model()
        raise
    return run.finished()


def augmentation_of(recipe: Recipe) -> Augmentation:
    """Return the augmentation of a recipe's training photos.

    Args:
        recipe: System and settings.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> augmentation_of(RECIPES["gcam-cpu"]).only_flips
        True
    """
    training = recipe.training
    if SYSTEMS[recipe.system].remembers:  # each photo once, unaugmented
        return Augmentation(training.image_size, 1.0, flip=False, seed=training.seed)
    return Augmentation(
        training.image_size,
        training.crop,
        training.random_flip,
        training.seed,
        training.cutout,
        training.rand_augment,
        training.colour,
        Mixing(training.mixup, training.cutmix, training.seed),
    )


def _validation_rows(annotations: Annotations, recipe: Recipe) -> Annotations:
    """Return the validation rows, which may be none if nothing needs them."""
    has_split = "val" in annotations.split_sizes
    rows = annotations.rows("val") if has_split else annotations.select([])
    if _has_labels(rows):
        return rows
    kind, instead = SYSTEMS[recipe.system], ""
    if recipe.training.selection == "best":
        needed = "to choose the epoch by"
        instead = "; `training.selection=last` keeps the last epoch instead"
    elif kind.remembers:
        needed = f"to choose the settings of {recipe.system} by"
    elif not recipe.settings.probabilities:
        needed = f"to fit thresholds by, as the scores of {recipe.system} only rank"
    else:
        return rows
    msg = f"expected a photo of the split 'val' with a label, {needed}, got none among {len(rows)}"
    raise DataError(msg + instead)


def _has_labels(rows: Annotations) -> bool:
    return bool((rows.targets == 1).any())


def _label_space(
    train_rows: Annotations, recipe: Recipe, vectors: Path | None, log: Log
) -> LabelSpace:
    labels = LabelSpace.from_targets(train_rows.names, train_rows.targets)
    if train_rows.rules is not None:
        groups = one_of_groups(train_rows.rules.one_of, train_rows.names, train_rows.targets)
        labels = replace(labels, one_of=groups)
    if not SYSTEMS[recipe.system].needs_vectors:
        return labels
    found = label_vectors(labels.names, source=vectors, cooccurrence=labels.cooccurrence)
    log.note(found.source)
    for note in found.notes[:MOST_NOTES]:
        log.note(note)
    if (more := len(found.notes) - MOST_NOTES) > 0:
        log.note(f"{more:,} more notes on word vectors; 'tagsight vectors' prints them all")
    return replace(labels, vectors=found.vectors)


@contextmanager
def _photos(
    system: System,
    recipe: Recipe,
    trained: Sequence[Path],
    validated: Sequence[Path],
    runtime: Runtime,
    hashes: Mapping[Path, bytes] | None,
    log: Log,
) -> Iterator[tuple[Photos, Photos]]:
    """Open the training and validation photos: as cached features if possible, else as pixels."""
    augmentation = augmentation_of(recipe)
    side, square = augmentation.source_side, augmentation.takes_squares
    memory, most = runtime.photo_memory // 2, runtime.max_photo_memory
    resize = recipe.training.resize
    pixels = (
        PhotoStore(trained, side, memory, resize=resize if square else None, max_memory=most),
        evaluation_photos(validated, recipe.training, runtime, memory=memory),
    )
    if not (hashes and runtime.cache and can_be_kept(system.backbone, augmentation)):
        yield pixels
        return
    splits = (
        Rows(trained, wanted_views(system, augmentation)),
        Rows(validated, [ORIGINAL]),
    )
    with kept_features(
        Encoder(system, augmentation.side, runtime, recipe.training.resize), splits, hashes, log
    ) as kept:
        yield pixels if kept is None else (kept[0], kept[1])


def _training(
    system: System, photos: Photos, targets: Tensor, recipe: Recipe, runtime: Runtime
) -> Training:
    if runtime.checkpoint_gradients:
        system.backbone.checkpoint_gradients()
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


def _remember(
    system: RememberingSystem,
    train: tuple[Photos, Tensor],
    val: tuple[Photos, Tensor],
    runtime: Runtime,
    log: Log,
) -> Tensor:
    """Store the training photos in a k-NN system, and let it choose its settings.

    Each process embeds its share of the photos; all of them store every embedding.

    Returns:
        ``(N, L)`` float, logits of the validation rows.
    """
    embeddings = []
    for description, (photos, _) in zip(("remembering", "validating"), (train, val), strict=True):
        with log.work(description, len(photos)) as advance:
            embeddings.append(
                forward_photos(system.describe, system, photos, runtime, progress=advance)
            )
    system.remember(embeddings[0], train[1])
    with log.work("comparing", len(train[0])) as advance:
        chosen = system.choose(embeddings[1], val[1], progress=advance)
    log.note(chosen)
    return system.recall(embeddings[1])
