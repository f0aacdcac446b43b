import pytest
from tracked_run import tracked_run

from tagsight.errors import DataError
from tagsight.training.tracking.tracker import TrackedRun
from tagsight.training.tracking.wandb_runs import ID_FILE, WandbTracker

wandb = pytest.importorskip("wandb", reason="the extra wandb is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages that it imports


@pytest.mark.slow
def test_a_run_is_written_offline_unless_the_user_asks_for_the_server(
    collection, tmp_path, monkeypatch
):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # whoever asks a server gets an error
    out = tmp_path / "run"
    tracked_run(collection, out, "wandb")
    wandb.teardown()  # its service may still write after a run has finished
    name = (out / ID_FILE).read_text().strip()
    (file,) = (out / "wandb").glob(f"offline-run-*/run-{name}.wandb")
    content = file.read_bytes()
    for told in (b"training.lr", b"validation/mAP", b"best/mAP", b"README.md"):
        assert told in content
    assert {p.name for p in file.parent.rglob("*") if p.is_file()} >= {
        "README.md",
        "validation.csv",
    }


def test_another_mode_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected 'online' or 'offline' as WANDB_MODE, got 'on'"):
        WandbTracker(TrackedRun(tmp_path, {}, resumed=False), "on")
