from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from channels import channels_model, corner
from PIL import Image
from tiny import drawn, label_space, saved_photos, tiny_system
from torch import nn

from tagsight.checkpoint import LoadedModel
from tagsight.decision import Decision
from tagsight.errors import DataError
from tagsight.exporting import ExportedGraph, compare, export_onnx
from tagsight.systems import SYSTEMS
from tagsight.systems.base import Recognition
from tagsight.transforms import as_float, warp


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
        export_onnx(model_of(name), "digest", tmp_path / "m.onnx", photos)


@pytest.mark.parametrize("name", [n for n, system in SYSTEMS.items() if system.portable])
def test_every_system_says_the_same_as_a_file(name: str, photos: list[Path], tmp_path: Path):
    agreement = export_onnx(model_of(name), "digest", tmp_path / "m.onnx", photos)
    assert agreement.photos == len(photos)
    assert agreement.scores < 0.01
    assert agreement.maps < 0.02
    assert agreement.embedding < 0.01
    assert agreement.decisions > 0.97


def test_the_file_takes_batches_and_sizes_that_it_has_not_seen(photos, tmp_path: Path):
    model = model_of("gcam")
    export_onnx(model, "digest", tmp_path / "m.onnx", photos)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    generator = np.random.default_rng(0)
    for count, height, width in ((1, 32, 32), (5, 77, 300), (3, 640, 20)):
        batch = generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        scores, maps, embedding = session.run(None, {"photos": batch})
        assert scores.shape == (count, 5)
        assert maps.shape[:2] == (count, 5)
        assert embedding.shape == (count, 24)
        one = session.run(None, {"photos": batch[:1]})[0]
        np.testing.assert_allclose(one[0], scores[0], atol=1e-5)


def test_the_file_says_how_it_is_to_be_read(photos, tmp_path: Path):
    model = model_of("resnet")
    export_onnx(model, "digest", tmp_path / "m.onnx", photos)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    said = json.loads(session.get_modelmeta().custom_metadata_map["tagsight"])
    assert said["model"] == "digest"
    assert said["labels"] == list(model.labels.names)
    assert Decision.from_dict(said["decision"], model.labels.names).temperature == 1.5
    assert [output.name for output in session.get_outputs()] == said["outputs"]


def test_resizing_in_the_graph_is_that_of_the_training_to_a_level(photos: list[Path], tmp_path):
    class Shown(nn.Module):
        def forward(self, images: torch.Tensor) -> object:
            return Recognition(images.flatten(1), images[:, :, None, None], images.flatten(1))

    noise = torch.rand(3, 211, 173, generator=torch.Generator().manual_seed(0))
    for path in [*photos, *saved_photos(tmp_path, noise[None])]:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        graph = ExportedGraph(Shown(), 32, 1.0)
        _, _, seen = graph(torch.from_numpy(np.array(photo))[None])
        expected = as_float(warp(photo, 32)[None]).flatten(1)
        apart = (seen - expected).abs()
        assert apart.max() <= 1.01 / 255
        assert (apart > 0).float().mean() < 0.02


def test_a_file_that_says_something_else_is_not_delivered(photos, tmp_path: Path, monkeypatch):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"of yesterday")
    real = ExportedGraph.forward

    def wrong(graph: ExportedGraph, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        scores, maps, embedding = real(graph, images)
        return scores * 0.5, maps, embedding

    monkeypatch.setattr(ExportedGraph, "forward", wrong)
    with pytest.raises(DataError, match=r"within 0.01 of the model's, got a difference of 0\."):
        export_onnx(model_of("resnet"), "digest", file, photos)
    assert file.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_differences_are_found(photos, tmp_path: Path):
    model = model_of("resnet")
    export_onnx(model, "digest", tmp_path / "m.onnx", photos)
    with torch.no_grad():
        for parameter in model.system.parameters():
            parameter.mul_(1.3)
    agreement = compare(model, tmp_path / "m.onnx", photos)
    assert agreement.scores > 0.01
    assert agreement.embedding > 0.1
