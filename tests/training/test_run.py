import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_run import RUNTIME, SIDE, TEST, TRAIN, VAL, Diary, tiny_recipe
from torch.testing import assert_close

import tagsight.training.run_folder
from tagsight.checkpoint.folder import load_model
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.errors import DataError
from tagsight.evaluation.predictions import predict
from tagsight.loading.batches import PhotoStore
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.measured_labels import rare_labels
from tagsight.metrics.significance import LABELS_TO_COMPARE
from tagsight.systems.catalogue import HOMES
from tagsight.systems.resnet import ResNet
from tagsight.systems.settings import Change, changed
from tagsight.training.log import RunLog
from tagsight.training.run import Start, train_run
from tagsight.training.run_folder import HighestEpoch, RunFolder

STEPS = TRAIN // 8


def run(collection, out, log=None, system="gcam", *, start=Start(), facts=None, **training):
    recipe, log = tiny_recipe(system, **training), log or Diary()
    return train_run(collection, recipe, out, RUNTIME, log=log, start=start, facts=facts)


@pytest.fixture(scope="module")
def trained(collection, tmp_path_factory):
    """A run at a rate at which the last epoch has not the highest mAP."""
    diary = Diary()
    return run(collection, tmp_path_factory.mktemp("run"), diary, lr=0.05), diary


def assert_same_weights(outcome, other) -> None:
    first, second = (load_model(made.model).system.state_dict() for made in (outcome, other))
    assert_close(first, second, rtol=0, atol=0)


def validated(model, collection):
    """Average precision and decision of the validation photos."""
    rows = collection.rows("val")
    logits = predict(model.system, PhotoStore(rows.paths, SIDE, 0), RUNTIME).logits
    decision = fit_decision(logits, rows.targets, names=rows.names)
    return average_precision(logits, rows.targets), decision


def with_targets(collection, split: str, targets):
    rows = torch.tensor([of == split for of in collection.splits or ()])
    changed = torch.where(rows[:, None], targets.long(), collection.targets.long())
    return replace(collection, targets=changed)


def without(split: str, rows):
    return rows.select([i for i, of in enumerate(rows.splits) if of != split])


def test_a_later_epoch_is_kept_unless_an_earlier_one_is_better_by_more_than_chance(
    collection, trained, tmp_path, generator
):
    model, rows = load_model(trained[0].model), collection.rows("val")
    perfect, kept = rows.targets.float(), []
    noise = torch.randn(perfect.shape, generator=generator)
    said = io.StringIO()
    log = RunLog(None, 4, Console(file=said, width=300))
    folder = RunFolder(tmp_path, tiny_recipe(), rows, RUNTIME.processes, log, {}, 600)
    for epoch, logits in enumerate((noise, perfect, noise, perfect + 0.4 * noise)):
        folder.keep_unless_worse(epoch, model.system, model.labels, logits)
        kept.append(folder.kept)
    assert [one.epoch for one in kept] == [0, 1, 1, 3]
    first, highest, _, last = (one.validation["mAP"] for one in kept)
    assert first < last < highest == 100
    assert load_model(folder.model).facts["validation"]["epoch"] == 4
    folder.finished()
    told = "epoch 2 had the highest mAP, 100.0, but by no more than chance; epoch 4, trained longer"
    assert told in said.getvalue()


def test_an_epoch_of_the_same_precisions_is_not_worse(generator):
    for _ in range(100):
        found = torch.rand(2 * LABELS_TO_COMPARE, generator=generator, dtype=torch.double)
        positives = torch.full(found.shape, 100)
        assert not HighestEpoch(0, found.tolist()).exceeds(found, positives)
        assert HighestEpoch(0, (found + 0.01).tolist()).exceeds(found, positives)


def test_the_model_folder_holds_the_kept_epoch_with_its_map_and_thresholds(collection, trained):
    outcome, diary = trained
    assert outcome.validation == diary.epochs[outcome.epoch]
    assert outcome.minutes > 0
    assert not outcome.interrupted
    model = load_model(outcome.model)
    ap, expected = validated(model, collection)
    recomputed, counted = mean_over_labels(ap)
    assert 100 * recomputed == pytest.approx(outcome.validation["mAP"])
    assert counted == outcome.validation["labels_counted"] == len(collection.names)
    np.testing.assert_allclose(model.decision.thresholds, expected.thresholds)
    assert model.decision.temperature == pytest.approx(expected.temperature)


def test_the_model_folder_says_where_the_model_comes_from(collection, tmp_path):
    facts, rows = {"data": {"hash": "0123"}}, collection.rows("val")
    outcome = run(collection, tmp_path, epochs=1, facts=facts)
    model = load_model(outcome.model)
    assert model.recipe == tiny_recipe(epochs=1)
    assert model.labels.names == collection.names
    present = (collection.rows("train").targets == 1).long()
    assert_close(model.labels.cooccurrence, present.T @ present)
    few = rare_labels(rows.names, rows.targets)
    of_epoch = {**outcome.validation, "epoch": 1, "left_out": {}, "few": few}
    assert (model.facts["data"], model.facts["validation"]) == (facts["data"], of_epoch)


