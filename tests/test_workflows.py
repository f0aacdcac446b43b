"""Training, measuring and calibrating from Python, on a collection of coloured squares."""

import json
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from tiny import COLOURS, TINY
from tiny_run import RUNTIME, SPLITS, tiny_collection, tiny_recipe
from torch import nn

import tagsight as ts
from tagsight.checkpoint.folder import load_model
from tagsight.data.rules.rules import LabelRules, read_label_rules
from tagsight.experiments.variants import Entry


class OneByOne(ts.System):
    """A linear classifier for each label, as a user would write it."""

    def __init__(self, config, labels):
        super().__init__(config, labels)
        self.classify = nn.Conv2d(self.backbone.channels, len(labels), 1)

    def forward(self, images):
        features = self.backbone(images)
        maps = self.classify(features)
        return ts.Recognition(maps.mean((2, 3)), maps, features.mean((2, 3)))


QUIET = {"runtime": RUNTIME, "progress": False}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> ts.Annotations:
    return tiny_collection(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory) -> ts.Run:
    out = tmp_path_factory.mktemp("runs") / "<first>"
    return ts.train(photos, recipe=tiny_recipe("resnet"), out=str(out), epochs=2, **QUIET)


def test_a_run_has_its_model_its_report_and_its_history(run, photos):
    assert set(COLOURS) == set(run.model(photos.paths[0]).names)
    assert run.report["mAP"] == max(epoch["mAP"] for epoch in run.history)
    assert [epoch["epoch"] for epoch in run.history] == [1, 2]
    assert all(epoch["loss"] == pytest.approx(epoch["losses.labels"]) for epoch in run.history)
    assert run.summary() in repr(run)


def test_a_run_says_what_is_trained_on_what_and_how_long_it_takes(photos, tmp_path, capsys):
    default = {"name": "gcam-cpu", "minutes": 4000.0, "use": "maps"}
    recipe = tiny_recipe("resnet", epochs=1).model_copy(update=default)
    size = photos.split_sizes["train"]
    least = recipe.training.steps_per_epoch(size) + 1  # takes a second epoch

    def begins(recipe, out: str) -> str:
        ts.train(photos, recipe=recipe, out=tmp_path / out, runtime=RUNTIME)
        said = " ".join(capsys.readouterr().err.split())
        return said[said.index("gcam-cpu (") :]

    plain = begins(recipe, "plain")
    assert plain.startswith(f"gcam-cpu (maps): resnet on {size} photos at 32 pixels for 1 epoch")
    assert f"; about {2 * size} minutes on two CPU cores" in plain
    training = recipe.training.model_copy(update={"least_steps": least})
    longer = begins(recipe.model_copy(update={"training": training}), "longer")
    assert "for 2 epochs, cpu in float32" in longer
    assert f"; about {4 * size} minutes on two CPU cores" in longer
    assert "not measured" in begins(recipe.model_copy(update={"minutes": None}), "unknown")


def test_few_photos_get_the_least_steps_of_a_recipe_unless_epochs_are_chosen(
    photos, tmp_path, capsys
):
    recipe = tiny_recipe("resnet", epochs=1)
    per_epoch = recipe.training.steps(photos.split_sizes["train"])
    training = recipe.training.model_copy(update={"least_steps": 2 * per_epoch + 1})
    few = recipe.model_copy(update={"training": training})
    run = ts.train(photos, recipe=few, out=tmp_path / "few", runtime=RUNTIME)
    assert "training takes 3 epochs" in " ".join(capsys.readouterr().err.split())
    assert len(run.history) == 3
    chosen = ts.train(photos, recipe=few, out=tmp_path / "chosen", epochs=1, **QUIET)
    assert len(chosen.history) == 1


@pytest.mark.parametrize("missing", [0, 1])
def test_fewer_validation_photos_than_a_recipe_asks_for_choose_no_epoch(photos, tmp_path, missing):
    recipe = tiny_recipe("resnet", epochs=3, lr=0.05)
    least = int((photos.rows("val").targets == 1).any(1).sum()) + missing
    training = recipe.training.model_copy(update={"least_validation": least})
    recipe = recipe.model_copy(update={"training": training})
    run = ts.train(photos, recipe=recipe, out=tmp_path / "few", **QUIET)
    found = [epoch["mAP"] for epoch in run.history]
    assert run.outcome.epoch == (2 if missing else found.index(max(found)))
    assert run.recipe.training.selection == ("last" if missing else "best")
    assert len(set(run.model.decision.thresholds.tolist())) > 1  # fitted to them all the same


def test_few_photos_are_compared_as_they_are_trained(photos, tmp_path, capsys):
    recipe = tiny_recipe("resnet", epochs=1)
    steps = recipe.training.steps(photos.split_sizes["train"])
    few = {"least_steps": 2 * steps + 1, "least_validation": len(photos)}
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=few)})
    run = ts.train(photos, recipe=recipe, out=tmp_path / "run", **QUIET)
    entries = [Entry("first", recipe), Entry("second", recipe)]
    comparison = ts.compare(
        photos, systems=entries, seeds=1, out=tmp_path / "compared", runtime=RUNTIME
    )
    for result in comparison.progress.results:
        assert result.record.recipe == run.recipe.model_dump(mode="json")
        assert result.record.epoch == len(run.history) == 3
        assert result.record.validation == pytest.approx(run.report)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("training takes 3 epochs") == said.count("too few to choose") == 1


