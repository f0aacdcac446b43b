import pytest
from tiny_run import Diary, tiny_recipe
from tracked_run import EPOCHS, logged_curves, tracked_run

from tagsight.errors import DataError
from tagsight.training.loop import Step
from tagsight.training.tracking import tracked_log, tracker
from tagsight.training.tracking.tracked_log import TrackedLog, flat_settings
from tagsight.training.tracking.tracker import PACKAGES, Report, check_tracker


class Notebook:
    """A tracker that remembers everything."""

    place = "a notebook"

    def __init__(self, run=None) -> None:
        self.run = run
        self.points: list[tuple[int, dict[str, float]]] = []
        self.reports: list[Report] = []
        self.ends: list[bool] = []

    def values(self, epoch, values):
        self.points.append((epoch, dict(values)))

    def report(self, report):
        self.reports.append(report)

    def close(self, *, failed):
        self.ends.append(failed)


@pytest.fixture
def notebooks(monkeypatch) -> list[Notebook]:
    opened: list[Notebook] = []

    def open_tracker(_name, run):
        opened.append(Notebook(run))
        return opened[-1]

    monkeypatch.setattr(tracked_log, "open_tracker", open_tracker)
    return opened


def test_a_tracker_gets_the_settings_the_curves_and_the_report_of_a_run(
    collection, tmp_path, notebooks
):
    outcome = tracked_run(collection, tmp_path / "first", "tensorboard")
    (notebook,) = notebooks
    assert notebook.run.settings == flat_settings(tiny_recipe(epochs=EPOCHS))
    assert notebook.run.name == "first"
    for name, logged in logged_curves(tmp_path / "first").items():
        points = [(epoch, values[name]) for epoch, values in notebook.points if name in values]
        assert [epoch for epoch, _ in points] == [1, 2, 3]
        assert [value for _, value in points] == pytest.approx(logged)
    (report,) = notebook.reports
    assert report.values["best/epoch"] == outcome.epoch + 1
    assert report.values["best/mAP"] == outcome.validation["mAP"]
    assert [file.name for file in report.files] == ["README.md", "validation.csv"]
    assert notebook.ends == [False]


def test_a_run_that_fails_ends_its_tracker_as_failed(collection, tmp_path, notebooks, monkeypatch):
    def fail(*_args, begin, **_options):
        begin()
        msg = "the loss is not finite"
        raise FloatingPointError(msg)

    monkeypatch.setattr("tracked_run.train_run", fail)
    with pytest.raises(FloatingPointError):
        tracked_run(collection, tmp_path, "tensorboard")
    assert notebooks[0].ends == [True]
    assert notebooks[0].reports == []


def test_without_a_tracker_nothing_is_opened(collection, tmp_path, notebooks):
    tracked_run(collection, tmp_path, None)
    assert notebooks == []


def test_numbers_that_are_not_finite_are_not_tracked():
    notebook = Notebook()
    log = TrackedLog(Diary(), notebook)
    log.step(Step(0, 1, {"labels": float("inf")}, 0.1, 5.0, ends_epoch=True))
    log.epoch(0, {"mAP": None, "labels": 2})
    assert notebook.points == [
        (1, {"photos_per_second": 5.0, "lr": 0.1}),
        (1, {"validation/labels": 2}),
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_tracker_that_is_not_installed_names_its_extra(name, monkeypatch):
    monkeypatch.setitem(tracker.PACKAGES, name, "no_such_package")
    with pytest.raises(DataError, match=rf"pip install 'tagsight\[{name}\]'"):
        check_tracker(name)
