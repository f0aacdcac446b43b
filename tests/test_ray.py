"""Photos recognised on a Ray cluster: what comes of it is what one process makes of them."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from channels import channels_model
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tiny import TINY, drawn, label_space, saved_photos, tiny_system
from tiny_run import RUNTIME, tiny_recipe

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.cli import main
from tagsight.data.annotations import Annotations
from tagsight.errors import DataError
from tagsight.evaluation import cluster as evaluation_cluster
from tagsight.evaluation.cluster import predict_on_cluster
from tagsight.evaluation.evaluate import measured
from tagsight.inference.cluster import RayRecognizer
from tagsight.inference.exporting import export_model
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.attempts import MOST_DEATHS
from tagsight.runtime.cluster import PART, Answer, RayCluster, paths_of
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import index_photos

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own settings
]

MANY = 2_000


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with two models, and photos of which one cannot be read."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "photos").mkdir()
    photos = saved_photos(folder / "photos", drawn(6)[0])
    photos[2].write_bytes(b"no photo")
    model = channels_model(tiny_system("gcam"), names=label_space().names)
    export_model(model, folder / "model.onnx", photos[:1])
    labels = label_space()
    # An encoder that every process knows, as those of the cluster do not import these tests.
    backbone = TINY.model_copy(update={"name": "test_resnet"})
    recipe = tiny_recipe("resnet", {"backbone": backbone})
    system = tiny_system("resnet", backbone=backbone)
    save_model(folder / "model", system, labels, Decision.default(len(labels)), recipe, {})
    return folder


READABLE = (0, 1, 3, 4, 5)


def many(world: Path, folder: Path, among: Sequence[int] = range(6)) -> list[Path]:
    """Links to some of the photos, by turns."""
    photos = [folder / f"{number:04}.png" for number in range(MANY)]
    for number, photo in enumerate(photos):
        photo.hardlink_to(world / "photos" / f"00{among[number % len(among)]}.png")
    return photos


@pytest.fixture
def told(world, monkeypatch, capsys) -> Callable[..., str]:
    """What a command of the world writes to standard error."""
    monkeypatch.chdir(world)

    def run(command: str, *options: str) -> str:
        capsys.readouterr()
        assert main([command, "model.onnx", "photos", *options]) == 1  # a photo is left out
        return capsys.readouterr().err

    return run


def test_a_cluster_writes_the_lines_that_one_process_writes(world, told):
    written = {}
    for engine in ("plain", "ray"):
        lines, problems = world / f"{engine}.jsonl", world / f"{engine}.csv"
        files = ["--out", str(lines), "--problems", str(problems)]
        said = told("tag", "--write", "jsonl", "--all-scores", "--engine", engine, *files)
        assert "5 photos tagged, 1 left out" in said
        written[engine] = lines.read_bytes(), problems.read_bytes()
    assert written["ray"] == written["plain"]
    assert written["ray"][0].count(b"\n") == 5


def test_a_cluster_tags_sidecars_that_can_be_taken_back(world, told):
    journal = ["--journal", str(world / "journal.sqlite")]
    told("tag", "--write", "txt", "--top", "1", "--engine", "ray", "--workers", "1", *journal)
    assert len(list((world / "photos").glob("*.txt"))) == 5
    assert main(["undo", *journal]) == 0
    assert not list((world / "photos").glob("*.txt"))


def test_a_cluster_fills_the_index_that_one_process_fills(world, told):
    found = {}
    for engine in ("plain", "ray"):
        options = ["--out", f"index-{engine}", "--engine", engine]
        assert "5 new" in told("index", *options)
        found[engine] = rows(SearchIndex.open(world / f"index-{engine}"))
    assert found["ray"] == found["plain"]
    assert len(found["ray"]) == 5


def rows(index: SearchIndex) -> dict[str, tuple[object, ...]]:
    """Everything that an index knows of each photo; its vector by the likeness to two others."""
    ends = [torch.zeros(index.facts.length).index_fill(0, torch.tensor(i), 1) for i in (0, 1)]
    likeness = [
        {hit.path: hit.likeness for hit in index.like(end.numpy(), 2 * MANY)} for end in ends
    ]
    known = index.known(list(index.paths()))
    return {
        str(hit.path): (
            known[str(hit.path)],
            hit.labels,
            hit.scores.tolist(),
            [one[hit.path] for one in likeness],
        )
        for hit in index.having(None, 2 * MANY)
    }


def test_a_cluster_measures_what_one_process_measures(world, monkeypatch, capsys):
    monkeypatch.chdir(world)
    names = label_space().names
    lines = [
        f"photos/00{i}.png,{','.join(str(i + 1 >> j & 1) for j in range(5))}" for i in READABLE
    ]
    Path("labels.csv").write_text("\n".join([",".join(["image", *names]), *lines]) + "\n")
    reports = {}
    for engine in ("plain", "ray"):
        options = ["--engine", engine, "--against", "model", "--views", "flip", "--device", "cpu"]
        assert main(["evaluate", "model", "labels.csv", "--json", f"{engine}.json", *options]) == 0
        reports[engine] = figures(json.loads(Path(f"{engine}.json").read_text()))
    capsys.readouterr()
    assert reports["ray"] == reports["plain"]
    assert reports["ray"]["photos"] == 5


def figures(report: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in report.items() if name != "photos_per_second"}


@pytest.fixture
def raylets(monkeypatch) -> "Iterator[Cluster]":
    """A cluster of two machines, as far as Ray can tell, with two workers each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    cluster.add_node(num_cpus=2)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


