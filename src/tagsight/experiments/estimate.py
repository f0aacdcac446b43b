"""Estimates of a run's duration, from a trial on a few photos."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.folder import load_model
from tagsight.evaluation.predictions import predict
from tagsight.loading.batches import evaluation_photos
from tagsight.runtime.files import temporary_folder
from tagsight.training.run import train_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.experiments.run import Run, Shared
    from tagsight.runtime.progress import Advance
    from tagsight.training.loop import Step

STEPS, VALIDATED = 3, 32
VIEWS_FOR_EVIDENCE = 4
"""Forward passes per photo to measure its evidence: the photo and each transform of it."""

logger = logging.getLogger(__name__)


class Stopwatch:
    """A log that measures the speed of a run.

    Attributes:
        rates: Training photos per second, of each step.
        frozen: Seconds per photo of the frozen stages, 0 if all features were cached; of a system
            that stores photos instead of training, all its seconds per photo.
        validation: Seconds from the last step to the end of the validation.

    Example:
        >>> watch = Stopwatch()
        >>> with watch.work("encoding", total=2) as advance:
        ...     advance(2)
        >>> watch.frozen > 0, watch.rates
        (True, [])
    """

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.frozen = self.validation = 0.0
        self._last = time.perf_counter()

    def resume(self, number: int) -> None:
        """Do nothing: a trial is not resumed."""

    def note(self, text: str) -> None:
        """Do nothing: the run itself logs its remarks."""

    @contextmanager
    def work(self, description: str, total: int) -> Iterator[Advance]:
        """Measure the time of the frozen stages."""
        del description
        started = time.perf_counter()
        yield lambda done, total=None: None
        self.frozen = (time.perf_counter() - started) / total if total else 0.0

    def step(self, step: Step) -> None:
        """Record the speed of a step."""
        self.rates.append(step.photos_per_second)
        self._last = time.perf_counter()

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Measure the time of the validation."""
        del epoch, metrics
        self.validation = time.perf_counter() - self._last


def minutes_of(run: Run, shared: Shared) -> float | None:
    """Estimate the duration of a run by a trial on a few photos.

    Features of frozen stages are cached for the run itself. Test photos are not read: validation
    photos stand in for them.

    Args:
        run: The run.
        shared: Data, folders and hardware of the comparison.

    Returns:
        Minutes of training and measuring, or None if the trial fails, as the run itself will.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from pathlib import Path
        >>> from tagsight.experiments.run import Run
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/tried"), runtime, log=SILENT)
        >>> recipe = load_model(Path("runs/tiny/model")).recipe
        >>> minutes_of(Run("tiny", recipe), shared) > 0
        True
    """
    try:
        return _seconds(run.recipe, shared) / 60
    except Exception as error:  # the run itself will report it
        logger.info("%s cannot be tried: %s", run, error)
        return None


def _seconds(recipe: Recipe, shared: Shared) -> float:
    rows, runtime, training = shared.annotations, shared.runtime, recipe.training
    train_rows = _sample(rows.rows("train"), STEPS * training.batch_size)
    val_rows = rows.select([])
    if "val" in rows.split_sizes:
        val_rows = _sample(rows.rows("val").labelled(), VALIDATED)
    sample = _joined(train_rows, val_rows)
    recipe = recipe.model_copy(update={"training": training.model_copy(update={"epochs": 1})})
    watch = Stopwatch()
    with temporary_folder() as folder:
        outcome = train_run(
            sample,
            recipe,
            folder,
            runtime,
            log=watch,
            start=shared.start,
            hashes=shared.prepared.hashes,
            unjudged=shared.prepared.unjudged[: STEPS * training.batch_size],
        )
        if outcome.interrupted:
            raise KeyboardInterrupt
        model = load_model(outcome.model, runtime.device)
    measured = val_rows if len(val_rows) else train_rows
    photos = evaluation_photos(measured.paths, training, runtime)
    rate = predict(model.system, photos, runtime).photos_per_second
    sizes = rows.split_sizes
    passes = 1 if shared.boxes is None else 1 + VIEWS_FOR_EVIDENCE
    steady = watch.rates[1:] or watch.rates
    return (
        watch.frozen * (sizes["train"] + sizes.get("val", 0))
        + (training.epochs * sizes["train"] / median(steady) if steady else 0)
        + training.epochs * sizes.get("val", 0) * watch.validation / max(1, len(val_rows))
        + passes * sizes[shared.split] / rate
    )


def _sample(rows: Annotations, count: int) -> Annotations:
    """Select evenly spaced rows."""
    return rows.select(torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long())


def _joined(train_rows: Annotations, val_rows: Annotations) -> Annotations:
    return replace(
        train_rows,
        paths=train_rows.paths + val_rows.paths,
        targets=torch.cat([train_rows.targets, val_rows.targets]),
        splits=(*("train",) * len(train_rows), *("val",) * len(val_rows)),
    )
