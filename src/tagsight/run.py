"""One training run: from annotations to a model folder."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import torch
from torch.optim.swa_utils import AveragedModel

from tagsight.batches import PhotoStore, TrainingBatches
from tagsight.checkpoint import save_model
from tagsight.decision import fit_decision
from tagsight.encoding import Encoder, Rows, can_be_kept, kept_features, wanted_views
from tagsight.errors import DataError
from tagsight.evaluate import predict
from tagsight.labels import LabelSpace
from tagsight.metrics import average_precision, mean_average_precision
from tagsight.systems import SYSTEMS, build_system
from tagsight.train import fit
from tagsight.transforms import Augmentation
from tagsight.vectors import label_vectors
from tagsight.views import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from tagsight.batches import Photos
    from tagsight.config import Recipe, TrainConfig
    from tagsight.data.annotations import Annotations
    from tagsight.runtime import Runtime
    from tagsight.systems import System
    from tagsight.train import Step


class Log(Protocol):
    """Who follows a run (`tagsight.runlog.RunLog`)."""

    def note(self, text: str) -> None:
        """Say something once."""

    def work(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far work between the steps is; it calls with the number done."""

    def step(self, step: Step) -> None:
        """Record a step of the optimiser."""

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record the validation after an epoch, counted from 0."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        model: The model folder.
        epoch: The epoch whose weights it holds, counted from 0.
        validation: Metrics on the validation split after it, in percent.
        minutes: From the first decoded photo to the saved model.
        interrupted: Whether the run was ended before its time.
    """

    model: Path
    epoch: int
    validation: Mapping[str, float]
    minutes: float
    interrupted: bool


def train_run(
    annotations: Annotations,
    recipe: Recipe,
    out: Path,
    runtime: Runtime,
    *,
    log: Log,
    hashes: Mapping[Path, bytes] | None = None,
    vectors: Path | None = None,
    facts: Mapping[str, object] | None = None,
) -> Outcome:
    """Train a recipe on the training rows and keep the epoch that is best on the validation rows.

    The model folder is written after every epoch that improves on the ones before, complete with
    thresholds, so that whatever ends the run leaves the best model so far. Test rows are not read.

    Args:
        annotations: With splits; photos are known to be readable.
        recipe: System and settings.
        out: The run folder; the model goes into ``out / "model"``.
        runtime: Device and precision.
        log: Who follows the run.
        hashes: Content hash of every photo, to keep what frozen stages make of it.
        vectors: Word vectors file, if any.
        facts: What the model folder should say of its origin.

    Raises:
        DataError: If there are no training rows, or no validation rows to choose by.
        FloatingPointError: If the loss or a logit is not finite; the best model so far is kept.
    """
    training, started = recipe.training, time.perf_counter()
    torch.manual_seed(training.seed)
    learn, judge = annotations.rows("train"), annotations.rows("val")
    _check_can_judge(judge)
    labels = _label_space(learn, recipe, vectors, log)
    system = build_system(recipe, labels).to(runtime.device)
    augmentation = Augmentation(
        training.image_size, training.crop, training.random_flip, training.seed
    )
    best: Outcome | None = None
    interrupted = False
    try:
        with _photos(system, augmentation, learn, judge, runtime, hashes, log) as (shown, judged):
            batches = TrainingBatches(
                shown, learn.targets, augmentation, training.batch_size, runtime.workers
            )
            for candidate in _candidates(system, batches, judged, training, runtime, log):
                validation = _validation(candidate, judge)
                log.epoch(candidate.epoch, validation)
                if best is None or validation["mAP"] > best.validation["mAP"]:
                    minutes = (time.perf_counter() - started) / 60
                    better = Outcome(
                        out / "model", candidate.epoch, validation, minutes, interrupted=False
                    )
                    _save(better, candidate, labels, judge, recipe, facts or {})
                    best = better
    except KeyboardInterrupt:
        if best is None:
            raise
        interrupted = True
    except FloatingPointError:
        if best is not None:
            log.note(f"the model of epoch {best.epoch + 1} stays in {best.model}")
        raise
    assert best is not None  # there is at least one epoch
    return replace(best, minutes=(time.perf_counter() - started) / 60, interrupted=interrupted)


def _check_can_judge(judge: Annotations) -> None:
    if not bool((judge.targets == 1).any()):
        msg = (
            "expected a photo of the split 'val' with a label, to choose the best epoch by, "
            f"got none among {len(judge)}"
        )
        raise DataError(msg)


def _label_space(learn: Annotations, recipe: Recipe, vectors: Path | None, log: Log) -> LabelSpace:
    labels = LabelSpace.from_targets(learn.names, learn.targets)
    if not SYSTEMS[recipe.system].needs_vectors:
        return labels
    found = label_vectors(labels.names, source=vectors, cooccurrence=labels.cooccurrence)
    log.note(found.source)
    for note in found.notes:
        log.note(note)
    return replace(labels, vectors=found.vectors)


@contextmanager
def _photos(
    system: System,
    augmentation: Augmentation,
    learn: Annotations,
    judge: Annotations,
    runtime: Runtime,
    hashes: Mapping[Path, bytes] | None,
    log: Log,
) -> Iterator[tuple[Photos, Photos]]:
    """Photos to learn from and to judge by: as frozen features if they can be kept, else pixels."""
    pixels = (
        PhotoStore(learn.paths, augmentation.source_side, runtime.photo_memory // 2),
        PhotoStore(judge.paths, augmentation.side, runtime.photo_memory // 2),
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


class _Candidate(NamedTuple):
    """What may become the model, with its ``(N, L)`` float logits on the validation rows."""

    epoch: int
    system: System
    logits: Tensor


def _candidates(
    system: System,
    batches: TrainingBatches,
    judged: Photos,
    training: TrainConfig,
    runtime: Runtime,
    log: Log,
) -> Iterator[_Candidate]:
    averaged = _moving_average(system, training.average) if training.average else None
    for step in fit(system, batches, training, runtime):
        log.step(step)
        if averaged is not None:
            averaged.update_parameters(system)
        if step.ends_epoch:
            candidate = system if averaged is None else cast("System", averaged.module)
            yield _Candidate(step.epoch, candidate, predict(candidate, judged, runtime).logits)


def _moving_average(system: System, decay: float) -> AveragedModel:
    """An average that forgets the first, untrained weights quickly."""

    def average(kept: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        return kept.lerp(new, 1 - min(decay, float((1 + updates) / (10 + updates))))

    return AveragedModel(system, avg_fn=average, use_buffers=False)


def _validation(candidate: _Candidate, judge: Annotations) -> dict[str, float]:
    epoch, _, logits = candidate
    if not bool(logits.isfinite().all()):
        msg = (
            f"the logits of the validation photos are not finite after epoch {epoch + 1}; "
            "try a lower --training.lr, --training.clip_norm 1, or --precision float32"
        )
        raise FloatingPointError(msg)
    mean, counted = mean_average_precision(average_precision(logits, judge.targets))
    return {"mAP": 100 * mean, "labels_counted": counted}


def _save(
    outcome: Outcome,
    candidate: _Candidate,
    labels: LabelSpace,
    judge: Annotations,
    recipe: Recipe,
    facts: Mapping[str, object],
) -> None:
    decision = fit_decision(candidate.logits, judge.targets, names=labels.names)
    said = {**facts, "validation": {**outcome.validation, "epoch": outcome.epoch + 1}}
    save_model(outcome.model, candidate.system, labels, decision, recipe, said)