def test_without_selection_the_last_epoch_is_kept_whatever_the_validation_says(
    collection, tmp_path
):
    diary = Diary()
    outcome = run(collection, tmp_path, diary, selection="last", lr=0.05)
    assert outcome.epoch == 2
    assert outcome.validation == diary.epochs[-1]
    model = load_model(outcome.model)
    _, fitted = validated(model, collection)
    np.testing.assert_allclose(model.decision.thresholds, fitted.thresholds)


@pytest.mark.parametrize(
    ("system", "settings", "unlabelled", "message"),
    [
        ("gcam", {}, None, "with a label, to choose the epoch by, got none among 0"),
        ("gcam", {}, 0, f"to choose the epoch by, got none among {VAL}"),
        ("gcam", {}, -1, f"to choose the epoch by, got none among {VAL}"),
        ("warp", {}, None, "scores of warp only rank"),
        ("rnn-attention", {"objective": "softmax_mse"}, None, "scores of rnn-attention only rank"),
        ("knn", {}, None, "choose the settings of knn"),
    ],
)
def test_a_run_that_needs_validation_photos_with_labels_refuses_to_start_without(
    collection, tmp_path, system, settings, unlabelled, message
):
    recipe = tiny_recipe(system, selection="best" if system == "gcam" else "last")
    recipe = recipe.model_copy(update={"settings": recipe.settings.model_copy(update=settings)})
    rows = without("val", collection)
    if unlabelled is not None:
        rows = with_targets(collection, "val", torch.full_like(collection.targets, unlabelled))
    with pytest.raises(DataError, match=f"expected a photo of the split 'val' .*{message}"):
        train_run(rows, recipe, tmp_path, RUNTIME, log=Diary())
    assert not list(tmp_path.iterdir())


def test_a_run_without_training_photos_is_refused(collection, tmp_path):
    with pytest.raises(DataError, match="photos of the split 'train', got 12 val, 8 test"):
        run(without("train", collection), tmp_path)


def test_test_rows_are_not_read(collection, trained, tmp_path):
    gone = (*collection.paths[:-TEST], *[tmp_path / "gone.png"] * TEST)
    inverted = with_targets(collection, "test", 1 - collection.targets)
    outcome = run(replace(inverted, paths=gone), tmp_path, lr=0.05)
    assert_same_weights(outcome, trained[0])
    assert outcome.validation == trained[0].validation


def test_the_moving_average_forgets_the_first_weights_quickly_and_is_validated(
    collection, tmp_path
):
    # A step an epoch. The first is taken over whole, the second counts 1 - 2 / 11 instead of 0.1.
    settings = ({"epochs": 1}, {"epochs": 2}, {"epochs": 2, "average": 0.9})
    one_step, two_steps, average = (
        run(collection, tmp_path / str(i), batch_size=TRAIN, **changes)
        for i, changes in enumerate(settings)
    )
    assert (two_steps.epoch, average.epoch) == (1, 1)
    first, second, averaged = (
        load_model(outcome.model).system.state_dict() for outcome in (one_step, two_steps, average)
    )
    expected = {name: first[name].lerp(second[name], 9 / 11) for name in first}
    assert_close(averaged, expected)
    assert any(not torch.allclose(expected[name], second[name]) for name in second)
    ap, _ = validated(load_model(average.model), collection)
    assert 100 * mean_over_labels(ap)[0] == pytest.approx(average.validation["mAP"])


def test_ctrl_c_leaves_the_best_model_so_far(collection, tmp_path):
    outcome = run(collection, tmp_path / "1", Diary(interrupt_at=STEPS + 1), epochs=50)
    whole = run(collection, tmp_path / "2", epochs=1)
    assert outcome.interrupted
    assert (outcome.epoch, outcome.validation) == (0, whole.validation)
    assert_same_weights(outcome, whole)


