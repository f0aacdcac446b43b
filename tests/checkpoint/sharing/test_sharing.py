"""Models at other places: what goes there, and that nothing bad comes from there."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from shared_model import shared_model

from tagsight.checkpoint.config import CARD, CONFIG, WEIGHTS
from tagsight.checkpoint.folder import load_model, model_digest
from tagsight.checkpoint.sharing import sharing
from tagsight.checkpoint.sharing.sharing import pull, push
from tagsight.errors import DataError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
PLACE = "memory://models/birds"
FILES = {WEIGHTS, CONFIG, CARD}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return shared_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def bucket():
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    return memory


def test_a_model_that_was_pushed_and_pulled_is_the_same(model, bucket, tmp_path):
    (model / "notes.txt").write_text("mine")
    assert push(model, PLACE, progress=False) == PLACE
    assert {Path(name).name for name in bucket.store} == FILES
    loaded = pull(PLACE, tmp_path / "pulled", progress=False)
    assert loaded.digest == model_digest(model)
    assert {file.name for file in (tmp_path / "pulled").iterdir()} == FILES
    before = load_model(model).system.state_dict()
    for name, tensor in loaded.system.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_the_card_gets_metadata_once(model, bucket, tmp_path):
    push(model, PLACE, progress=False)
    pull(PLACE, tmp_path / "pulled", progress=False)
    push(tmp_path / "pulled", PLACE, progress=False)
    text = bucket.cat(f"{PLACE}/{CARD}").decode()
    _, front, card = text.split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "tagsight"
    assert card.lstrip() == (model / CARD).read_text()


def test_other_files_at_a_place_are_not_written_over(model, bucket):
    bucket.pipe("/models/birds/diary.txt", b"mine")
    with pytest.raises(DataError, match="expected a model or nothing at memory://models/birds"):
        push(model, PLACE, progress=False)
    assert set(bucket.store) == {"/models/birds/diary.txt"}


def too_large(bucket, monkeypatch):
    monkeypatch.setitem(sharing.LARGEST, WEIGHTS, 100)


def damaged(bucket, _):
    content = bucket.cat(f"{PLACE}/{WEIGHTS}")
    bucket.pipe(f"{PLACE}/{WEIGHTS}", content[:-1] + bytes([content[-1] ^ 1]))


def cut_off(bucket, _):
    bucket.pipe(f"{PLACE}/{WEIGHTS}", bucket.cat(f"{PLACE}/{WEIGHTS}")[:-9])


def pickled(bucket, _):
    bucket.pipe(f"{PLACE}/{WEIGHTS}", b"\x80\x04cos\nsystem\n")


def without_weights(bucket, _):
    bucket.rm(f"{PLACE}/{WEIGHTS}")


def strange_settings(bucket, _):
    config = json.loads(bucket.cat(f"{PLACE}/{CONFIG}"))
    config["labels"] = ["../../a"]
    bucket.pipe(f"{PLACE}/{CONFIG}", json.dumps(config).encode())


@pytest.mark.parametrize(
    "spoil", [too_large, damaged, cut_off, pickled, without_weights, strange_settings]
)
def test_a_model_that_is_not_sound_leaves_nothing(spoil, model, bucket, tmp_path, monkeypatch):
    push(model, PLACE, progress=False)
    spoil(bucket, monkeypatch)
    with pytest.raises(DataError, match="memory://models/birds"):
        pull(PLACE, tmp_path / "pulled", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_model_stays_when_a_new_one_is_not_sound(model, bucket, tmp_path):
    push(model, PLACE, progress=False)
    pull(PLACE, tmp_path / "pulled", progress=False)
    damaged(bucket, None)
    with pytest.raises(DataError):
        pull(PLACE, tmp_path / "pulled", progress=False)
    assert load_model(tmp_path / "pulled").digest == model_digest(model)


def test_a_folder_with_other_files_is_not_replaced(model, bucket, tmp_path):
    push(model, PLACE, progress=False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(DataError, match="got a folder with other files"):
        pull(PLACE, tmp_path / "photos", progress=False)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("models/birds", "expected a URL such as hf://owner/name"),
        ("https://example.org/birds", "expected a place that can be written"),
        ("hf://birds", "expected a model as hf://owner/name"),
        ("hf://datasets/me/birds", "expected a model as hf://owner/name"),
        ("s3://bucket/../x", "expected a URL such as s3://place/photos"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(place, sentence, model):
    with pytest.raises(DataError, match=sentence):
        push(model, place, progress=False)
