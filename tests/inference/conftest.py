"""A model, the files it is exported as, and photos, for the tests of this folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from channels import channels_model, corner
from tiny import drawn, label_space, saved_photos, tiny_system

from tagsight.checkpoint.folder import LoadedModel
from tagsight.inference.exporting import ENDINGS, delivering, written_onnx


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    return channels_model(tiny_system("gcam"), names=label_space().names, temperature=1.5)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    corner("red", (200, 90)).save(folder / "wide.png")
    corner("blue", (20, 400)).save(folder / "narrow.png")
    return [folder / "wide.png", folder / "narrow.png", *saved_photos(folder, drawn(6)[0])]


@pytest.fixture(scope="session")
def sound(model, tmp_path_factory) -> dict[str, Path]:
    """The model as a file of each form, by ending."""
    folder = tmp_path_factory.mktemp("sound")
    files = {ending: folder / f"model{ending}" for ending in ENDINGS.values()}
    with written_onnx(model) as graph:
        for file in files.values():
            with delivering(graph, file):
                pass
    return files


@pytest.fixture
def exported_once(monkeypatch, sound):
    """Let the graph of the model be that of its file, instead of being traced again."""

    @contextmanager
    def kept(_: LoadedModel, **_options: bool) -> Iterator[Path]:
        yield sound[".onnx"]

    for room in ("exporting", "fastest", "quantization"):
        monkeypatch.setattr(f"tagsight.inference.{room}.written_onnx", kept)
