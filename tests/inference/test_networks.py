"""Exported files at work: the same answers as torch, without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
from programs import python
from tiny import label_space

import tagsight
from tagsight.checkpoint.folder import save_model
from tagsight.errors import DataError
from tagsight.inference.networks import open_network
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.device import Runtime

ENDINGS = (".onnx", ".xml")
WITHOUT_TORCH = """
import sys

class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "timm", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

sys.meta_path.insert(0, Nobody())
"""


def without_torch(code: str) -> str:
    """What a process that has no torch writes to standard error."""
    return python("-c", f"{WITHOUT_TORCH}{code}\nassert 'torch' not in sys.modules").stderr


@pytest.fixture(scope="module")
def trained(model) -> Recognizer:
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")), batch_size=4)


@pytest.fixture(scope="module", params=ENDINGS)
def file(request, sound) -> Path:
    return sound[request.param]


@pytest.fixture(scope="module")
def exported(file) -> Recognizer:
    return Recognizer.load(file, batch_size=4)


def test_a_file_describes_the_model_and_its_regions(exported, trained, photos):
    assert exported.info == trained.info
    np.testing.assert_array_equal(exported.decision.thresholds, trained.decision.thresholds)
    for result, expected in zip(*(r.recognize(photos) for r in (exported, trained)), strict=True):
        np.testing.assert_allclose(result.scores, expected.scores, atol=1e-3)
        assert result.photo_size == expected.photo_size
    for region in ((0, 0, 200, 90), (10, 5, 60, 40)):
        found, expected = (each.embed_region(photos[0], region) for each in (exported, trained))
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_answers_stay_when_the_next_ones_come(exported, photos):
    first, second = (exported(photo).maps for photo in photos[:2])
    np.testing.assert_array_equal(first, exported(photos[0]).maps)
    assert not np.array_equal(first, second)


def test_what_a_file_cannot_do_is_said_in_a_sentence(exported, file, photos):
    for use, message in (
        (lambda: exported.grad_cam(photos[0], [0]), "expected a model folder for Grad-CAM, got "),
        (lambda: exported.add_labels(["violet"]), r"model folder to add the labels \['violet'\]"),
        (lambda: tagsight.export(exported, "m.onnx"), "a model folder, which torch runs, got an e"),
        (lambda: open_network(file, device="abacus"), "a device of (ONNX R|OpenVINO).*'abacus'"),
    ):
        with pytest.raises(DataError, match=message):
            use()
    if file.suffix == ".onnx":
        with pytest.raises(DataError, match=r"expected `precision=float32` .* got 'float16'"):
            open_network(file, precision="float16")


@pytest.mark.parametrize("ending", ENDINGS)
def test_other_files_are_refused(ending, tmp_path):
    file = tmp_path / f"m{ending}"
    with pytest.raises(DataError, match=r"expected an exported model at .*, which does not exist"):
        open_network(file)
    file.write_bytes(b"no model at all")
    with pytest.raises(DataError, match="expected a file exported by tagsight, got"):
        open_network(file)


SERVED = """
from pathlib import Path
from tagsight.inference.recognizer import Recognizer
from tagsight.server.app import create_app
from tagsight.server.service import Service
from fastapi.testclient import TestClient

app = create_app(Service(Recognizer.load({file!r})))
with TestClient(app, base_url="http://localhost") as client:
    assert client.get("/v1/model").json()["system"] == "channels"
    photo = Path({photo!r}).read_bytes()
    answer = client.post("/v1/predict?heatmaps=true", files={{"photos": photo}})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["photos"][0]["scores"]) == {names!r}
"""


@pytest.mark.slow
def test_torch_is_never_imported_by_commands_nor_by_a_server(file, photos, tmp_path):
    given, index, journal = photos[0].parent, tmp_path / "index", tmp_path / "journal.sqlite"
    commands = [
        ["tag", file, given, "--write", "jsonl", "--out", tmp_path / "tags.jsonl"],
        ["tag", file, given, "--write", "xmp", "--sidecar-dir", tmp_path, "--journal", journal],
        ["explain", file, photos[0], "--out", tmp_path / "evidence"],
        ["index", file, given, "--out", index],
        ["search", index, "--like", photos[1], "--region", "0,0,20,20"],
        ["search", index, "--where", "red or not red"],
    ]
    lines = [list(map(str, command)) for command in commands]
    run = f"from tagsight.cli import main\nfor c in {lines}: assert main(c) == 0, c"
    names = set(label_space().names)
    without_torch(run + SERVED.format(file=str(file), photo=str(photos[0]), names=names))
    tags = [json.loads(line) for line in (tmp_path / "tags.jsonl").read_text().splitlines()]
    assert sorted(tag["path"] for tag in tags) == sorted(map(str, photos))
    assert (tmp_path / "evidence" / "wide.png").is_file()


def test_without_torch_a_model_folder_is_refused_in_a_sentence(model, tmp_path):
    recipe = model.recipe.model_copy(update={"system": "gcam", "settings": model.system.config})
    save_model(tmp_path / "model", model.system, model.labels, model.decision, recipe, {})
    command = ["tag", str(tmp_path / "model"), str(tmp_path)]
    told = without_torch(f"from tagsight.cli import main; assert main({command}) == 2")
    assert "expected the extra 'torch' for this" in told
    assert "Traceback" not in told
