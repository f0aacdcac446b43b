"""The examples run as they stand, one after another, on one small collection."""

from __future__ import annotations

import re
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from collection import write_collection
from PIL import Image

from tagsight.checkpoint.folder import load_model

EXAMPLES = Path(__file__).parents[1] / "examples"


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
def trained(labels: Path, tmp_path_factory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("runs") / "first"
    return out / "model", run_example("train_on_own_photos.py", labels, out, 1)


@pytest.fixture(scope="module")
def model(trained: tuple[Path, str]) -> Path:
    return trained[0]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_it_is_called(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert f": python {path.name} " in text.splitlines()[0]
    assert path.name in Path(__file__).read_text(encoding="utf-8")


def test_training_on_own_photos_says_what_came_of_it(labels: Path, trained: tuple[Path, str]):
    model, text = trained
    left_out, told = text.splitlines()
    assert left_out.startswith(f"left out: {labels.parent / '003.png'}: ")
    assert re.fullmatch(rf"{re.escape(str(model))}: validation mAP \d+\.\d", told)
    recipe = load_model(model).recipe
    assert recipe.training.epochs == 1
    assert recipe.name == "gcam-cpu, changed"


def test_recognising_names_the_labels_and_the_photo_most_alike(labels: Path, model: Path):
    copy = labels.parent / "copy.png"
    copy.write_bytes((labels.parent / "000.png").read_bytes())
    photos = [labels.parent / f"{i:03}.png" for i in range(5)]
    text = run_example("recognise.py", model, *photos, copy)
    lines = text.splitlines()
    assert len(lines) == 6
    assert any(line.startswith(f"{photos[3]}: ") and "most like" not in line for line in lines)
    assert f"{photos[0]}: " in text
    assert lines[-1].endswith(f"; most like {photos[0]}")


def test_evidence_adds_up_and_is_drawn(labels: Path, model: Path, tmp_path: Path):
    photo, picture = labels.parent / "000.png", tmp_path / "red.png"
    head, *rows = run_example("evidence.py", model, photo, "red", picture).splitlines()
    logit, mean = re.fullmatch(r"red: logit (\S+), mean of the map (\S+)", head).groups()
    assert float(logit) == pytest.approx(float(mean), abs=0.011)
    assert len(rows) == 7
    with Image.open(photo) as original, Image.open(picture) as drawn:
        assert drawn.size == original.size
