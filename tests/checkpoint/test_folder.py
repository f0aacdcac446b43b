from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TINY, drawn, label_space, long_named, tiny_system
from torch.testing import assert_close

import tagsight.checkpoint.folder
from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.config import BackboneConfig, Recipe, TrainConfig
from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.nn.encoder_weights import EMBEDDED
from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS, build_system

LABELS = label_space()
DECISION = Decision(np.array([0.1, 0.2, 1 / 3, 0.4, 1.0]), 1.7)
FACTS = {"data": {"hash": "ab12", "photos": {"train": 7}}, "validation": {"mAP": 71.5}}


def recipe_of(system: str, **settings: object) -> Recipe:
    return Recipe(
        name="tiny",
        system=system,
        settings=SYSTEMS[system].Config.model_validate({"backbone": TINY} | settings),
        training=TrainConfig(image_size=32),
        source="tests",
        expectation="none",
    )


def saved(folder: Path, name: str = "resnet", facts: object = FACTS) -> System:
    system = tiny_system(name)
    recipe = recipe_of(name).model_copy(update={"settings": system.config})
    save_model(folder, system, LABELS, DECISION, recipe, facts)
    return system


@pytest.fixture
def model(tmp_path: Path) -> Path:
    saved(tmp_path / "model")
    return tmp_path / "model"


def change_config(model: Path, **values: object) -> None:
    file = model / "config.json"
    config = json.loads(file.read_text())
    for place, value in values.items():
        *path, last = place.split("__")
        table = config
        for key in path:
            table = table[key]
        table[last] = value
    file.write_text(json.dumps(config))


