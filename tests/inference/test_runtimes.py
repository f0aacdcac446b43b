"""A model folder in the runtime that is fastest here: the same results, by files made here only."""

import copy
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import python
from test_exporting import model_of
from tiny_run import Diary

import tagsight
from tagsight.checkpoint.config import CARD, CONFIG, WEIGHTS
from tagsight.checkpoint.folder import LoadedModel, load_model, save_model
from tagsight.cli import main
from tagsight.errors import DataError
from tagsight.inference import runtime_cache
from tagsight.inference.exporting import delivering, written_onnx
from tagsight.inference.fastest import export_for
from tagsight.inference.networks.folder_file import FolderFileNetwork
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.opening import opened_model
from tagsight.inference.recognizer import Recognizer
from tagsight.inference.runtime_cache import KEPT, Choice, RuntimeCache
from tagsight.inference.runtimes import is_quick_to_compare, open_model
from tagsight.runtime.device import Runtime

pytest.importorskip("openvino", reason="needs the extra openvino")
pytest.importorskip("onnxscript", reason="needs the extra export")

RUNS_ON = {"onnx": "ONNX Runtime", "openvino": "OpenVINO", "torch": "torch"}
ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """A cache of each test, in place of the user's."""
    monkeypatch.setattr(runtime_cache, "default_cache", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "runtimes"


def other_than(model: LoadedModel) -> LoadedModel:
    """A model with other weights and the same settings."""
    system = copy.deepcopy(model.system)
    with torch.no_grad():
        next(system.parameters()).add_(0.1)
    return replace(model, system=system)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def saved(model: LoadedModel, folder: Path) -> Path:
    change = {"system": "resnet", "settings": model.system.config}
    recipe = model.recipe.model_copy(update=change)
    save_model(folder, model.system, model.labels, model.decision, recipe, {})
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> LoadedModel:
    return load_model(saved(model_of("resnet"), tmp_path_factory.mktemp("saved") / "model"))


@pytest.fixture(scope="module")
def sound(model, tmp_path_factory) -> dict[str, Path]:
    """The model as a file for each runtime, by ending."""
    folder = tmp_path_factory.mktemp("sound")
    files = {ending: folder / f"model{ending}" for ending in ENDINGS.values()}
    with written_onnx(model, squares=True) as graph:
        for file in files.values():
            with delivering(graph, file):
                pass
    return files


@pytest.fixture
def folder(model, tmp_path) -> Path:
    return saved(model, tmp_path / "model")


def with_file(folder: Path, sound: dict[str, Path], runtime: str = "openvino") -> RuntimeCache:
    """The cache of a model, with a file of the model and its runtime chosen."""
    cache = RuntimeCache.of(folder)
    cache.add(runtime, sound[ENDINGS[runtime]])
    cache.remember(Choice(runtime=runtime, reason="for the test"))
    return cache


def test_runtimes_are_compared_once_and_the_choice_is_said_in_one_line(folder):
    first, again = Diary(), Diary()
    open_model(folder, measure=True, log=first)
    cache, notes = RuntimeCache.of(folder), first.notes
    choice = cache.choice()
    network = open_model(folder, measure=True, log=again)
    assert network.runs_on == RUNS_ON[choice.runtime]
    assert notes[-1] == f"runtime: {choice.reason}"
    assert again.notes == notes[-1:]
    assert choice.reason.startswith(network.runs_on)
    assert "photos/s" in choice.reason
    expected = {"openvino": {"model.xml", "model.bin"}, "onnx": {"model.onnx"}, "torch": set()}
    assert files_in(cache.place / cache.model) == {"choice.json", *expected[choice.runtime]}
    assert files_in(folder) == {CONFIG, WEIGHTS, CARD}
    assert isinstance(open_model(folder, precision="bfloat16"), TrainedNetwork)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.usefixtures("exported_once")
def test_a_folder_decides_alike_in_every_runtime(runtime, folder, photos, tmp_path):
    trained = tagsight.load(folder, runtime="torch")
    fast = tagsight.load(folder, runtime=runtime)
    assert (fast.network.runs_on, fast.network.place) == (RUNS_ON[runtime], folder)
    assert fast.info == trained.info
    for got, expected in zip(fast.recognize(photos), trained.recognize(photos), strict=True):
        np.testing.assert_allclose(got.scores, expected.scores, atol=1e-4)
        np.testing.assert_array_equal(got.predicted, expected.predicted)
    np.testing.assert_allclose(fast.grad_cam(photos[0], [0]), trained.grad_cam(photos[0], [0]))
    runs = Runtime.choose("cpu", "float32")
    assert opened_model(fast, runs).digest == opened_model(trained, runs).digest
    lines = []
    for chosen in ("torch", runtime):
        out = tmp_path / f"{chosen}.csv"
        given = [str(folder), str(photos[0].parent), "--runtime", chosen]
        assert main(["tag", *given, "--write", "csv", "--out", str(out)]) == 0
        lines.append(out.read_text())
    assert lines[0] == lines[1]


def test_padding_reaches_a_graph_of_squares(photos, tmp_path):
    folder = saved(model_of("resnet", "fit"), tmp_path / "model")
    fast, trained = (Recognizer.load(folder, runtime=name) for name in ("openvino", "torch"))
    for got, expected in zip(fast.recognize(photos), trained.recognize(photos), strict=True):
        np.testing.assert_allclose(got.scores, expected.scores, atol=1e-4)


def test_a_choice_is_of_one_model_and_of_one_machine(model, folder, sound, monkeypatch):
    cache = with_file(folder, sound)
    assert isinstance(open_model(folder), FolderFileNetwork)
    with monkeypatch.context() as patch:
        patch.setattr("tagsight.inference.runtime_cache.machine", lambda: "another")
        assert (cache.choice(), cache.file("openvino")) == (None, None)
    config, before = folder / CONFIG, (folder / CONFIG).read_text()
    config.write_text(before.replace('"facts": {', '"facts": {"changed": 1', 1))
    assert RuntimeCache.of(folder).choice() is None
    with pytest.raises(DataError, match=r"expected the model that was opened in .*, got another"):
        export_for(folder, "onnx", cache, Diary())
    config.write_text(before)
    saved(other_than(model), folder)  # trained again
    assert RuntimeCache.of(folder).choice() is None


def test_no_file_of_a_model_folder_is_run(model, folder, sound):
    cache = with_file(folder, sound)
    there = folder.parent / "elsewhere"
    shutil.copytree(folder, there)
    for name in (".runtimes", "runtimes", "cache"):
        shutil.copytree(cache.place, there / name)
        shutil.copytree(cache.place / cache.model, there / name, dirs_exist_ok=True)
    assert open_model(there).runs_on == "OpenVINO"  # its content is what was exported here
    cache.forget()
    assert open_model(there).runs_on == "torch"
    with_file(folder, sound)
    assert open_model(saved(other_than(model), there)).runs_on == "torch"


def test_the_models_used_last_are_kept(own_cache):
    caches = [RuntimeCache(f"{number:064x}", "", own_cache) for number in range(KEPT + 1)]
    choice = Choice(runtime="torch", reason="for the test")
    for age, cache in enumerate(reversed(caches[:KEPT])):
        cache.remember(choice)
        os.utime(own_cache / cache.model, (1000 - age, 1000 - age))
    assert caches[0].choice() == choice  # now used last, instead of longest ago
    caches[KEPT].remember(choice)
    assert [cache.choice() for cache in caches] == [choice, None, *[choice] * (KEPT - 1)]


def test_a_cache_that_takes_no_entry_says_so(tmp_path, own_cache):
    exported, cache = tmp_path / "m.onnx", RuntimeCache("0", "", own_cache)
    exported.write_bytes(b"model")
    own_cache.mkdir(parents=True, exist_ok=True)
    (own_cache / cache.model).write_text("a file where the model's folder has its place")
    with pytest.raises(DataError, match="expected a cache that takes new entries, got one at"):
        cache.add("onnx", exported)


def test_a_file_is_added_while_another_removes_the_model(own_cache, tmp_path):
    exported, cache = tmp_path / "m.onnx", RuntimeCache("0", "", own_cache)
    exported.write_bytes(b"exported")
    ended = threading.Event()
    with ThreadPoolExecutor(1) as other:
        other.submit(lambda: [cache.forget() for _ in iter(ended.is_set, True)])
        try:
            places = {cache.add("onnx", exported) for _ in range(20)}
        finally:
            ended.set()
    assert {cache.add("onnx", exported)} == places == {cache.file("onnx")}


def test_a_damaged_file_is_not_used_and_torch_goes_on(folder, sound, photos):
    cache, notes = with_file(folder, sound), Diary()
    weights = cache.file("openvino").with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-1])
    network = open_model(folder, log=notes)
    assert network.runs_on == "torch"
    assert notes.notes[0].startswith("runtime: torch, as the exported file cannot be used: expect")
    assert cache.choice() is None
    assert Recognizer(network)(photos[0]).names == network.info.labels


