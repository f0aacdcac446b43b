"""About how long a run takes, by trying it on a few photos."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.folder import load_model
from tagsight.evaluation.predictions import predict
from tagsight.loading.batches import PhotoStore
from tagsight.training.run import train_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.experiments.run import Run, Shared
    from tagsight.training.loop import Step

STEPS, JUDGED = 3, 32
VIEWS_FOR_EVIDENCE = 4
"""Passes over a photo to measure its evidence: itself, and each transform of it."""

logger = logging.getLogger(__name__)


class Stopwatch:
    """A run's log that only takes the time.

    Attributes:
        rates: Training photos per second, a number for each step.
        frozen: Seconds that the frozen stages took of each photo, 0 if all were kept.
        judged: Seconds from the last step to the end of the validation.
    """

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.frozen = self.judged = 0.0
        self._last = time.perf_counter()

    def go_on(self, number: int) -> None:
        """Nothing goes on."""

    def note(self, text: str) -> None:
        """Nothing is said: the run itself says it."""

    @contextmanager
    def work(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """Take the time of the frozen stages."""
        del description
        started = time.perf_counter()
        yield lambda _: None
        self.frozen = (time.perf_counter() - started) / total if total else 0.0

    def step(self, step: Step) -> None:
        """Take the time of a step."""
        self.rates.append(step.photos_per_second)
        self._last = time.perf_counter()

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Take the time of the validation."""
        del epoch, metrics
        self.judged = time.perf_counter() - self._last


def minutes_of(run: Run, shared: Shared) -> float | None:
    """Try a run on a few photos and tell how long the whole will take.

    What frozen stages make of these photos is kept for the run itself. The test photos are not
    read: those of the validation stand in for them.

    Returns:
        Minutes of training and measuring, or None if the trial fails, which the run will tell.
    """
    try:
        return _seconds(run.recipe, shared) / 60
    except Exception as error:  # whatever it is, it is the run's to tell
        logger.info("%s cannot be tried: %s", run, error)
        return None


def _seconds(recipe: Recipe, shared: Shared) -> float:
    rows, runtime, training = shared.annotations, shared.runtime, recipe.training
    learn = _few(rows.rows("train"), STEPS * training.batch_size)
    judge = rows.select([])
    if "val" in rows.split_sizes:
        judge = _few(rows.rows("val").labelled(), JUDGED)
    sample = _together(learn, judge)
    recipe = recipe.model_copy(update={"training": training.model_copy(update={"epochs": 1})})
    watch = Stopwatch()
    with TemporaryDirectory(prefix="tagsight-") as folder:
        outcome = train_run(
            sample,
            recipe,
            Path(folder),
            runtime,
            log=watch,
            start=shared.start,
            hashes=shared.prepared.hashes,
        )
        if outcome.interrupted:
            raise KeyboardInterrupt
        model = load_model(outcome.model, runtime.device)
    measured = judge if len(judge) else learn
    photos = PhotoStore(
        measured.paths, training.image_size, memory=0, max_memory=runtime.max_photo_memory
    )
    rate = predict(model.system, photos, runtime).photos_per_second
    sizes = rows.split_sizes
    passes = 1 if shared.boxes is None else 1 + VIEWS_FOR_EVIDENCE
    return (
        watch.frozen * (sizes["train"] + sizes.get("val", 0))
        + training.epochs * sizes["train"] / median(watch.rates[1:] or watch.rates)
        + training.epochs * sizes.get("val", 0) * watch.judged / max(1, len(judge))
        + passes * sizes[shared.split] / rate
    )


def _few(rows: Annotations, count: int) -> Annotations:
    """So many rows, from all over."""
    return rows.select(torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long())


def _together(learn: Annotations, judge: Annotations) -> Annotations:
    return replace(
        learn,
        paths=learn.paths + judge.paths,
        targets=torch.cat([learn.targets, judge.targets]),
        splits=(*("train",) * len(learn), *("val",) * len(judge)),
    )
