"""A system of another package: found by its entry point, and named where it is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from collection import TINY_OPTIONS, write_collection

from tagsight.errors import DataError
from tagsight.systems import catalogue
from tagsight.systems.catalogue import SYSTEMS

ROOT = Path(__file__).parents[2]
NAMES = ("dog", "frisbee", "person", "grass", "sky")
RUN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import tiny
from tagsight.cli import main
sys.exit(main(sys.argv[1:]))
"""


def example() -> str:
    """The system of the how-to."""
    page = (ROOT / "docs" / "how-to" / "add-a-system.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return block


def write_package(folder: Path, module: str) -> Path:
    """A package as an installer leaves it."""
    facts = folder / "directions-1.0.dist-info"
    facts.mkdir(parents=True)
    (folder / "directions.py").write_text(module, encoding="utf-8")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: directions\nVersion: 1.0\n")
    points = "[tagsight.systems]\ndirection = directions:Direction\n"
    (facts / "entry_points.txt").write_text(points)
    return folder


def tagsight(*arguments: str, cwd: Path, package: Path | None) -> subprocess.CompletedProcess[str]:
    here = [str(package)] if package else []
    paths = os.pathsep.join([*here, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", RUN, str(ROOT / "tests"), *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_it_is_listed_trained_tagged_and_exported_and_missed_by_name(tmp_path):
    package = write_package(tmp_path / "site", example())
    labels = write_collection(tmp_path / "photos", names=NAMES)
    photo = str(tmp_path / "photos" / "000.png")
    train = ("train", str(labels), "--recipe", "direction-cpu", "--out", "run", *TINY_OPTIONS)
    for arguments, expected in (
        (("systems",), "direction       Linear classifiers of length one"),
        (("recipes",), "direction-cpu"),
        (train, "mAP"),
        (("tag", "run/model", photo), "000.png"),
        (("export", "run/model", photo, "--out", "model.onnx"), "model.onnx"),
        (("tag", "model.onnx", photo), "000.png"),
    ):
        done = tagsight(*arguments, cwd=tmp_path, package=package)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    missed = tagsight("tag", "run/model", photo, cwd=tmp_path, package=None)
    assert missed.returncode == 2
    assert "its class is Direction in the module directions" in missed.stderr


def test_an_entry_point_that_is_no_system_is_refused_by_its_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(write_package(tmp_path / "site", "Direction = 3\n"))
    catalogue._plug_ins.cache_clear()
    try:
        with pytest.raises(DataError, match=r"'direction': expected a subclass of .*, got 3"):
            SYSTEMS["direction"]
    finally:
        catalogue._plug_ins.cache_clear()
