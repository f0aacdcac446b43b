import json
from collections import Counter
from dataclasses import replace

import pytest
from collection import write_boxes, write_collection
from contest import sharing
from tiny import TINY_STAGED
from tiny_run import RUNTIME, TEST, TRAIN, VAL, tiny_recipe
from torch.testing import assert_close

import tagsight.experiments.comparison
import tagsight.experiments.run
import tagsight.systems.base
from tagsight.checkpoint.folder import load_model
from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import evaluate
from tagsight.evaluation.measured_rows import measured_rows
from tagsight.experiments.comparison import (
    FAILURE,
    Progress,
    known_results,
    minutes_taken,
    plan,
    run_all,
    unfinished,
)
from tagsight.experiments.run import Run
from tagsight.experiments.variants import Entry
from tagsight.loading.encoding import Encoder
from tagsight.nn.backbones import build_backbone
from tagsight.training.log import RunLog
from tagsight.training.run import Start

ENTRIES = [Entry(system, tiny_recipe(system, epochs=2)) for system in ("resnet", "gcam")]
RUNS = plan(ENTRIES, 2)
STEPS = 2 * TRAIN // 8


@pytest.fixture(scope="module")
def finished(collection, tmp_path_factory):
    shared = sharing(collection, tmp_path_factory.mktemp("comparison"))
    return shared, run_all(RUNS, shared)


def names(runs) -> list[tuple[str, int]]:
    return [(run.name, run.seed) for run in runs]


def made(state: Progress) -> list[tuple[str, int]]:
    return names(result.record for result in state.results)


def failing(error: BaseException):
    def fail(*_, **__) -> None:
        raise error

    return fail


def interrupting(monkeypatch, when) -> None:
    """Let Ctrl-C come after a step."""
    real = RunLog.step

    def step(self: RunLog, step) -> None:
        real(self, step)
        if when(step):
            raise KeyboardInterrupt

    monkeypatch.setattr(RunLog, "step", step)


def test_every_run_has_a_result_and_is_what_training_and_evaluating_give(finished, collection):
    shared, state = finished
    assert made(state) == names(RUNS)
    assert state == Progress(state.results)
    for run, result in zip(RUNS, state.results, strict=True):
        model = load_model(shared.folder(run) / "model")
        assert model.recipe == run.recipe
        expected = evaluate(model, collection.rows("test"), RUNTIME)
        found = {**result.record.report, "photos_per_second": expected["photos_per_second"]}
        assert found == json.loads(json.dumps(expected))
        assert result.record.validation.items() <= model.facts["validation"].items()
        assert result.record.epoch == model.facts["validation"]["epoch"]
        assert result.record.parameters == sum(p.numel() for p in model.system.parameters())
        assert_close(result.targets, collection.rows("test").targets)
        rows, said = measured_rows(collection, shared.folder(run) / "model", "test")
        assert (len(rows), "as recorded" in said) == (TEST, True)
        assert (shared.folder(run) / "run.jsonl").read_text().count('"step"') >= STEPS


def test_what_is_finished_is_not_run_again(finished, monkeypatch):
    shared, state = finished
    monkeypatch.setattr(tagsight.experiments.comparison, "measured_run", None)
    again = run_all(RUNS, shared)
    # In the order of the files' names.
    assert sorted(made(again)) == sorted(made(state))
    assert unfinished(RUNS, again.results) == []
    resnet, gcam, vac = (minutes_taken(again.results, name) for name in ("resnet", "gcam", "vac"))
    assert min(resnet, gcam) > 0
    assert vac is None


def test_test_photos_are_read_once_for_each_run_and_told_as_soon_as_it_is_made(
    collection, tmp_path, monkeypatch
):
    store, events = tagsight.experiments.run.evaluation_photos, []

    def counting(paths, *arguments, **named):
        events.append(paths)
        return store(paths, *arguments, **named)

    monkeypatch.setattr(tagsight.experiments.run, "evaluation_photos", counting)
    shared = sharing(collection, tmp_path)
    state = run_all(RUNS[:2], shared, report=lambda state: events.append(len(state.results)))
    assert made(state) == names(RUNS[:2])
    read = collection.rows("test").paths
    assert events == [read, 1, read, 2]


