"""Whether a model says one thing, whatever runs it: torch, ONNX Runtime and OpenVINO.

Run as ``python benchmarks/one_answer.py LABELS [--images FOLDER] [--photos 500] [--systems NAME...]
[--models FOLDER]``. Of every system its `-cpu` recipe is trained on the training photos, with the
encoder as ImageNet left it: what it makes of photos is kept, so that a system takes a minute. The
validation photos are then tagged by the model folder and by its exported files, as `tagsight tag`
does it, in batches of 16, and by the folder in bfloat16, which is training's. All are compared with
the folder in float32 in batches of one. A model in the folder of models is not trained again.

The guarantee: of all decisions 99.9 % are equal, and of each other one the score is within 0.01 of
its threshold. What breaks it is marked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from table import HEADER, row

from tagsight.checkpoint.folder import load_model
from tagsight.cli import main as tagsight
from tagsight.data.readers import read_annotations
from tagsight.inference.exporting import delivering, written_onnx
from tagsight.inference.recognizer import Recognizer
from tagsight.systems.catalogue import SYSTEMS

EQUAL, NEAR = 0.999, 0.01


def trained(system: str, given: argparse.Namespace) -> Path:
    """A model folder of a system."""
    run = given.models / system
    images = ["--images", str(given.images)] if given.images else []
    if not (run / "model").exists():
        options = {
            "recipe": f"{system}-cpu",
            "out": run,
            "epochs": given.epochs,
            "training.image_size": given.size,
            "system.backbone.frozen_stages": 7,
            "cache": given.models / "cache",
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        assert tagsight(["train", str(given.labels), *images, *flags]) == 0
    return run / "model"


def ways(folder: Path, files: Path) -> Iterator[tuple[str, Recognizer]]:
    """The recognizers that are compared, each by its name."""
    yield "torch", Recognizer.load(folder, "cpu")
    model = load_model(folder)
    if model.system.portable:
        with written_onnx(model) as graph:
            for name, ending in (("ONNX Runtime", ".onnx"), ("OpenVINO", ".xml")):
                file = files / f"{model.recipe.system}{ending}"
                with delivering(graph, file):
                    pass
                yield name, Recognizer.load(file)
    yield "torch, bfloat16", Recognizer.load(folder, "cpu", precision="bfloat16")


def scores_of(recognizer: Recognizer, photos: list[Path]) -> NDArray[np.floating]:
    return np.stack([result.scores for result in recognizer.recognize(photos)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("labels", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS))
    parser.add_argument("--models", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        given.models = given.models or Path(temporary)
        rows = read_annotations(given.labels, images=given.images).rows("val")
        photos = list(islice(rows.paths, given.photos))
        print(HEADER, flush=True)
        for system in given.systems:
            folder = trained(system, given)
            one = Recognizer.load(folder, "cpu", precision="float32", batch_size=1)
            expected = scores_of(one, photos)
            for name, recognizer in ways(folder, Path(temporary)):
                _compared(f"{system}, {name}", one, expected, scores_of(recognizer, photos))


def _compared(
    name: str,
    reference: Recognizer,
    expected: NDArray[np.floating],
    scores: NDArray[np.floating],
) -> None:
    decided = reference.decision.predicted
    alike = decided(scores) == decided(expected)
    distance = np.abs(expected - reference.decision.thresholds)[~alike]
    astray = distance.max(initial=0)
    kept = alike.mean() >= EQUAL and astray <= NEAR
    said = (
        f"{(~alike).sum()} of {alike.size:,} decided otherwise, at most {astray:.4f} from their "
        f"thresholds; scores apart by {np.abs(scores - expected).max():.5f}"
    )
    row(name, said, "99.9 % equal" + ("" if kept else " (MISSED)"), alike.mean() / EQUAL)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