class Logged:
    """Loads a recognizer that notes which process works."""

    def __init__(self, model: Path, log: Path) -> None:
        self.model, self.log = model, log

    def plain(self) -> Recognizer:
        return Recognizer.load(self.model, workers=1, batch_size=8)

    def loader(self) -> Callable[[], Recognizer]:
        model, log = self.model, self.log

        def load() -> Recognizer:
            recognizer = Recognizer.load(model, workers=1, batch_size=8)
            answers = recognizer.answers

            def logged(paths):
                with log.open("a") as file:
                    file.write(f"{os.getpid()}\n")
                return answers(paths)

            recognizer.answers = logged
            return recognizer

        return load

    def pids(self) -> list[int]:
        return list(map(int, self.log.read_text().split()))


def kill_one_and_a_machine(pid: int, raylets: "Cluster") -> None:
    os.kill(pid, signal.SIGKILL)
    (other,) = raylets.worker_nodes
    raylets.remove_node(other, allow_graceful=False)


def test_a_worker_and_a_raylet_that_are_killed_lose_and_repeat_no_photo(world, tmp_path, raylets):
    logged, photos = Logged(world / "model.onnx", tmp_path / "log"), many(world, tmp_path)
    left_out: list[Path] = []

    def answers(tagger: Recognizer | RayRecognizer) -> Iterator[tuple[Path, list[float]]]:
        for labels in tagger.recognize(photos, on_error=lambda path, _: left_out.append(path)):
            yield labels.path, labels.scores.tolist()

    recognizer = logged.plain()
    expected, unreadable = list(answers(recognizer)), left_out.copy()
    left_out.clear()
    found = []
    for answer in answers(RayRecognizer(logged.loader(), recognizer)):
        found.append(answer)
        if len(found) == 1:
            before = logged.pids()
            kill_one_and_a_machine(before[0], raylets)
    assert found == expected
    assert left_out == unreadable
    assert len(before) < len(photos) // 8  # some were left to do
    assert set(logged.pids()) - set(before)  # by a worker that replaced a killed one


