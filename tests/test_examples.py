"""The examples run as they stand: scripts on one small collection, notebooks in a kernel."""

import re
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from collection import TINY_SETTINGS, write_collection
from PIL import Image

import tagsight as ts

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALLER = (
    (r"count=\d+", "count=40"),
    (r"epochs=\d+", "epochs=1"),
    (r'"training.image_size": \d+', '"training.image_size": 64'),
)
"""Numbers of the notebooks, and those that a test needs."""


def run_example(name: str, *arguments: object) -> str:
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return out.getvalue()


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    labels = write_collection(tmp_path_factory.mktemp("photos"))
    (labels.parent / "003.png").write_bytes(b"no photo")
    return labels


@pytest.fixture(scope="module")
def model(labels, tmp_path_factory) -> Path:
    run = ts.train(
        labels,
        out=tmp_path_factory.mktemp("runs") / "first",
        epochs=1,
        settings=TINY_SETTINGS,
        max_bad=0.05,
        progress=False,
    )
    return run.model_folder


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_it_is_called(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert f": python {path.name} " in text.splitlines()[0]
    assert path.name in Path(__file__).read_text(encoding="utf-8")


def test_recognising_names_the_labels_and_the_photo_most_alike(labels, model):
    copy = labels.parent / "copy.png"
    copy.write_bytes((labels.parent / "000.png").read_bytes())
    photos = [labels.parent / f"{i:03}.png" for i in range(5)]
    text = run_example("recognise.py", model, *photos, copy)
    lines = text.splitlines()
    assert len(lines) == 6
    assert any(line.startswith(f"{photos[3]}: ") and "most like" not in line for line in lines)
    assert f"{photos[0]}: " in text
    assert lines[-1].endswith(f"; most like {photos[0]}")


def test_evidence_adds_up_and_is_drawn(labels, model, tmp_path):
    photo, picture = labels.parent / "000.png", tmp_path / "red.png"
    head, *rows = run_example("evidence.py", model, photo, "red", picture).splitlines()
    logit, mean = re.fullmatch(r"red: logit (\S+), mean of the map (\S+)", head).groups()
    assert float(logit) == pytest.approx(float(mean), abs=0.011)
    assert len(rows) == 4
    with Image.open(photo) as original, Image.open(picture) as drawn:
        assert drawn.size == original.size


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path, tmp_path):
    client = pytest.importorskip("nbclient", reason="the extra dev has what runs notebooks")
    nbformat = pytest.importorskip("nbformat", reason="the extra dev has what runs notebooks")
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # figures come from running it
    for cell in notebook.cells:
        for number, small in SMALLER:
            cell.source = re.sub(number, small, cell.source)
    client.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [
        set(output.get("data", {})) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert sum("text/html" in kinds for kinds in shown) >= 2
