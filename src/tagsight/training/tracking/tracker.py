"""Interface of a tracker, and the trackers by name."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from tagsight.errors import DataError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Tracking = Literal["tensorboard", "mlflow", "wandb"]

PLACES: dict[Tracking, str] = {
    "tensorboard": "",
    "mlflow": "MLFLOW_TRACKING_URI",
    "wandb": "WANDB_MODE",
}
"""The trackers, with the environment variable that lets each send something to a server."""

PACKAGES: dict[Tracking, str] = {
    "tensorboard": "tensorboard",
    "mlflow": "mlflow",
    "wandb": "wandb",
}


class TrackedRun(NamedTuple):
    """The run that a tracker is told about.

    Attributes:
        folder: The run folder.
        settings: Every setting of the recipe by its name, such as ``training.lr``.
        resumed: Whether the run goes on, in what was tracked of it before.
    """

    folder: Path
    settings: Mapping[str, str | float]
    resumed: bool

    @property
    def name(self) -> str:
        """The name of the run: that of its folder.

        Example:
            >>> from pathlib import Path
            >>> TrackedRun(Path("runs/first"), {"training.lr": 0.01}, resumed=False).name
            'first'
        """
        return self.folder.resolve().name


class Report(NamedTuple):
    """The end of a run.

    Attributes:
        values: Numbers of the kept epoch, by name.
        files: Files to keep with the run: the model card and the labels' average precision.
    """

    values: Mapping[str, float]
    files: tuple[Path, ...]


class Tracker(Protocol):
    """Receives settings, curves and the report of one run."""

    @property
    def place(self) -> str:
        """Place that it writes to, for people to read."""

    def values(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record numbers of an epoch, counted from 1."""

    def report(self, report: Report) -> None:
        """Record the end of the run."""

    def close(self, *, failed: bool) -> None:
        """Write everything that is left. Called once, whether the run succeeded or not."""


def check_tracker(name: Tracking) -> None:
    """Check that a tracker is installed, before a run begins.

    Raises:
        DataError: If its package is missing, or the name is unknown.

    Example:
        >>> check_tracker("notebook")
        Traceback (most recent call last):
            ...
        tagsight.errors.DataError: expected 'tensorboard', 'mlflow' or 'wandb' as `track`, got \
'notebook'
    """
    if name not in PACKAGES:
        msg = f"expected 'tensorboard', 'mlflow' or 'wandb' as `track`, got {name!r}"
        raise DataError(msg)
    if find_spec(PACKAGES[name]) is None:
        raise missing_extra(name, f"for `track={name}`")


def open_tracker(name: Tracking, run: TrackedRun) -> Tracker:
    """Start to track a run.

    Args:
        name: The tracker.
        run: Its folder and settings.

    Raises:
        DataError: If it is not installed, or its server does not answer.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     run = TrackedRun(Path(folder), {"training.lr": 0.01}, resumed=False)
        ...     tracker = open_tracker("tensorboard", run)
        ...     tracker.close(failed=False)
        ...     Path(tracker.place).name
        'tensorboard'
    """
    check_tracker(name)
    if name == "tensorboard":
        from tagsight.training.tracking.tensorboard_files import TensorboardTracker

        return TensorboardTracker(run)
    if name == "mlflow":
        from tagsight.training.tracking.mlflow_runs import MlflowTracker

        return MlflowTracker(run, os.environ.get(PLACES["mlflow"]))
    from tagsight.training.tracking.wandb_runs import WandbTracker

    return WandbTracker(run, os.environ.get(PLACES["wandb"]))