def change_weights(model: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """As a hostile or broken program would: the digest fits."""
    file = model / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    change_config(model, weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize("name", ["resnet", "gcam", "ml-zsl", "order-free-rnn", "srn", "knn"])
def test_a_model_comes_back_bit_for_bit(tmp_path: Path, name: str):
    system = saved(tmp_path / "model", name).eval()
    loaded = load_model(tmp_path / "model")
    images, _ = drawn(3)
    with torch.no_grad():
        assert_close(tuple(loaded.system(images)), tuple(system(images)), rtol=0, atol=0)
    assert loaded.recipe.settings == system.config
    assert loaded.labels.names == LABELS.names
    assert_close(loaded.labels.vectors, LABELS.vectors, rtol=0, atol=0)
    assert torch.equal(loaded.labels.cooccurrence, LABELS.cooccurrence)
    assert torch.equal(loaded.labels.photos, LABELS.photos)
    assert np.array_equal(loaded.decision.thresholds, DECISION.thresholds)
    assert loaded.decision.temperature == DECISION.temperature
    assert loaded.facts == FACTS
    assert not any(module.training for module in loaded.system.modules())


def labels_of(count: int) -> LabelSpace:
    generator = torch.Generator().manual_seed(count)
    targets = (torch.rand(40, count, generator=generator) < 0.4).long()
    vectors = torch.randn(count, 7, generator=generator)
    return LabelSpace.from_targets([f"label {i}" for i in range(count)], targets, vectors)


def header_of(folder: Path, system: str, labels: LabelSpace, letters: int) -> tuple[int, System]:
    """Save a system with a tensor of a long name; give the length of the header, and the system."""
    built = tiny_system(system, labels, backbone=long_named(letters)).eval()
    recipe = recipe_of(system).model_copy(update={"settings": built.config})
    decision = Decision(np.full(len(labels), 0.5), 1.0)
    save_model(folder, built, labels, decision, recipe, {})
    with (folder / "model.safetensors").open("rb") as file:
        return int.from_bytes(file.read(8), "little"), built


@pytest.mark.parametrize("name", ["resnet", "knn"])
def test_a_model_comes_back_whatever_its_file_begins_with(tmp_path: Path, name: str):
    # The file begins with the length of its header, a multiple of 8: 32 first bytes there can be.
    images, seen = drawn(2)[0], set()
    for count, bytes_ in ((3, range(0, 128, 8)), (60, range(128, 256, 8))):
        labels = labels_of(count)
        shortest, _ = header_of(tmp_path / "m", name, labels, 0)
        for first in bytes_:
            length, system = header_of(tmp_path / "m", name, labels, (first - shortest) % 256)
            loaded = load_model(tmp_path / "m")
            with torch.no_grad():
                assert_close(tuple(loaded.system(images)), tuple(system(images)), rtol=0, atol=0)
            seen.add(length % 256)
    assert seen == set(range(0, 256, 8))


def test_the_embedded_encoder_comes_back_without_its_imagenet_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    labels = LabelSpace(LABELS.names, None, LABELS.cooccurrence, LABELS.photos)
    recipe = recipe_of("resnet", backbone=BackboneConfig(name=EMBEDDED))
    system = build_system(recipe, labels).eval()
    save_model(tmp_path, system, labels, DECISION, recipe, {})

    def must_not_be_read(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("tagsight.nn.encoder_weights._installed_weights", must_not_be_read)
    state = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        loaded = load_model(tmp_path)
    assert not caplog.records
    assert torch.equal(torch.get_rng_state(), state)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert_close(tuple(loaded.system(images)), tuple(system(images)), rtol=0, atol=0)
    assert loaded.labels.vectors is None
    assert loaded.recipe.settings.backbone.weights == "imagenet"
    trained = [name for name, p in system.named_parameters() if p.requires_grad]
    assert [name for name, p in loaded.system.named_parameters() if p.requires_grad] == trained


def test_the_folder_has_three_files_and_the_card_says_what_matters(model: Path):
    assert sorted(path.name for path in model.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    card = (model / "README.md").read_text()
    for said in ("| red | 0.100 |", "ab12", "71.5", "32 x 32", "1.700", "tagsight tag"):
        assert said in card


def test_the_settings_are_readable_json(model: Path):
    config = json.loads((model / "config.json").read_text())
    assert config["format"] == 1
    assert config["labels"] == list(LABELS.names)
    assert config["preprocessing"] == {"image_size": 32, "resize": "warp"}
    assert config["decision"]["thresholds"]["green"] == pytest.approx(0.2)


def test_numbers_that_json_does_not_have_are_recorded_as_null(tmp_path: Path):
    saved(tmp_path / "model", facts={"validation": {"mAP": float("nan"), "AP": [float("inf")]}})
    assert load_model(tmp_path / "model").facts == {"validation": {"mAP": None, "AP": [None]}}


def test_a_crash_while_saving_leaves_the_model_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "model"
    before = saved(folder)
    with monkeypatch.context() as patch:
        patch.setattr(tagsight.checkpoint.folder, "model_card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            saved(folder, "gcam")
    assert_close(load_model(folder).system.state_dict(), before.state_dict(), rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == [folder]
    saved(folder, "gcam")
    assert load_model(folder).recipe.system == "gcam"


def test_a_crash_between_two_renames_leaves_a_model_that_loads(model: Path):
    model.rename(model.with_name(".model.previous"))
    assert load_model(model).recipe.system == "resnet"
    saved(model, "gcam")
    assert load_model(model).recipe.system == "gcam"


def test_other_files_in_a_model_folder_stay(model: Path):
    (model / "notes.txt").write_text("mine")
    saved(model)
    assert (model / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(DataError, match="got a folder with other files; choose another `out`"):
        saved(tmp_path)
    with pytest.raises(DataError, match="expected a folder for the model, got the file"):
        saved(tmp_path / "holiday.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_what_is_not_there_is_named(model: Path):
    with pytest.raises(DataError, match=r"expected a model folder at .*nowhere, which does not ex"):
        load_model(model / "nowhere")
    with pytest.raises(DataError, match=r"got the file .*config.json; did you mean .*/model\?"):
        load_model(model / "config.json")
    with pytest.raises(DataError, match=r"without \['config.json', .*did you mean .*/model\?"):
        load_model(model.parent)
    (model / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"without \['model.safetensors'\]$"):
        load_model(model)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(("name", "writer"), [("model.pkl", pickle.dump), ("M.PTH", torch.save)])
def test_a_pickle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, writer: Callable[..., None]
):
    monkeypatch.chdir(tmp_path)
    with (tmp_path / name).open("wb") as file:
        writer(Bomb(), file)
    with pytest.raises(DataError, match="refusing to load a pickle"):
        load_model(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_in_the_place_of_the_weights_is_refused(model: Path):
    with (model / "model.safetensors").open("wb") as file:
        pickle.dump(Bomb(), file)
    with pytest.raises(DataError, match=r"model\.safetensors: truncated or not safetensors"):
        load_model(model)


@pytest.mark.parametrize("start", [b"\x80\x02", b"PK\x03\x04"])
def test_what_a_file_begins_with_does_not_make_it_a_pickle(tmp_path: Path, start: bytes):
    (tmp_path / "m.safetensors").write_bytes(start)
    with pytest.raises(DataError, match=r"expected a model folder, got the file .*m.safetensors"):
        load_model(tmp_path / "m.safetensors")


def test_the_weights_of_an_exported_file_are_told_from_a_pickle(tmp_path: Path):
    for ending in (".xml", ".bin"):
        (tmp_path / f"m{ending}").write_bytes(b"")
    with pytest.raises(DataError, match=r"got the weights .*m.bin; did you mean .*m.xml\?"):
        load_model(tmp_path / "m.bin")


def test_a_folder_with_a_pickle_alone_says_why_it_is_no_model(tmp_path: Path):
    torch.save({}, tmp_path / "checkpoint.pt")
    with pytest.raises(DataError, match=r"checkpoint.pt is a pickle, which is never loaded"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "EOF"),
        (b"\xff\xfe", "expected value"),
        (b'{"format": NaN}', "expected value"),
        (b"[" * 100_000, "recursion limit"),
        (b"[]", "with their 'format', got something else"),
        (b'{"format": "1"}', "with their 'format', got something else"),
        (b'{"format": 0}', "format: expected 1, got 0"),
        (b'{"format": 1}', "tagsight: field required"),
        (b'{"format": 2, "tagsight": "9.9"}', r"written by a newer tagsight \('9.9'\) in format 2"),
    ],
)
def test_settings_that_are_none_are_refused(model: Path, content: bytes, said: str):
    (model / "config.json").write_bytes(content)
    with pytest.raises(DataError, match=f"(?i)config.json: .*{said}"):
        load_model(model)


def test_settings_of_absurd_size_are_refused_unread(model: Path):
    with (model / "config.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"expected at most 8,388,608 bytes in .*config.json"):
        load_model(model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe__system": "yolo"}, "expected one of the systems .* got 'yolo'"),
        ({"recipe__settings__pooling": "sum"}, "pooling: expected 'average' or 'max', got 'sum'"),
        (
            {"labels": ["red"] * 5, "decision__thresholds": {"red": 0}},
            "expected each of the labels once",
        ),
        ({"recipe__settings__depth": 3}, "depth: Extra inputs are not permitted"),
        ({"recipe__training__image_size": 64}, "expected preprocessing.image_size to be 64"),
        ({"recipe__settings__backbone__name": "hf-hub:evil/model"}, "'hf-hub:evil/model'"),
        ({"preprocessing__resize": "crop"}, "preprocessing.resize: expected 'warp', got 'crop'"),
        ({"decision__thresholds": {"red": 0.5}}, "expected one threshold for each label"),
        ({"decision__thresholds__red": 7}, r"expected thresholds in \[0, 1\]"),
        ({"labels": "red"}, "labels: "),
        ({"weights_sha256": "../x"}, "weights_sha256"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
    ],
)
def test_settings_that_do_not_fit_are_refused(model: Path, changes: dict[str, object], said: str):
    change_config(model, **changes)
    with pytest.raises(DataError, match=f"model(/config.json|/model.safetensors)?: .*{said}"):
        load_model(model)


def test_an_encoder_far_larger_than_the_file_is_refused_before_it_is_made(model: Path):
    config = json.loads((model / "config.json").read_text())
    config["recipe"]["settings"]["backbone"]["name"] = "convnextv2_huge"
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="numbers of the encoder 'convnextv2_huge', got") as caught:
        load_model(model)
    assert int(re.findall(r"some ([\d,]+)", str(caught.value))[0].replace(",", "")) > 600_000_000


def test_labels_of_another_number_than_the_weights_are_refused(model: Path):
    names = ["red", "green"]
    change_config(model, labels=names, decision__thresholds=dict.fromkeys(names, 0.5))
    with pytest.raises(
        DataError, match=r"expected 'labels.vectors' of all labels in config.json, \[2, 7\]"
    ):
        load_model(model)


@pytest.mark.parametrize("keep", [4, -100])
def test_truncated_weights_are_refused(model: Path, keep: int):
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"model.safetensors: truncated or not safetensors .*again"):
        load_model(model)


def test_weights_of_another_model_are_refused(model: Path, tmp_path: Path):
    saved(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(model / "model.safetensors")
    with pytest.raises(DataError, match=r"modified since config.json was written, or of another"):
        load_model(model)


def not_finite(tensors: dict[str, torch.Tensor]) -> None:
    tensors["classifier.bias"][0] = float("nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("classifier.bias"), r"'classifier.bias' of shape \[5\], got none"),
        (lambda t: t.update(extra=torch.zeros(2)), r"'extra' of shape none, got \[2\]"),
        (
            lambda t: t.update({"classifier.weight": torch.zeros(5, 23)}),
            r"'classifier.weight' of shape \[5, 24\], got \[5, 23\]",
        ),
        (
            lambda t: t.update({"classifier.bias": torch.zeros(5, dtype=torch.int64)}),
            "'classifier.bias' of torch.float32, got torch.int64",
        ),
        (not_finite, "expected finite weights, got others in 'classifier.bias'"),
        (lambda t: t.pop("labels.photos"), r"'labels.photos' of all labels .* got none"),
        (
            lambda t: t.update({"labels.cooccurrence": torch.zeros(5, 4, dtype=torch.int64)}),
            r"'labels.cooccurrence' of all labels .* got \[5, 4\]",
        ),
        (
            lambda t: t.update({"labels.photos": torch.zeros(5)}),
            r"'labels.photos' of all labels in config.json, \[5\] of I64, got \[5\] of F32",
        ),
        (
            lambda t: t.update({"labels.vectors": torch.zeros(())}),
            r"'labels.vectors' of all labels",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    model: Path, change: Callable[[dict[str, torch.Tensor]], object], said: str
):
    change_weights(model, change)
    with pytest.raises(DataError, match=f"model.safetensors: .*{said}"):
        load_model(model)


def test_a_network_of_absurd_size_is_refused_before_it_is_built(tmp_path: Path):
    saved(tmp_path / "model", "gcam")
    change_config(tmp_path / "model", recipe__settings__graph__hidden=10**12)
    with pytest.raises(DataError, match=r"graph\.hidden: expected a value less than or equal to"):
        load_model(tmp_path / "model")


def test_counts_that_cannot_be_are_refused(tmp_path: Path):
    saved(tmp_path / "model", "gcam")
    change_weights(tmp_path / "model", lambda t: t["labels.cooccurrence"].fill_diagonal_(0))
    with pytest.raises(DataError, match=r"model: expected each label's own count"):
        load_model(tmp_path / "model")


@pytest.fixture(params=[name for name, kind in SYSTEMS.items() if kind.remembers])
def remembering(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    saved(tmp_path / "model", request.param)
    return tmp_path / "model"


def replaced(name: str, tensor: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.update({name: tensor})


SPOILED = {
    "targets": (
        replaced("targets", torch.full((5, 16), 2, dtype=torch.int8)),
        r"expected stored targets in \{1, 0, -1\}, got others",
    ),
    "fewer photos": (
        replaced("remembered", torch.zeros(15, 24)),
        r"in 1 tensor: expected 'targets' of shape \[5, 15\], got \[5, 16\]",
    ),
    "shorter photos": (
        replaced("remembered", torch.zeros(16, 23)),
        r"expected 'remembered' of shape \[16, 24\], got \[16, 23\]",
    ),
    "photos of nothing": (
        replaced("remembered", torch.zeros(2**40, 0)),
        r"expected 'remembered' of shape \[1099511627776, 24\], got \[1099511627776, 0\]",
    ),
    "no photos": (lambda tensors: tensors.pop("remembered"), "'remembered' .* got none"),
    "another dimension": (
        replaced("remembered", torch.zeros(16 * 24)),
        r"expected 'remembered' of shape \[0, 24\], got \[384\]",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_memory_that_was_tampered_with_is_refused_in_one_sentence(remembering: Path, what: str):
    change, message = SPOILED[what]
    change_weights(remembering, change)
    with pytest.raises(DataError, match=message) as refused:
        load_model(remembering)
    assert "\n" not in str(refused.value)
