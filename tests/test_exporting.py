from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from channels import channels_model, corner
from tiny import TINY, drawn, label_space, saved_photos, tiny_system

from tagsight.checkpoint import LoadedModel, load_model, save_model
from tagsight.errors import DataError
from tagsight.exported_graph import ExportedGraph, GraphOutputs
from tagsight.exporting import compare, export_model
from tagsight.model_info import ModelInfo
from tagsight.networks import open_network
from tagsight.systems import SYSTEMS


def model_of(name: str) -> LoadedModel:
    return channels_model(tiny_system(name), names=label_space().names, temperature=1.5)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    corner("red", (200, 90)).save(folder / "wide.png")
    corner("blue", (20, 400)).save(folder / "narrow.png")
    return [folder / "wide.png", folder / "narrow.png", *saved_photos(folder, drawn(6)[0])]


@pytest.mark.parametrize("name", [n for n, system in SYSTEMS.items() if not system.portable])
def test_systems_that_are_no_graph_are_refused(name: str, photos: list[Path], tmp_path: Path):
    with pytest.raises(DataError, match="expected a system that ONNX can express, got KNN"):
        export_model(model_of(name), tmp_path / "m.onnx", photos)


@pytest.mark.parametrize("name", [n for n, system in SYSTEMS.items() if system.portable])
def test_every_system_says_the_same_as_a_file(name: str, photos: list[Path], tmp_path: Path):
    agreement = export_model(model_of(name), tmp_path / "m.onnx", photos)
    assert agreement.photos == len(photos)
    assert agreement.scores < 0.01
    assert agreement.maps < 0.02
    assert agreement.embedding < 0.01
    assert agreement.decisions > 0.97


def test_input_that_is_not_normalised_stays_so_in_folder_and_file(photos, tmp_path: Path):
    plain = TINY.model_copy(update={"normalization": "none"})
    model = channels_model(tiny_system("resnet", backbone=plain), names=label_space().names)
    change = {"system": "resnet", "settings": model.system.config}
    recipe = model.recipe.model_copy(update=change)
    facts, folder = dict(model.facts), tmp_path / "model"
    save_model(folder, model.system, model.labels, model.decision, recipe, facts)
    read = load_model(folder)
    assert not read.system.backbone.mean.any()
    assert export_model(read, tmp_path / "m.onnx", photos).scores < 0.01
    assert compare(model, open_network(tmp_path / "m.onnx"), photos).scores < 0.01
    assert "- input: values in [0, 1], not normalised" in (folder / "README.md").read_text()


def test_the_file_takes_batches_and_sizes_that_it_has_not_seen(photos, tmp_path: Path):
    export_model(model_of("gcam"), tmp_path / "m.onnx", photos)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    generator = np.random.default_rng(0)
    for count, height, width in ((1, 32, 32), (5, 77, 300), (3, 640, 20)):
        batch = generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        scores, maps, embedding, logits, features = session.run(None, {"photos": batch})
        assert scores.shape == logits.shape == (count, 5)
        assert maps.shape[:2] == (count, 5)
        assert embedding.shape == (count, 24)
        assert features.shape == (count, 24, *maps.shape[2:])
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits / 1.5)), atol=1e-6)
        one = session.run(None, {"photos": batch[:1]})[0]
        np.testing.assert_allclose(one[0], scores[0], atol=1e-5)


@pytest.mark.parametrize("name", ["gcam", "ml-gcn", "a-gcn"])
def test_what_depends_on_labels_alone_is_a_constant(name: str, photos, tmp_path: Path):
    model = model_of(name)
    export_model(model, tmp_path / "m.onnx", photos[:1])
    constants = {one.name for one in onnx.load(tmp_path / "m.onnx").graph.initializer}
    assert any(name.startswith("label_graph.") for name, _ in model.system.named_parameters())
    assert not [name for name in constants if "label_graph" in name]


def test_the_file_says_how_it_is_to_be_read(photos, tmp_path: Path):
    model = model_of("resnet")
    export_model(model, tmp_path / "m.onnx", photos)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    text = session.get_modelmeta().custom_metadata_map["tagsight"]
    said = ModelInfo.model_validate_json(text)
    assert said.model == model.digest
    assert said.labels == model.labels.names
    assert said.fitted_decision().temperature == 1.5
    assert said.card.startswith("# channels: which of 5 labels")


def test_a_file_that_says_something_else_is_not_delivered(photos, tmp_path: Path, monkeypatch):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"of yesterday")
    real = ExportedGraph.forward

    def wrong(graph: ExportedGraph, images: torch.Tensor) -> GraphOutputs:
        outputs = real(graph, images)
        return outputs._replace(logits=outputs.logits * 0.5)

    monkeypatch.setattr(ExportedGraph, "forward", wrong)
    with pytest.raises(DataError, match=r"within 0.01 of the model's, got a difference of 0\."):
        export_model(model_of("resnet"), file, photos)
    assert file.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_differences_are_found(photos, tmp_path: Path):
    model = model_of("resnet")
    export_model(model, tmp_path / "m.onnx", photos)
    with torch.no_grad():
        for parameter in model.system.parameters():
            parameter.mul_(1.3)
    agreement = compare(model, open_network(tmp_path / "m.onnx"), photos)
    assert agreement.scores > 0.01
    assert agreement.embedding > 0.1
