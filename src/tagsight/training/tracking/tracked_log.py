"""The log of a run that is tracked: passes every event on, and curves to the tracker."""

from __future__ import annotations

from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING

from tagsight.checkpoint.config import CARD
from tagsight.training.label_quality import FILE
from tagsight.training.tracking.tracker import Report, TrackedRun, open_tracker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.runtime.progress import Advance
    from tagsight.training.log import Log
    from tagsight.training.loop import Step
    from tagsight.training.run_folder import Outcome
    from tagsight.training.tracking.tracker import Tracker, Tracking


class TrackedLog:
    """Pass the events of a run on to its log, and means over each epoch to a tracker.

    After a run was resumed within an epoch, the means of that epoch are over the steps since.

    Args:
        log: Receives every event.
        tracker: Receives, per epoch, the mean of each term of the loss and of their sum, the
            learning rate, the throughput, and the metrics on the validation split; None until
            the run begins.

    Example:
        >>> from rich.console import Console
        >>> from tagsight.training.log import RunLog
        >>> from tagsight.training.loop import Step
        >>> class Printer:
        ...     def values(self, epoch, values):
        ...         print(epoch, values)
        >>> with RunLog(None, 2, Console(quiet=True)) as log:
        ...     followed = TrackedLog(log, Printer())
        ...     followed.step(Step(0, 1, {"labels": 0.75}, 0.01, 80.0, ends_epoch=False))
        ...     followed.step(Step(0, 2, {"labels": 0.25}, 0.01, 80.0, ends_epoch=True))
        1 {'loss/labels': 0.5, 'loss': 0.5, 'photos_per_second': 80.0, 'lr': 0.01}
    """

    def __init__(self, log: Log, tracker: Tracker | None) -> None:
        self.tracker = tracker
        self._log = log
        self._sums: dict[str, float] = {}
        self._steps = 0

    def resume(self, number: int) -> None:
        """Pass on."""
        self._log.resume(number)

    def note(self, text: str) -> None:
        """Pass on."""
        self._log.note(text)

    def work(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Pass on."""
        return self._log.work(description, total)

    def step(self, step: Step) -> None:
        """Pass on, and track the means of the epoch after its last step."""
        self._log.step(step)
        means = {f"loss/{name}": value for name, value in step.losses.items()}
        means["loss"] = sum(step.losses.values())
        means["photos_per_second"] = step.photos_per_second
        for name, value in means.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        if step.ends_epoch:
            found = {name: total / self._steps for name, total in self._sums.items()}
            self._track(step.epoch, {**found, "lr": step.lr})
            self._sums, self._steps = {}, 0

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Pass on, and track the metrics on the validation split."""
        self._log.epoch(epoch, metrics)
        self._track(epoch, {f"validation/{name}": value for name, value in metrics.items()})

    def _track(self, epoch: int, values: Mapping[str, float | None]) -> None:
        if self.tracker is not None:
            self.tracker.values(epoch + 1, _finite(values))


class Tracked:
    """A run that may be tracked.

    Args:
        log: The log of the run.
        name: The tracker; None tracks nothing.
        folder: The run folder.
        recipe: System and settings.

    Attributes:
        log: The log to give to the run.

    Example:
        >>> from pathlib import Path
        >>> from rich.console import Console
        >>> from tagsight.systems.catalogue import RECIPES
        >>> from tagsight.training.log import RunLog
        >>> log = RunLog(None, 100, Console(quiet=True))
        >>> Tracked(log, None, Path("new"), RECIPES["gcam-cpu"]).log is log
        True
    """

    def __init__(self, log: Log, name: Tracking | None, folder: Path, recipe: Recipe) -> None:
        self._name = name
        self._folder = folder
        self._recipe = recipe
        self._followed = TrackedLog(log, None)
        self.log: Log = log if name is None else self._followed

    def begin(self) -> None:
        """Open the tracker, once the run is not refused.

        Raises:
            DataError: If its server does not answer.
        """
        if self._name is None:
            return
        resumed = (self._folder / "run.jsonl").is_file()
        settings = flat_settings(self._recipe)
        tracker = open_tracker(self._name, TrackedRun(self._folder, settings, resumed))
        self._followed.tracker = tracker
        self.log.note(f"tracked by {self._name}: {tracker.place}")

    def close(self, *, failed: bool) -> None:
        """Close the tracker, if it was opened."""
        if self._followed.tracker is not None:
            self._followed.tracker.close(failed=failed)

    def report(self, folder: Path, outcome: Outcome) -> None:
        """Track the end of the run: the kept epoch, its metrics and every label's."""
        if self._followed.tracker is not None:
            self._followed.tracker.report(report_of(folder, outcome))


@contextmanager
def tracked(log: Log, name: Tracking | None, folder: Path, recipe: Recipe) -> Iterator[Tracked]:
    """Track a run during the block, from its beginning on (`Tracked.begin`).

    Args:
        log: The log of the run.
        name: The tracker; None tracks nothing.
        folder: The run folder.
        recipe: System and settings.

    Yields:
        The run, with the log to give to it.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from rich.console import Console
        >>> from tagsight.systems.catalogue import RECIPES
        >>> from tagsight.training.log import RunLog
        >>> log = RunLog(None, 100, Console(quiet=True))
        >>> with TemporaryDirectory() as folder:
        ...     with tracked(log, "tensorboard", Path(folder), RECIPES["gcam-cpu"]) as followed:
        ...         type(followed.log).__name__
        'TrackedLog'
    """
    followed = Tracked(log, name, folder, recipe)
    try:
        yield followed
    except BaseException:
        followed.close(failed=True)
        raise
    followed.close(failed=False)


def flat_settings(recipe: Recipe) -> dict[str, str | float]:
    """Write every setting of a recipe under its full name.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> found = flat_settings(RECIPES["gcam-quick"])
        >>> found["system"], found["training.batch_size"], found["settings.backbone.name"]
        ('gcam', 32, 'efficientnet_lite0')
    """
    return dict(_flat("", recipe.model_dump(mode="json")))


def _flat(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, str | float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name, value
        else:
            yield prefix + name, str(value)


def report_of(folder: Path, outcome: Outcome) -> Report:
    """Collect the report of a run that has ended.

    Args:
        folder: The run folder.
        outcome: The epoch that was kept.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.training.run_folder import Outcome
        >>> folder = Path("new")
        >>> kept = Outcome(3, {"mAP": 61.5, "labels": 2}, folder / "model", 1.5, interrupted=False)
        >>> report_of(folder, kept).values
        {'best/mAP': 61.5, 'best/labels': 2.0, 'best/epoch': 4.0, 'minutes': 1.5}
    """
    files = tuple(file for file in (outcome.model / CARD, folder / FILE) if file.is_file())
    best = {f"best/{name}": value for name, value in outcome.validation.items()}
    found = {**best, "best/epoch": outcome.epoch + 1, "minutes": outcome.minutes}
    return Report(_finite(found), files)


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(v) for name, v in values.items() if v is not None and isfinite(v)}
