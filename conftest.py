"""What all tests share, those in docstrings too: a seed, caches of their own, and a small world."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from _pytest.doctest import DoctestItem
from hypothesis import HealthCheck, settings
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.tagging.labelling.session import Session


settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # no law depends on how fast the machine is

LONGEST = (
    *("inference/test_exporting", "test_documents", "test_paper_recipes", "test_commands"),
    *("checkpoint/released/test_convert", "test_examples", "test_distributed"),
    *("systems/test_plug_in", "test_ray", "training/test_resume", "test_contract"),
    *("test_hostile_names", "inference/test_quantization", "inference/test_networks", "test_cli"),
    *("test_journey", "inference/test_hostile_models", "search/test_index", "nn/test_backbones"),
    *("tagging/sidecars/test_xmp", "nn/test_grid_encoder", "systems/test_catalogue"),
    *("data/photos/test_deaths", "tagging/test_unfinished"),
    *("experiments/test_reproduction", "test_surface", "experiments/test_comparison"),
)
"""Files of tests that take over six seconds of a processor, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that all processes end together."""
    order = {f"tests/{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.location[0], len(LONGEST)))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class _Shuffled:
    """Entries of a folder as `os.scandir` gives them, in the order of a hash of their names."""

    def __init__(self, folder: Path | str | bytes | int = ".") -> None:
        with SCANDIR(folder) as entries:
            self._entries = iter(sorted(entries, key=lambda entry: _shuffling(entry.name)))

    def __iter__(self) -> _Shuffled:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> _Shuffled:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


SCANDIR, LISTDIR = os.scandir, os.listdir


def _shuffling(name: str | bytes) -> int:
    return zlib.crc32(os.fsencode(name))


@pytest.fixture(autouse=True, scope="session")
def _folders_in_no_order() -> Iterator[None]:
    """List folders in an order that is neither that of names nor that of one machine's disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", _Shuffled)
        patch.setattr(os, "listdir", lambda *folder: sorted(LISTDIR(*folder), key=_shuffling))
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _few_resamples() -> Iterator[None]:
    """Spare reports most resamples of their rates' intervals, which take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagsight.evaluation.evaluate.RATE_RESAMPLES", 10)
        yield


@pytest.fixture(autouse=True)
def _place_of_examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each example in an empty folder, or where the files are that it names."""
    if isinstance(request.node, DoctestItem):
        dtest = request.node.dtest
        code = "" if dtest is None else "".join(example.source for example in dtest.examples)
        if "exiftool" in code and shutil.which("exiftool") is None:
            pytest.skip("exiftool is not installed")
        named = re.search(r'"(photos|labels\.csv|runs|index)\b', code)
        monkeypatch.chdir(request.getfixturevalue("world_of_examples" if named else "tmp_path"))
        if dtest is not None and dtest.name.startswith("tagsight.server.labelling"):
            dtest.globs["session"] = request.getfixturevalue("session_of_examples")
        for place in ("tiny", "compared"):
            if f'"runs/{place}' in code:
                request.getfixturevalue(f"_{place}_of_examples")
        if '"runs/tiny' in code and "written_onnx" not in code:
            request.getfixturevalue("_traced_once_in_examples")


@pytest.fixture(scope="session")
def traced_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], AbstractContextManager[None]]:
    """Make a context in which a model is traced the first time it is exported, in seconds."""
    from tagsight.inference.exporting import written_onnx
    from tagsight.inference.networks.trained import describe

    folder, kept = tmp_path_factory.mktemp("graphs"), dict[str, Path]()

    @contextmanager
    def once(model: LoadedModel, *, squares: bool = False) -> Iterator[Path]:
        what = f"{squares}{describe(model).model_dump_json()}"
        if what not in kept:
            with written_onnx(model, squares=squares) as graph:
                kept[what] = Path(shutil.copy(graph, folder / f"{len(kept)}.onnx"))
        yield kept[what]

    @contextmanager
    def tracing() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module in ("exporting", "fastest", "quantization"):
                patch.setattr(f"tagsight.inference.{module}.written_onnx", once)
            yield

    return tracing


@pytest.fixture
def _traced_once_in_examples(
    traced_once: Callable[[], AbstractContextManager[None]],
) -> Iterator[None]:
    with traced_once():
        yield


@pytest.fixture(scope="session")
def world_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make ``photos/``, ``labels.csv`` with the labels dog and sky, and a model."""
    import tagsight as ts

    world = tmp_path_factory.mktemp("world")
    (world / "photos").mkdir()
    random, lines = np.random.default_rng(0), ["image,split,dog,sky"]
    for number in range(24):
        dog, sky = number % 2, number // 2 % 2
        pixels = random.integers(0, 60, (96, 128, 3), dtype=np.uint8)
        pixels[:40, :, 2] += np.uint8(180 * sky)
        pixels[56:, 32:96, 0] += np.uint8(180 * dog)
        name = "dog.jpg" if number == 1 else f"{number:02}.jpg"
        Image.fromarray(pixels).save(world / "photos" / name)
        split = ("train", "train", "train", "train", "val", "test")[number // 4]
        lines.append(f"photos/{name},{split},{dog},{sky}")
    (world / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ts.train(
        world / "labels.csv",
        recipe="resnet",
        out=world / "runs" / "first",
        epochs=2,
        settings={"training.image_size": 64, "backbone.name": "efficientnet_lite0"},
        progress=False,
    )
    return world


@pytest.fixture(scope="session")
def session_of_examples(
    world_of_examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """Open a project of ``photos/``, of which nothing is encoded yet."""
    from tagsight.runtime.device import Runtime
    from tagsight.tagging.labelling.encoder import PhotoEncoder
    from tagsight.tagging.labelling.project import Project
    from tagsight.tagging.labelling.session import Session

    encoder = PhotoEncoder.choose(Runtime.choose("cpu"))
    with Project(tmp_path_factory.mktemp("project"), world_of_examples / "photos") as project:
        session = Session(project, encoder)
        yield session
        session.thumbnails.close()


@pytest.fixture(scope="session")
def _tiny_of_examples(
    world_of_examples: Path, traced_once: Callable[[], AbstractContextManager[None]]
) -> None:
    """Make ``runs/tiny/model``, whose encoder is small, and the files it is exported as."""
    import tagsight as ts
    from tagsight.checkpoint.folder import load_model
    from tagsight.inference import exporting

    folder = world_of_examples / "runs" / "tiny"
    encoder = {"name": "test_resnet", "weights": "none", "frozen_stages": 0}
    ts.train(
        world_of_examples / "labels.csv",
        recipe="resnet",
        out=folder,
        epochs=1,
        settings={"training.image_size": 32, **{f"backbone.{k}": v for k, v in encoder.items()}},
        progress=False,
    )
    with traced_once(), exporting.written_onnx(load_model(folder / "model")) as graph:
        for ending in (".onnx", ".xml"):
            with exporting.delivering(graph, folder / f"model{ending}"):
                pass


@pytest.fixture(scope="session")
def _compared_of_examples(world_of_examples: Path) -> None:
    """Make ``runs/compared``, a comparison of one system that takes no training."""
    import tagsight as ts

    ts.compare(
        world_of_examples / "labels.csv",
        out=world_of_examples / "runs" / "compared",
        systems=["knn"],
        seeds=1,
        settings={"training.image_size": 64},
        progress=False,
    )
