"""MLflow: a run on the server that the user named, or in a database in the run folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.training.tracking.tracker import Report, TrackedRun

EXPERIMENT = "tagsight"
"""The experiment, unless ``MLFLOW_EXPERIMENT_NAME`` names another."""

ID_FILE = "mlflow-run.txt"
"""Keeps the id of the run in the run folder, so that a resumed run goes on in the same one."""

MOST_AT_ONCE, LONGEST = 100, 500
"""Settings of a request, and characters of a value, which servers accept."""

_NOT_IN_NAMES = re.compile(r"[^\w\-. /]")


class MlflowTracker:
    """Track a run with MLflow.

    Args:
        run: The run.
        uri: Where to track, as ``MLFLOW_TRACKING_URI`` says it; None tracks in the run folder.

    Raises:
        DataError: If the place cannot be reached.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.training.tracking.tracker import TrackedRun
        >>> run = TrackedRun(Path("runs/first"), {"training.lr": 0.01}, resumed=False)
        >>> MlflowTracker(run, None).place  # doctest: +SKIP
        'sqlite:///.../runs/first/mlflow.db'
    """

    def __init__(self, run: TrackedRun, uri: str | None) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        if uri is None:
            run.folder.mkdir(parents=True, exist_ok=True)
        database = (run.folder / "mlflow.db").resolve()
        self.place = uri or f"sqlite:///{database}"
        artifacts = None if uri else (run.folder / "mlflow").resolve().as_uri()
        try:
            self._client = MlflowClient(tracking_uri=self.place)
            self._id = self._earlier(run) or self._new(run, artifacts)
        except MlflowException as error:
            reason = str(error).partition("\n")[0]
            msg = f"expected an MLflow server or store at {self.place}, got: {reason}"
            raise DataError(msg) from error

    def _earlier(self, run: TrackedRun) -> str | None:
        """Return the id of the run that goes on; None if there is none here."""
        file = run.folder / ID_FILE
        if not run.resumed or not file.is_file():
            return None
        found = file.read_text(encoding="utf-8").strip()
        self._client.update_run(found, "RUNNING")
        return found

    def _new(self, run: TrackedRun, artifacts: str | None) -> str:
        import os

        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            number = self._client.create_experiment(name, artifact_location=artifacts)
        else:
            number = experiment.experiment_id
        found: str = self._client.create_run(number, run_name=run.name).info.run_id
        params = [Param(key, str(value)[:LONGEST]) for key, value in run.settings.items()]
        for start in range(0, len(params), MOST_AT_ONCE):
            self._client.log_batch(found, params=params[start : start + MOST_AT_ONCE])
        write_atomically(run.folder / ID_FILE, found + "\n")
        return found

    def values(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record numbers of an epoch as points of curves."""
        self._log(values, epoch)

    def report(self, report: Report) -> None:
        """Record the kept epoch, and keep the files."""
        self._log(report.values, 0)
        for file in report.files:
            self._client.log_artifact(self._id, str(file))

    def close(self, *, failed: bool) -> None:
        """Record how the run ended."""
        self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from time import time

        from mlflow.entities import Metric

        now = round(1000 * time())
        named = {_NOT_IN_NAMES.sub("_", name): value for name, value in values.items()}
        metrics = [Metric(name, value, now, step) for name, value in named.items()]
        self._client.log_batch(self._id, metrics=metrics)