def test_ctrl_c_before_the_first_validation_is_passed_on(collection, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(collection, tmp_path / "run", Diary(interrupt_at=STEPS))
    assert not (tmp_path / "run" / "model").exists()


def test_ctrl_c_while_a_model_is_written_leaves_the_one_before(collection, tmp_path, monkeypatch):
    save = tagsight.training.run_folder.save_model

    def interrupt_save(number: int) -> None:
        """Press Ctrl-C when the so-manieth better model is about to be written."""
        saved = []

        def save_or_interrupt(*values, **named) -> None:
            saved.append(values)
            if len(saved) == number:
                raise KeyboardInterrupt
            save(*values, **named)

        monkeypatch.setattr(tagsight.training.run_folder, "save_model", save_or_interrupt)

    interrupt_save(1)
    with pytest.raises(KeyboardInterrupt):
        run(collection, tmp_path / "first")
    interrupt_save(2)
    diary = Diary()
    outcome = run(collection, tmp_path / "second", diary, epochs=50)
    assert outcome.interrupted
    assert outcome.validation["mAP"] < diary.epochs[-1]["mAP"]
    assert load_model(outcome.model).facts["validation"]["epoch"] == outcome.epoch + 1


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (8, r"not finite at step \d+ \(labels [\w.+]+, consistency .*lower `training\.lr`"),
        # The only step of the epoch has a finite loss and ruins the weights.
        (TRAIN, r"logits of the validation photos are not finite after epoch 1; try a lower"),
    ],
)
def test_numbers_that_are_not_finite_stop_the_run_before_a_model_is_saved(
    collection, tmp_path, size, message
):
    with pytest.raises(FloatingPointError, match=message):
        run(collection, tmp_path / "run", batch_size=size, lr=1e30)
    assert not (tmp_path / "run" / "model").exists()


class Diverging(ResNet):
    """Well until half of the training is done."""

    def losses(self, images, targets, progress=1.0):
        terms = super().losses(images, targets, progress)
        return terms if progress < 0.5 else {"labels": terms["labels"] * torch.nan}


def test_a_run_that_diverges_later_keeps_its_last_good_model(collection, tmp_path, monkeypatch):
    monkeypatch.setitem(HOMES, "diverging", f"{__name__}:Diverging")
    diary = Diary()
    with pytest.raises(FloatingPointError, match=rf"step {STEPS + 1} \(labels nan;"):
        run(collection, tmp_path, diary, system="diverging", epochs=2)
    assert load_model(tmp_path / "model").facts["validation"]["mAP"] == diary.epochs[0]["mAP"]
    assert diary.notes == [f"the model of epoch 1 is kept in {tmp_path / 'model'}"]


def test_where_validation_can_rank_no_label_the_last_epoch_is_kept(collection, tmp_path):
    everything = with_targets(collection, "val", torch.ones_like(collection.targets))
    outcome = run(everything, tmp_path)
    assert outcome.epoch == 2
    labels = len(collection.names)
    assert outcome.validation == {"mAP": None, "labels_counted": 0, "labels": labels}
    recorded = load_model(outcome.model).facts["validation"]
    assert recorded["left_out"] == {"without_negative": list(collection.names)}


def test_a_label_without_a_training_photo_does_not_choose_the_epoch(collection, tmp_path):
    targets = collection.targets.long()
    untrained = torch.cat([torch.zeros_like(targets[:, :1]), targets[:, 1:]], 1)
    outcome = run(with_targets(collection, "train", untrained), tmp_path)
    ap, _ = validated(load_model(outcome.model), collection)
    others, counted = mean_over_labels(ap[1:])
    assert 100 * others == pytest.approx(outcome.validation["mAP"])
    assert outcome.validation["labels_counted"] == counted


def test_photos_of_which_no_label_is_known_train_maps_and_without_any_nothing_changes(
    collection, tmp_path
):
    scale = Change(("system", "consistency", "transforms"), "scale", "--transforms")
    both = Change(("training", "unjudged"), "consistency", "--training.unjudged")
    recipe, diaries = tiny_recipe("gcam"), (Diary(), Diary(), Diary())
    rest = collection.rows("test").paths
    plain, none, some = (
        train_run(collection, changed(recipe, changes), out, RUNTIME, log=diary, unjudged=unjudged)
        for changes, unjudged, out, diary in (
            ([scale], rest, tmp_path / "plain", diaries[0]),
            ([scale, both], (), tmp_path / "none", diaries[1]),
            ([scale, both], rest, tmp_path / "some", diaries[2]),
        )
    )
    assert_same_weights(none, plain)
    first, other = diaries[0].steps[0].losses, diaries[2].steps[0].losses
    assert other["labels"] == pytest.approx(first["labels"], rel=1e-5)
    assert other["consistency"] != pytest.approx(first["consistency"], rel=1e-3)
    assert len(diaries[2].steps) == len(diaries[0].steps)
    assert some.model.is_dir()


@pytest.mark.parametrize(("system", "weight"), [("resnet", None), ("gcam", 0.0), ("knn", None)])
def test_a_system_without_a_consistency_loss_refuses_photos_without_known_labels(system, weight):
    changes = [Change(("training", "unjudged"), "consistency", "--training.unjudged")]
    if weight is not None:
        changes.append(Change(("system", "consistency", "weight"), weight, "--weight"))
    with pytest.raises(DataError, match=f"expected `training.unjudged=ignore` for {system} as"):
        changed(tiny_recipe(system), changes)