def test_without_a_test_split_the_validation_is_reported_and_named(collection, tmp_path):
    kept = [i for i, split in enumerate(collection.splits) if split != "test"]
    shared = sharing(collection.select(kept), tmp_path)
    (result,) = run_all(RUNS[:1], shared).results
    assert result.record.split == "val"
    assert result.metrics["mAP"] == pytest.approx(result.record.validation["mAP"], abs=1e-3)


def test_after_ctrl_c_a_comparison_goes_on_and_ends_as_if_nothing_had_happened(
    finished, collection, tmp_path
):
    shared = sharing(collection, tmp_path, start=Start(state_every=0))
    with pytest.MonkeyPatch.context() as patch:
        # In the second epoch of the second run.
        seen = []
        interrupting(patch, lambda step: seen.append(step) or len(seen) == STEPS + 4)
        state = run_all(RUNS, shared)
    assert state.interrupted
    assert made(state) == names(RUNS[:1])
    assert names(state.left_out) == names(RUNS[1:])

    steps = []
    with pytest.MonkeyPatch.context() as patch:
        interrupting(patch, lambda step: bool(steps.append(step.number)))
        state = run_all(RUNS, shared)
    assert steps[: STEPS - 3] == list(range(4, STEPS + 1)), "goes on after the last saved state"
    assert sorted(made(state)) == sorted(names(RUNS))
    whole = {result.record.name: result for result in finished[1].results}
    for result in state.results:
        if result.record.seed == 1:
            assert_close(result.logits, whole[result.record.name].logits, rtol=0, atol=0)