def test_a_file_of_another_model_is_not_used(model, folder, sound):
    other = saved(other_than(model), folder.parent / "other")
    with_file(other, sound)
    notes = Diary()
    assert open_model(other, log=notes).runs_on == "torch"
    assert "of another model" in notes.notes[0]


def test_without_a_cache_torch_goes_on_and_a_runtime_asked_for_is_refused(folder, own_cache):
    own_cache.parent.write_text("no folder")
    notes = Diary()
    assert open_model(folder, measure=True, log=notes).runs_on == "torch"
    assert "compared with it: expected a folder that can be written" in notes.notes[-1]
    with pytest.raises(DataError, match="expected a folder that can be written"):
        open_model(folder, runtime="onnx")


KILLED = """
import os, signal, sys
from pathlib import Path
from tagsight.inference import runtime_cache

def half(source, target):
    target.write_bytes(Path(source).read_bytes()[:100])
    os.kill(os.getpid(), signal.SIGKILL)

runtime_cache.shutil.copyfile = half
runtime_cache.default_cache = lambda: Path(sys.argv[3])
runtime_cache.RuntimeCache.of(Path(sys.argv[1])).add("onnx", Path(sys.argv[2]))
"""


def test_a_file_half_written_is_never_used(folder, sound, own_cache):
    python("-c", KILLED, folder, sound[".onnx"], own_cache.parent, code=-signal.SIGKILL)
    assert [path for path in own_cache.rglob("model.onnx") if path.stat().st_size == 100]
    assert RuntimeCache.of(folder).file("onnx") is None
    with_file(folder, sound, "onnx")
    assert open_model(folder).runs_on == "ONNX Runtime"


