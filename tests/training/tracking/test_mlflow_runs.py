import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from tracked_run import EPOCHS, logged_curves, tracked_run

from tagsight.errors import DataError
from tagsight.training.tracking.mlflow_runs import MlflowTracker
from tagsight.training.tracking.tracker import TrackedRun

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the many packages that it imports


def client(place: str):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=place)


def only_run(place: str):
    known = client(place)
    (run,) = known.search_runs([e.experiment_id for e in known.search_experiments()])
    return run


def check_run(place: str, out: Path) -> None:
    """Compare what MLflow tells with what the run's own log says."""
    known, run = client(place), only_run(place)
    assert run.info.status == "FINISHED"
    assert run.data.params["training.lr"] == "0.01"
    for name, logged in logged_curves(out).items():
        points = sorted(known.get_metric_history(run.info.run_id, name), key=lambda p: p.step)
        assert [point.step for point in points] == [*range(1, EPOCHS + 1)]
        assert [point.value for point in points] == pytest.approx(logged)
    assert {file.path for file in known.list_artifacts(run.info.run_id)} == {
        "README.md",
        "validation.csv",
    }


@pytest.mark.slow
def test_without_a_server_everything_stays_in_the_run_folder(collection, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "run"
    tracked_run(collection, out, "mlflow")
    check_run(f"sqlite:///{out / 'mlflow.db'}", out)
    again = MlflowTracker(TrackedRun(out, {}, resumed=True), None)
    again.values(EPOCHS + 1, {"loss": 0.0})
    again.close(failed=True)
    run = only_run(f"sqlite:///{out / 'mlflow.db'}")  # still one
    assert (run.info.status, run.data.metrics["loss"]) == ("FAILED", 0.0)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A real MLflow server on the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
        try:
            ends = monotonic() + 300
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "server.log").read_text()
                    assert monotonic() < ends
                    sleep(0.2)  # between two questions whether it listens
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


@pytest.mark.slow
def test_a_server_that_the_user_names_gets_everything(collection, tmp_path, monkeypatch):
    with server(tmp_path) as place:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
        tracked_run(collection, tmp_path / "run", "mlflow")
        check_run(place, tmp_path / "run")


def test_a_store_that_is_not_there_is_told_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match="expected an MLflow server or store at nonsense://x"):
        MlflowTracker(TrackedRun(tmp_path / "run", {}, resumed=False), "nonsense://x")
    assert not (tmp_path / "run").exists()