def test_an_index_that_loses_a_worker_and_a_raylet_has_every_photo_once(world, tmp_path, raylets):
    logged, photos = Logged(world / "model.onnx", tmp_path / "log"), many(world, tmp_path)
    recognizer = logged.plain()
    length = recognizer.info.embedding_size
    half = (0.5,) * len(recognizer.labels)
    facts = Facts("model", recognizer.info.model, recognizer.labels, half, length)
    plain, shared = (SearchIndex.create(tmp_path / name, facts) for name in ("plain", "shared"))
    assert index_photos(recognizer, photos, plain).left_out == MANY // 6
    before: list[int] = []

    def on_photo(photo: Path) -> None:
        # Photos that cannot be read are told of as soon as they are met.
        if not before:
            before.extend(logged.pids())
            kill_one_and_a_machine(before[0], raylets)

    done = index_photos(
        RayRecognizer(logged.loader(), recognizer), photos, shared, on_photo=on_photo
    )
    assert (done.new, done.left_out) == (len(plain), MANY // 6)
    assert len(shared) == len(plain)
    assert rows(shared) == rows(plain)
    assert len(before) < MANY // 8
    assert set(logged.pids()) - set(before)


def test_a_report_is_the_same_although_a_worker_and_a_raylet_are_killed(world, tmp_path, raylets):
    psutil = pytest.importorskip("psutil", reason="finds the processes of Ray")
    photos = many(world, tmp_path, READABLE)
    targets = drawn(5)[1].repeat(MANY // 5, 1)
    collection = Annotations(tuple(label_space().names), tuple(photos), targets, None, "csv")
    model = load_model(world / "model")
    killed: list[int] = []

    def workers() -> set[int]:
        running = psutil.process_iter(["name", "cmdline"])
        return {p.pid for p in running if "MapWorker" in " ".join(p.info["cmdline"] or ())}

    def advance(done: int) -> None:
        if not killed and done < MANY:
            killed.extend(workers())
            kill_one_and_a_machine(killed[0], raylets)

    predict = partial(predict_on_cluster, cluster=RayCluster())
    found = measured(model, collection, RUNTIME, predict=predict, progress=advance)
    expected = measured(model, collection, RUNTIME)
    assert killed
    assert found.logits.shape == expected.logits.shape
    assert torch.allclose(found.logits, expected.logits, atol=1e-5)
    assert figures(found.report) == figures(expected.report)


def test_what_the_machines_of_a_cluster_do_not_have_is_told_in_one_sentence(world, monkeypatch):
    recognizer = Recognizer.load(world / "model.onnx")
    other = RayRecognizer(lambda: Recognizer.load(world / "model"), recognizer, workers=1)
    with pytest.raises(DataError, match=r"and can use the same files, got: another model at"):
        list(other.recognize([world / "photos" / "000.png"]))
    model = load_model(world / "model")
    gone = [world / "photos" / "gone.png"]
    targets = torch.zeros(1, len(label_space()), dtype=torch.long)
    nowhere = Annotations(tuple(label_space().names), tuple(gone), targets, None, "csv")
    predict = partial(predict_on_cluster, cluster=RayCluster(1))
    with pytest.raises(DataError, match=r"the same files, got: .*gone\.png"):
        measured(model, nowhere, RUNTIME, predict=predict)


FATAL = (1, 70)
"""Places of photos of one block that end every process which decodes them."""


@pytest.fixture
def with_fatal(world, tmp_path) -> list[Path]:
    """Photos in two blocks, of which the fatal ones say so in a comment."""
    photos = many(world, tmp_path, READABLE)[: PART + 60]
    for place in FATAL:
        comment = PngInfo()
        comment.add_text("fatal", "yes")
        content = Image.open(photos[place])
        photos[place].unlink()
        content.save(photos[place], pnginfo=comment)
    return photos


def mortal(load: Callable[..., Any], log: Path) -> Callable[..., Any]:
    """Load in a process whose decoder of PNG ends it over a fatal photo, as a fault in C would."""

    def loaded(*arguments: object) -> Any:
        from PIL import Image
        from PIL.PngImagePlugin import PngImageFile

        class Faulty(PngImageFile):
            def load(self):
                if "fatal" in self.info:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().load()

        Image.init()
        Image.OPEN["PNG"] = Faulty, Image.OPEN["PNG"][1]
        with log.open("a") as file:
            file.write("loaded\n")
        return load(*arguments)

    return loaded


def test_a_photo_that_ends_its_processes_is_left_out_and_all_others_come_once(
    world, tmp_path, with_fatal
):
    model, log, told = world / "model.onnx", tmp_path / "log", {}
    recognizer = Recognizer.load(model, batch_size=8)
    load = mortal(lambda: Recognizer.load(model, workers=1, batch_size=8), log)
    shared = RayRecognizer(load, recognizer, workers=2)
    found = shared.recognize(with_fatal, on_error=lambda path, error: told.update({path: error}))
    found = [(labels.path, labels.scores.tolist()) for labels in found]
    others = [path for path in with_fatal if path not in told]
    expected = [(labels.path, labels.scores.tolist()) for labels in recognizer.recognize(others)]
    assert list(told) == [with_fatal[place] for place in FATAL]
    assert all("that no process of the cluster dies of" in str(error) for error in told.values())
    assert [path for path, _ in found] == others
    assert found == expected
    workers, deaths = 2, MOST_DEATHS * (1 + len(FATAL))  # over the block, then over each of them
    assert len(log.read_text().splitlines()) == workers + deaths


def test_what_ends_every_process_is_told_where_nothing_can_be_left_out(
    world, tmp_path, with_fatal, monkeypatch
):
    load = mortal(evaluation_cluster._loaded, tmp_path / "log")
    monkeypatch.setattr(evaluation_cluster, "_loaded", load)
    targets = torch.zeros(len(with_fatal), len(label_space()), dtype=torch.long)
    photos = Annotations(tuple(label_space().names), tuple(with_fatal), targets, None, "csv")
    predict = partial(predict_on_cluster, cluster=RayCluster(1))
    with pytest.raises(DataError, match=r"0001\.png: expected a photo that no process"):
        measured(load_model(world / "model"), photos, RUNTIME, predict=predict)


def test_a_model_that_ends_every_process_is_told():
    def load() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(DataError, match=r"expected a model that no process .* dies of"):
        list(RayCluster(1).answers(load, [Path("/photos/0")], batch_size=16))


def named() -> Callable[[], Answer]:
    """Answer with the names of files."""

    def load() -> Answer:
        def names(files):
            return {"name": np.array([file.name for file in files])}

        return Answer(names, lambda file, reason: {"name": np.array([reason])})

    return load


def test_every_file_comes_once_and_in_order_in_any_number_of_rounds(monkeypatch):
    monkeypatch.setattr("tagsight.runtime.cluster.ROUND", 2 * PART)
    files = [Path(f"/photos/{number}") for number in range(5 * PART + 1)]
    answers = list(RayCluster(1).answers(named(), files, batch_size=16))
    assert [path for answer in answers for path in paths_of(answer)] == files
    assert [name for answer in answers for name in answer["name"]] == [f.name for f in files]


def test_a_batch_that_does_not_divide_a_block_is_refused():
    with pytest.raises(ValueError, match="expected a batch size that divides 128, got 48"):
        list(RayCluster(1).answers(named(), [], batch_size=48))
