from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from channels import channels_model
from tiny import drawn, label_space, saved_photos, tiny_system

from tagsight.cli import main
from tagsight.inference.exporting import export_model
from tagsight.inference.recognizer import Recognizer
from tagsight.tagging.ray import RayTagger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ray.cluster_utils import Cluster

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and photos of which one cannot be read."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "photos").mkdir()
    photos = saved_photos(folder / "photos", drawn(6)[0])
    photos[2].write_bytes(b"no photo")
    model = channels_model(tiny_system("gcam"), names=label_space().names)
    export_model(model, folder / "model.onnx", photos[:1])
    return folder


def tag(world: Path, *options: str) -> str:
    command = [sys.executable, "-m", "tagsight", "tag", "model.onnx", "photos", *options]
    done = subprocess.run(
        command, cwd=world, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stderr  # for the photo that is left out
    return done.stderr


def test_a_cluster_writes_the_lines_that_one_process_writes(world):
    written = {}
    for engine in ("plain", "ray"):
        lines, problems = world / f"{engine}.jsonl", world / f"{engine}.csv"
        files = ["--out", str(lines), "--problems", str(problems)]
        said = tag(world, "--write", "jsonl", "--all-scores", "--engine", engine, *files)
        assert "5 photos tagged, 1 left out" in said
        written[engine] = lines.read_bytes(), problems.read_bytes()
    assert written["ray"] == written["plain"]
    assert written["ray"][0].count(b"\n") == 5


def test_a_cluster_tags_sidecars_that_can_be_taken_back(world):
    journal = ["--journal", str(world / "journal.sqlite")]
    tag(world, "--write", "txt", "--top", "1", "--engine", "ray", "--workers", "1", *journal)
    assert len(list((world / "photos").glob("*.txt"))) == 5
    assert main(["undo", *journal]) == 0
    assert not list((world / "photos").glob("*.txt"))


@pytest.fixture
def raylets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of two machines, as far as Ray can tell, with two workers each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    cluster.add_node(num_cpus=2)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings
def test_a_worker_and_a_raylet_that_are_killed_lose_and_repeat_no_photo(world, tmp_path, raylets):
    model, log = world / "model.onnx", tmp_path / "log"
    photos = [tmp_path / f"{number:04}.png" for number in range(2_000)]
    for number, photo in enumerate(photos):
        photo.hardlink_to(world / "photos" / f"00{number % 6}.png")

    def load() -> Recognizer:
        recognizer = Recognizer.load(model, workers=1, batch_size=8)
        answers = recognizer.answers

        def logged(paths):
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")
            return answers(paths)

        recognizer.answers = logged
        return recognizer

    def pids() -> list[int]:
        return list(map(int, log.read_text().split()))

    def told(tagger: Recognizer | RayTagger) -> Iterator[tuple[Path, list[float]]]:
        for labels in tagger.recognize(photos, on_error=lambda path, _: left_out.append(path)):
            yield labels.path, labels.scores.tolist()

    left_out: list[Path] = []
    recognizer = Recognizer.load(model, workers=1, batch_size=8)
    expected, unreadable = list(told(recognizer)), left_out.copy()
    left_out.clear()
    found = []
    for answer in told(RayTagger(load, recognizer)):
        found.append(answer)
        if len(found) == 1:
            before = pids()
            os.kill(before[0], signal.SIGKILL)
            (other,) = raylets.worker_nodes
            raylets.remove_node(other, allow_graceful=False)
    assert found == expected
    assert left_out == unreadable
    assert len(before) < len(photos) // 8  # some were left to do
    assert set(pids()) - set(before)  # by a worker that replaced a killed one
