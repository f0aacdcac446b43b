import hashlib
import json
import logging
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import drawn, label_space, tiny_system
from tiny_run import tiny_recipe
from torch.testing import assert_close

import tagsight.checkpoint.folder
from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.config import BackboneConfig, Recipe, SystemConfig
from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.nn.encoder_weights import EMBEDDED
from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS, build_system

LABELS = label_space()
DECISION = Decision(np.array([0.1, 0.2, 1 / 3, 0.4, 1.0]), 1.7)
FACTS = {"data": {"hash": "ab12", "photos": {"train": 7}}, "validation": {"mAP": 71.5}}


def recipe_of(system: str, settings: SystemConfig) -> Recipe:
    return tiny_recipe(system).model_copy(update={"settings": settings})


def saved(folder: Path, name: str = "resnet", facts: object = FACTS) -> System:
    system = tiny_system(name)
    save_model(folder, system, LABELS, DECISION, recipe_of(name, system.config), facts)
    return system


def assert_answers_as(system: System, loaded: System, images: torch.Tensor) -> None:
    with torch.no_grad():
        assert_close(tuple(loaded(images)), tuple(system(images)), rtol=0, atol=0)


@pytest.fixture
def model(tmp_path) -> Path:
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


def seal(model: Path) -> None:
    """As a hostile or broken program would: the digest fits."""
    content = (model / "model.safetensors").read_bytes()
    change_config(model, weights_sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("name", ["resnet", "gcam", "ml-zsl", "order-free-rnn", "srn", "knn"])
def test_a_model_comes_back_bit_for_bit(tmp_path, name):
    system = saved(tmp_path / "model", name).eval()
    loaded = load_model(tmp_path / "model")
    assert_answers_as(system, loaded.system, drawn(3)[0])
    assert loaded.recipe.settings == system.config
    assert loaded.labels.names == LABELS.names
    for tensor in ("vectors", "cooccurrence", "photos"):
        assert torch.equal(getattr(loaded.labels, tensor), getattr(LABELS, tensor))
    assert loaded.decision.as_dict(LABELS.names) == DECISION.as_dict(LABELS.names)
    assert loaded.facts == FACTS
    assert not any(module.training for module in loaded.system.modules())


def test_a_model_comes_back_whatever_its_file_begins_with(model):
    # The file begins with the length of its header, a multiple of 8: 32 first bytes there can be.
    file, system = model / "model.safetensors", load_model(model).system
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    for first in range(0, 256, 8):
        blanks = (first - length) % 256
        start = (length + blanks).to_bytes(8, "little") + content[8 : 8 + length]
        file.write_bytes(start + b" " * blanks + content[8 + length :])
        assert file.read_bytes()[0] == first
        seal(model)
        assert_answers_as(system, load_model(model).system, drawn(2)[0])


@pytest.mark.parametrize("grid", ["last", "middle"])
def test_the_embedded_encoder_comes_back_without_its_imagenet_weights(
    tmp_path, monkeypatch, caplog, grid
):
    labels = LabelSpace(LABELS.names, None, LABELS.cooccurrence, LABELS.photos)
    backbone = BackboneConfig(name=EMBEDDED, grid=grid)
    recipe = recipe_of("resnet", SYSTEMS["resnet"].Config(backbone=backbone))
    system = build_system(recipe, labels).eval()
    save_model(tmp_path, system, labels, DECISION, recipe, {})
    monkeypatch.setattr("tagsight.nn.encoder_weights._installed_weights", lambda _: 1 / 0)
    state = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        loaded = load_model(tmp_path)
    assert not caplog.records
    assert torch.equal(torch.get_rng_state(), state)
    assert_answers_as(system, loaded.system, torch.rand(2, 3, 64, 64))
    assert loaded.labels.vectors is None
    assert loaded.recipe.settings.backbone.weights == "imagenet"
    trained, again = (
        [name for name, parameter in one.named_parameters() if parameter.requires_grad]
        for one in (system, loaded.system)
    )
    assert again == trained


def test_the_folder_has_weights_readable_settings_and_a_card(model):
    files = sorted(path.name for path in model.iterdir())
    assert files == ["README.md", "config.json", "model.safetensors"]
    card = (model / "README.md").read_text()
    for said in ("| red | 0.100 |", "ab12", "71.5", "32 x 32", "1.700", "tagsight tag"):
        assert said in card
    config = json.loads((model / "config.json").read_text())
    assert (config["format"], config["labels"]) == (1, list(LABELS.names))
    assert config["preprocessing"] == {"image_size": 32, "resize": "warp"}
    assert config["decision"]["thresholds"]["green"] == pytest.approx(0.2)


def test_numbers_that_json_does_not_have_are_recorded_as_null(tmp_path):
    saved(tmp_path / "model", facts={"validation": {"mAP": float("nan"), "AP": [float("inf")]}})
    assert load_model(tmp_path / "model").facts == {"validation": {"mAP": None, "AP": [None]}}


def test_a_crash_while_saving_leaves_the_model_of_before(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    before = saved(folder)
    (folder / "notes.txt").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(tagsight.checkpoint.folder, "model_card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            saved(folder, "gcam")
    assert_close(load_model(folder).system.state_dict(), before.state_dict(), rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == [folder]
    saved(folder, "gcam")
    assert load_model(folder).recipe.system == "gcam"
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_crash_between_two_renames_leaves_a_model_that_loads(model):
    model.rename(model.with_name(".model.previous"))
    assert load_model(model).recipe.system == "resnet"
    saved(model, "gcam")
    assert load_model(model).recipe.system == "gcam"


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(DataError, match="got a folder with other files; choose another `out`"):
        saved(tmp_path)
    with pytest.raises(DataError, match="expected a folder for the model, got the file"):
        saved(tmp_path / "holiday.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def written(file: Path, content: bytes = b"") -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return file


def without_weights(model: Path) -> Path:
    (model / "model.safetensors").unlink()
    return model


def absurdly_large(model: Path) -> Path:
    os.truncate(model / "config.json", 2**40)
    return model


def weights_of_another(model: Path) -> Path:
    saved(model.with_name("other"))
    (model.with_name("other") / "model.safetensors").replace(model / "model.safetensors")
    return model


def cut(keep: int):
    def shorten(model: Path) -> Path:
        file = model / "model.safetensors"
        return written(file, file.read_bytes()[:keep]).parent

    return shorten


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: m / "nowhere", r"expected a model folder at .*nowhere, which does not exist"),
        (lambda m: m / "config.json", r"got the file .*config.json; did you mean .*/model\?"),
        (lambda m: m.parent, r"without \['config.json', .*did you mean .*/model\?"),
        (without_weights, r"without \['model.safetensors'\]$"),
        (lambda m: written(m / "m.safetensors", b"\x80\x02"), "got the file .*m.safetensors"),
        (lambda m: written(m / "m.safetensors", b"PK\x03\x04"), "got the file .*m.safetensors"),
        (
            lambda m: written(written(m / "m.xml").with_suffix(".bin")),
            r"got the weights .*m.bin; did you mean .*m.xml\?",
        ),
        (
            lambda m: written(m.with_name("other") / "checkpoint.pt").parent,
            "checkpoint.pt is a pickle, which is never loaded",
        ),
        (absurdly_large, r"expected at most 8,388,608 bytes in .*config.json"),
        (cut(4), r"model.safetensors: truncated or not safetensors .*again"),
        (cut(-100), r"model.safetensors: truncated or not safetensors .*again"),
        (weights_of_another, "modified since config.json was written, or of another"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(model, make, said):
    with pytest.raises(DataError, match=said):
        load_model(make(model))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("name", "writer", "said"),
    [
        ("model.pkl", pickle.dump, "refusing to load a pickle"),
        ("M.PTH", torch.save, "refusing to load a pickle"),
        ("model.safetensors", pickle.dump, r"model\.safetensors: truncated or not safetensors"),
    ],
)
def test_a_pickle_is_refused_unread(model, monkeypatch, name, writer, said):
    monkeypatch.chdir(model)
    with (model / name).open("wb") as file:
        writer(Bomb(), file)
    with pytest.raises(DataError, match=said):
        load_model(model if name == "model.safetensors" else model / name)
    assert not (model / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "EOF"),
        (b'{"format": NaN}', "expected value"),
        (b"[" * 100_000, "recursion limit"),
        (b"[]", "with their 'format', got something else"),
        (b'{"format": "1"}', "with their 'format', got something else"),
        (b'{"format": 0}', "format: expected 1, got 0"),
        (b'{"format": 1}', "tagsight: field required"),
        (b'{"format": 2, "tagsight": "9.9"}', r"written by a newer tagsight \('9.9'\) in format 2"),
    ],
)
def test_settings_that_are_none_are_refused(model, content, said):
    (model / "config.json").write_bytes(content)
    with pytest.raises(DataError, match=f"(?i)config.json: .*{said}"):
        load_model(model)


TWO = {"labels": ["red", "green"], "decision__thresholds": {"red": 0.5, "green": 0.5}}
SAME = {"labels": ["red"] * 5, "decision__thresholds": {"red": 0}}
HUGE = {"recipe__settings__backbone__name": "convnextv2_huge"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe__system": "yolo"}, "expected one of the systems .* got 'yolo'"),
        ({"recipe__settings__pooling": "sum"}, "pooling: expected 'average' or 'max', got 'sum'"),
        (SAME, "expected each of the labels once"),
        (TWO, r"expected 'labels.vectors' of all labels in config.json, \[2, 7\]"),
        ({"recipe__training__image_size": 64}, "expected preprocessing.image_size to be 64"),
        ({"recipe__settings__backbone__name": "hf-hub:evil/model"}, "'hf-hub:evil/model'"),
        # Refused before it is made.
        (HUGE, r"some [6-9]\d\d,\d{3},\d{3} numbers of the encoder 'convnextv2_huge', got"),
        (
            {"preprocessing__resize": "crop"},
            "expected preprocessing.resize to be warp as in recipe.training, got crop",
        ),
        ({"decision__thresholds": {"red": 0.5}}, "expected one threshold for each label"),
        ({"decision__thresholds__red": 7}, r"expected thresholds in \[0, 1\]"),
    ],
)
def test_settings_that_do_not_fit_are_refused(model, changes, said):
    change_config(model, **changes)
    with pytest.raises(DataError, match=f"model(/config.json|/model.safetensors)?: .*{said}"):
        load_model(model)


def put(name: str, *shape: int, fill: float = 0, dtype: torch.dtype = torch.float32):
    return lambda tensors: tensors.update({name: torch.full(shape, fill, dtype=dtype)})


def leave_out(name: str):
    return lambda tensors: tensors.pop(name)


COUNTS, BIAS = "labels.cooccurrence", "classifier.bias"
MEMORY = [
    (put("targets", 5, 16, fill=2, dtype=torch.int8), r"stored targets in \{1, 0, -1\}, got other"),
    (put("remembered", 15, 24), r"in 1 tensor: .* 'targets' of shape \[5, 15\], got \[5, 16\]"),
    (put("remembered", 16, 23), r"expected 'remembered' of shape \[16, 24\], got \[16, 23\]"),
    (put("remembered", 2**40, 0), r"of shape \[1099511627776, 24\], got \[1099511627776, 0\]"),
    (leave_out("remembered"), "'remembered' .* got none"),
    (put("remembered", 16 * 24), r"expected 'remembered' of shape \[0, 24\], got \[384\]"),
]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("resnet", leave_out(BIAS), r"'classifier.bias' of shape \[5\], got none"),
        ("resnet", put("extra", 2), r"'extra' of shape none, got \[2\]"),
        ("resnet", put("classifier.weight", 5, 23), r"weight' of shape \[5, 24\], got \[5, 23\]"),
        ("resnet", put(BIAS, 5, dtype=torch.int64), "bias' of torch.float32, got torch.int64"),
        ("resnet", put(BIAS, 5, fill=np.nan), "expected finite weights, .* 'classifier.bias'"),
        ("resnet", leave_out("labels.photos"), r"'labels.photos' of all labels .* got none"),
        ("resnet", put(COUNTS, 5, 4, dtype=torch.int64), r"'labels.cooccurrence' .* got \[5, 4\]"),
        ("resnet", put("labels.photos", 5), r"photos' .*, \[5\] of I64, got \[5\] of F32"),
        ("resnet", put("labels.vectors"), r"'labels.vectors' of all labels"),
        ("gcam", lambda t: t[COUNTS].fill_diagonal_(0), "expected each label's own count"),
        *((name, *row) for name, kind in SYSTEMS.items() if kind.remembers for row in MEMORY),
    ],
)
def test_tensors_that_do_not_fit_are_refused_in_one_sentence(tmp_path, name, change, said):
    model = tmp_path / "model"
    saved(model, name)
    tensors = load_file(model / "model.safetensors")
    change(tensors)
    save_file(tensors, model / "model.safetensors")
    seal(model)
    with pytest.raises(DataError, match=rf"model(\.safetensors)?: .*{said}") as refused:
        load_model(model)
    assert "\n" not in str(refused.value)
