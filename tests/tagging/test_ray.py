from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from channels import channels_model
from tiny import drawn, label_space, saved_photos, tiny_system

from tagsight.cli import main
from tagsight.inference.exporting import export_model

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