def test_what_is_trained_and_not_measured_is_not_trained_again(collection, tmp_path, monkeypatch):
    shared = sharing(collection, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(tagsight.experiments.run, "predict", failing(KeyboardInterrupt()))
        assert run_all(RUNS[:1], shared).interrupted
    monkeypatch.setattr(tagsight.experiments.run, "train_run", None)
    assert made(run_all(RUNS[:1], shared)) == names(RUNS[:1])
    (shared.results / "resnet-0.json").unlink()
    other = Run("resnet", tiny_recipe("resnet", epochs=2, lr=0.5))
    (failure,) = run_all([other], shared).failures
    assert "`training.lr` is 0.5, was 0.01" in failure.message


def test_a_failure_is_one_sentence_and_the_run_is_tried_again(collection, tmp_path, monkeypatch):
    shared = sharing(collection, tmp_path)
    file = shared.folder(RUNS[0]) / FAILURE
    for error, message in (
        (MemoryError(), "the memory is full"),
        (DataError("no photos"), "no photos"),
        (KeyError("a defect"), "KeyError: 'a defect'"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(tagsight.experiments.run, "train_run", failing(error))
            (failure,) = run_all(RUNS[:1], shared).failures
        assert message in failure.message
        assert type(error).__name__ in file.read_text()
    assert made(run_all(RUNS[:1], shared)) == names(RUNS[:1])
    assert not file.exists()


def test_no_run_is_begun_that_would_not_end_within_the_budget(collection, tmp_path):
    shared = sharing(collection, tmp_path)
    state = run_all(RUNS[:2], shared, estimates={"resnet": 1, "gcam": 1000}, budget=60)
    assert made(state) == names(RUNS[:1])
    assert names(state.left_out) == names(RUNS[1:2])
    assert not state.interrupted
    # What a finished run took is more than an estimate.
    state = run_all(RUNS[2:3], shared, estimates={"resnet": 1000}, budget=60)
    assert ("resnet", 1) in made(state)


def test_results_of_other_machines_are_taken_in(finished, collection, tmp_path):
    shared = sharing(collection, tmp_path)
    shared.results.mkdir(parents=True)
    for file in finished[0].results.glob("gcam-*"):
        (shared.results / file.name).write_bytes(file.read_bytes())
    for runs in (RUNS, RUNS[:1]):
        assert [result.record.name for result in known_results(runs, shared)] == ["gcam", "gcam"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data_hash": "0" * 64}, "expected a result on these photos and labels, hash"),
        ({"split_hash": "0" * 64}, "expected a result on this split, hash"),
        ({"split": "val"}, "expected a result on the split 'test', got 'val'"),
        ({"recipe": {}}, "expected the settings of gcam, but its recipe lacks system or settings"),
        ({}, "expected the settings of gcam, but `training.epochs` is 7, was 2; delete"),
    ],
)
def test_a_result_that_does_not_fit_is_named_before_anything_is_run(
    finished, collection, tmp_path, values, message
):
    source = finished[0].results / "gcam-0.json"
    file = tmp_path / "results" / source.name
    file.parent.mkdir(parents=True)
    file.with_suffix(".npz").write_bytes(source.with_suffix(".npz").read_bytes())
    file.write_text(json.dumps({**json.loads(source.read_text()), **values}))
    runs = RUNS if values else [Run("gcam", tiny_recipe("gcam", epochs=7))]
    with pytest.raises(DataError) as raised:
        run_all(runs, sharing(collection, tmp_path))
    assert str(raised.value).startswith(f"{file}: {message}")
    assert not (tmp_path / "runs").exists()


def test_a_model_of_somebody_else_is_not_written_over(collection, tmp_path):
    shared = sharing(collection, tmp_path)
    (shared.folder(RUNS[0]) / "model").mkdir(parents=True)
    (failure,) = run_all(RUNS[:1], shared).failures
    assert "got a model of another" in failure.message


def test_evidence_is_measured_where_boxes_are(tmp_path):
    labels = write_collection(tmp_path / "photos")
    boxes = read_boxes(write_boxes(tmp_path / "boxes.json", labels))
    shared = replace(sharing(read_annotations(labels), tmp_path / "out"), boxes=boxes)
    (result,) = run_all(RUNS[:1], shared).results
    assert 0 <= result.metrics["pointing"] <= 100
    assert {"energy_in_box", "chance", "error_flip", "error_scale"} <= set(result.metrics)


def test_runs_share_one_encoding_and_are_measured_from_it(collection, tmp_path, monkeypatch):
    frozen, encoded = build_backbone(TINY_STAGED).state_dict(), Counter()

    def build(config):
        backbone = build_backbone(config)
        backbone.load_state_dict(frozen, strict=False)
        return backbone

    def encode(self, paths, grids, cache):
        encoded.update((path.name, view) for path in paths.values() for view in grids)
        yield from real(self, paths, grids, cache)

    real = Encoder.encode
    monkeypatch.setattr(tagsight.systems.base, "build_backbone", build)
    monkeypatch.setattr(Encoder, "encode", encode)
    shared = replace(
        sharing(collection, tmp_path), runtime=replace(RUNTIME, cache=tmp_path / "cache")
    )
    entries = [
        Entry(
            system,
            choose(tiny_recipe(system, epochs=1, random_flip=True), TINY_STAGED),
        )
        for system in ("resnet", "csra")
    ]
    state = run_all(plan(entries, 2), shared)
    assert len(state.results) == 4
    assert len(encoded) == 2 * TRAIN + VAL + TEST
    assert set(encoded.values()) == {1}
    for run, result in zip(plan(entries, 2), state.results, strict=True):
        model = load_model(shared.folder(run) / "model")
        expected = evaluate(model, collection.rows("test"), RUNTIME)
        assert result.record.report["mAP"] == pytest.approx(expected["mAP"])
        assert result.record.report["photos_per_second"] > 0


def choose(recipe, backbone):
    """The recipe with another encoder."""
    settings = recipe.settings.model_copy(update={"backbone": backbone})
    return recipe.model_copy(update={"settings": settings})