def test_a_system_that_cannot_be_exported_is_run_by_torch(folder, monkeypatch):
    monkeypatch.setattr("tagsight.systems.resnet.ResNet.portable", False)
    notes = Diary()
    assert open_model(folder, measure=True, log=notes).runs_on == "torch"
    assert notes.notes[-1] == "runtime: torch: expected a system that ONNX can express, got ResNet"
    with pytest.raises(DataError, match="expected a system that ONNX can express, got ResNet"):
        open_model(folder, runtime="openvino")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_an_exported_file_is_run_by_its_own_runtime(runtime, sound):
    with pytest.raises(DataError, match=rf"expected a model folder .*runtime={runtime}.*\.onnx"):
        open_model(sound[".onnx"], runtime=runtime)
    assert open_model(sound[".onnx"], runtime="onnx").runs_on == "ONNX Runtime"


def test_a_runtime_that_is_not_installed_is_named(folder, monkeypatch):
    monkeypatch.setattr("tagsight.inference.runtimes.find_spec", lambda _: None)
    with pytest.raises(DataError, match="expected the extra 'openvino' for `runtime=openvino`"):
        open_model(folder, runtime="openvino")
    assert open_model(folder, measure=True).runs_on == "torch"


def test_models_of_thousands_of_labels_are_not_compared_while_a_server_waits(
    folder, tmp_path, monkeypatch
):
    assert is_quick_to_compare(folder)
    monkeypatch.setattr("tagsight.inference.runtimes.MANY_LABELS", 1)
    assert not is_quick_to_compare(folder)
    assert is_quick_to_compare(Path("a.onnx"))
    with pytest.raises(DataError, match="expected a model folder"):
        is_quick_to_compare(tmp_path / "nothing")
