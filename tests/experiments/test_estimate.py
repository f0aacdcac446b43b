from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
from contest import sharing
from tiny_run import RUNTIME, SILENT, TEST, TRAIN, VAL, tiny_recipe

from tagsight.evaluation import predictions
from tagsight.experiments import estimate
from tagsight.experiments.estimate import minutes_of
from tagsight.experiments.run import Run, Shared
from tagsight.training import loop
from tagsight.training.preparation import prepare


@pytest.fixture
def _steady(monkeypatch):
    """A clock that goes on by a second whenever it is read."""
    clock = SimpleNamespace(perf_counter=count().__next__)
    for module in (estimate, loop, predictions):
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.usefixtures("_steady")
def test_a_longer_training_is_expected_to_take_longer_without_the_test_photos(collection, tmp_path):
    shared = sharing(collection, tmp_path)
    kept = collection.paths[:-TEST]
    rows = replace(collection, paths=(*kept, *[tmp_path / "gone.png"] * TEST))
    shared = replace(shared, prepared=shared.prepared._replace(annotations=rows))
    short, long = (
        minutes_of(Run("gcam", tiny_recipe(epochs=epochs)), shared) for epochs in (1, 1000)
    )
    assert 0 < short < long / 20
    assert not list(tmp_path.iterdir()), "a trial leaves nothing"


def test_a_run_without_validation_photos_can_be_tried(collection, tmp_path):
    splits = tuple("train" if split == "val" else split for split in collection.splits)
    everything = replace(collection, splits=splits)
    prepared = prepare(everything, RUNTIME, seed=0, hold_out=False, log=SILENT)
    assert prepared.annotations.split_sizes == {"train": TRAIN + VAL, "test": TEST}
    run = Run("gcam", tiny_recipe(selection="last"))
    assert minutes_of(run, Shared(tmp_path, prepared, RUNTIME)) > 0


def test_a_run_that_stores_photos_instead_of_training_can_be_tried(collection, tmp_path):
    shared = sharing(collection, tmp_path)
    assert minutes_of(Run("knn", tiny_recipe("knn")), shared) > 0


def test_of_a_run_that_cannot_be_tried_nothing_is_known_and_ctrl_c_ends_a_trial(
    collection, tmp_path, monkeypatch
):
    shared = sharing(collection, tmp_path)
    diverging = tiny_recipe("resnet", optimizer="sgd", lr=1e30)
    assert minutes_of(Run("resnet", diverging), shared) is None

    def interrupted(*_, **__) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(estimate.Stopwatch, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        minutes_of(Run("gcam", tiny_recipe()), shared)