def test_a_run_shows_its_curves_in_a_notebook(run):
    html = run._repr_html_()
    assert html.count("<svg") == 2
    ET.fromstring(f"<div>{html.replace('<br>', '')}</div>")  # names of folders are escaped


def test_a_run_that_is_opened_again_says_the_same(run):
    again = ts.Run.open(run.folder)
    assert again.report["mAP"] == run.report["mAP"]
    assert again.outcome.epoch == run.outcome.epoch
    assert again.recipe.training == run.recipe.training


def test_a_finished_run_is_given_back_when_it_is_to_go_on(run, photos):
    recipe = tiny_recipe("resnet")
    same = ts.train(photos, recipe=recipe, out=run.folder, epochs=2, resume=True, **QUIET)
    assert same.report["mAP"] == run.report["mAP"]


def test_a_model_is_measured_alike_however_it_is_named(run, photos):
    named = (run, str(run.model_folder), run.model)
    reports = [ts.evaluate(model, photos, **QUIET) for model in named]
    assert len({report["mAP"] for report in reports}) == 1
    assert reports[0]["photos"] == SPLITS.count("test")


def test_a_data_frame_is_trained_on_like_its_file(photos, tmp_path):
    frame = pd.DataFrame(photos.targets.numpy(), columns=list(photos.names))
    frame.insert(0, "image", [path.name for path in photos.paths])
    frame.insert(1, "split", photos.splits)
    frame.to_csv(tmp_path / "labels.csv", index=False)
    options = {"images": str(photos.paths[0].parent), "recipe": tiny_recipe("resnet", epochs=1)}
    of_frame = ts.train(frame, out=tmp_path / "frame", **options, **QUIET)
    of_file = ts.train(str(tmp_path / "labels.csv"), out=tmp_path / "file", **options, **QUIET)
    assert of_frame.history == of_file.history


def test_a_model_keeps_its_rules_on_labels_and_measures_other_data_by_them(photos, tmp_path):
    first, second, *others = photos.names
    rules = LabelRules(merge={"colour": [first, second]}, one_of=[["colour", others[0]]])
    ruled = ts.read_annotations(photos, options=ts.ReadOptions(rules=rules))
    out = tmp_path / "run"
    run = ts.train(ruled, recipe=tiny_recipe(epochs=1), out=out, **QUIET)
    assert read_label_rules(out / "labels.toml") == rules
    assert load_model(run.model_folder).label_rules == rules
    report = ts.evaluate(run, photos, **QUIET)
    assert report["unmatched"] == []
    ts.calibrate(run, photos, **QUIET)
    assert load_model(run.model_folder).label_rules == rules
    (group,) = ts.load(run).decision.one_of
    assert group.labels == (0, 1)


def test_calibrating_stores_the_decision_that_it_gives(run, photos, tmp_path):
    decision = ts.calibrate(run, photos, objective="precision>=0.9", **QUIET)
    stored = ts.load(run.model_folder).decision
    assert stored.thresholds == pytest.approx(decision.thresholds)
    with pytest.raises(ts.DataError, match="objective"):
        ts.calibrate(run, tmp_path / "no labels", objective="f2", **QUIET)


def test_a_system_of_ones_own_is_trained_saved_and_loaded(photos, tmp_path):
    trained = ts.train(
        photos,
        system=OneByOne,
        out=tmp_path / "own",
        epochs=1,
        settings={"backbone": TINY.model_dump(), "training.image_size": 32},
        **QUIET,
    )
    config = json.loads((trained.model_folder / "config.json").read_text(encoding="utf-8"))
    assert config["recipe"]["system"] == "one-by-one"
    again = ts.load(trained.model_folder)(photos.paths[0])
    assert again.scores == pytest.approx(trained.model(photos.paths[0]).scores)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"recipe": "gcan-cpu"}, ["gcan-cpu", "did you mean 'gcam-cpu'"]),
        ({"settings": {"graph.epsilom": 0.3}}, ["did you mean system.graph.epsilon"]),
        ({"settings": {"graph.epsilon": 3}}, ["system.graph.epsilon", "less than or equal to 1"]),
        ({"recipe": "quik"}, ["quik", "did you mean 'quick'"]),
        ({"settings": ["epsilon"]}, ["expected settings as names and values", "['epsilon']"]),
        ({"settings": {"training.lr": "fast"}}, ["training.lr", "'fast'"]),
        ({"system": nn.Linear}, ["System", "Linear"]),
        ({"system": ts.System}, ["forward"]),
        ({"init": "nowhere"}, ["nowhere", "does not exist"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_before_labels_are_read(options, named, tmp_path):
    with pytest.raises(ts.DataError) as error:
        ts.train(tmp_path / "no labels", out=tmp_path / "run", **options, **QUIET)
    assert all(word in str(error.value) for word in named), error.value
    assert not (tmp_path / "run").exists()


def test_a_run_folder_is_used_once(run, photos, tmp_path):
    with pytest.raises(ts.DataError, match=r"with a model in it; choose another `out`"):
        ts.train(photos, out=run.folder, **QUIET)
    (tmp_path / "resume").mkdir()
    with pytest.raises(ts.DataError, match=r"`resume=True`, or choose another `out`"):
        ts.train(photos, out=tmp_path, **QUIET)
