import pytest
from tracked_run import logged_curves, tracked_run

from tagsight.training.tracking.tensorboard_files import TensorboardTracker
from tagsight.training.tracking.tracker import TrackedRun

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_event_files_have_the_settings_the_curves_and_the_report(collection, tmp_path):
    outcome = tracked_run(collection, tmp_path, "tensorboard")
    events = read(tmp_path / "tensorboard")
    for name, logged in logged_curves(tmp_path).items():
        points = events.Scalars(name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx(logged)
    assert events.Scalars("best/epoch")[0].value == outcome.epoch + 1
    texts = {
        name: events.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0].decode()
        for name in ("settings", "README.md", "validation.csv")
    }
    assert "| training.lr | 0.01 |" in texts["settings"]
    assert "## How it was trained" in texts["README.md"]
    assert texts["validation.csv"].startswith("```\nlabel,AP")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_goes_on_adds_to_the_same_curves(tmp_path):
    for epoch in (1, 2):
        tracker = TensorboardTracker(TrackedRun(tmp_path, {"a": 1}, resumed=epoch == 2))
        tracker.values(epoch, {"loss": epoch / 2})
        tracker.close(failed=False)
    assert [p.value for p in read(tmp_path / "tensorboard").Scalars("loss")] == [0.5, 1.0]
