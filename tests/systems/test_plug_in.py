"""A system of another package: found by its entry point, and named where it is missing."""

import json
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from collection import TINY_OPTIONS, write_collection

import tagsight
from tagsight.errors import DataError
from tagsight.systems import catalogue
from tagsight.systems.catalogue import SYSTEMS

ROOT = Path(__file__).parents[2]
NAMES = ("dog", "frisbee", "person", "grass", "sky")
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import tiny
from tagsight.cli import main
sys.exit(max(main(words) for words in json.loads(sys.argv[2])))
"""


def written_wheel(folder, module):
    """A package with one system and its entry point, as its author would publish it."""
    facts = "directions-1.0.dist-info"
    files = {
        "directions.py": module,
        f"{facts}/METADATA": "Metadata-Version: 2.1\nName: directions\nVersion: 1.0\n",
        f"{facts}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{facts}/entry_points.txt": "[tagsight.systems]\ndirection = directions:Direction\n",
    }
    record = f"{facts}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    path = folder / "directions-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


class Environment:
    """A virtual environment that has what this one has, tagsight included."""

    def __init__(self, folder):
        venv.create(folder)
        self.python = folder / "bin" / "python"
        (self.site,) = folder.glob("lib/python*/site-packages")
        here = [sysconfig.get_path("purelib"), str(Path(tagsight.__file__).parents[1])]
        (self.site / "here.pth").write_text("\n".join(here) + "\n")

    def tagsight(self, *commands, cwd):
        """Run commands one after another in one process."""
        command = [str(self.python), "-c", RUN, str(ROOT / "tests"), json.dumps(commands)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_it_is_listed_trained_tagged_and_exported_and_missed_by_name(tmp_path):
    environment = Environment(tmp_path / "environment")
    page = (ROOT / "docs" / "how-to" / "add-a-system.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    with ZipFile(written_wheel(tmp_path, example)) as wheel:
        wheel.extractall(environment.site)
    labels = write_collection(tmp_path / "photos", names=NAMES)
    photo = str(tmp_path / "photos" / "000.png")
    done = environment.tagsight(
        ("systems",),
        ("recipes",),
        ("train", str(labels), "--recipe", "direction-cpu", "--out", "run", *TINY_OPTIONS),
        ("tag", "run/model", photo),
        ("export", "run/model", photo, "--out", "model.onnx"),
        ("tag", "model.onnx", photo),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    listed, trained, tagged = (done.stdout.count(s) for s in ("\ndirection", "mAP", "000.png"))
    assert (listed, trained > 0, tagged) == (2, True, 2)
    assert (tmp_path / "model.onnx").is_file()
    for path in environment.site.glob("directions*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    missed = environment.tagsight(("tag", "run/model", photo), cwd=tmp_path)
    assert missed.returncode == 2
    assert "its class is Direction in the module directions" in missed.stderr


def test_an_entry_point_that_is_no_system_is_refused_by_its_name(tmp_path, monkeypatch):
    with ZipFile(written_wheel(tmp_path, "Direction = 3")) as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    catalogue._plug_ins.cache_clear()
    try:
        with pytest.raises(DataError, match=r"'direction': expected a subclass of .*, got 3"):
            SYSTEMS["direction"]
    finally:
        catalogue._plug_ins.cache_clear()
