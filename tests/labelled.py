"""Photos of one colour each, and a project of them whose encoder sees nothing but colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from channels import Cells
from PIL import Image
from torch import Tensor, nn

from tagsight.inference.recognizer import Recognizer
from tagsight.labels.imagenet import CLASSES
from tagsight.nn.class_scores import ClassScores
from tagsight.nn.text_image import TextImageEncoder
from tagsight.runtime.device import Runtime
from tagsight.tagging.labelling.encoder import DIRECTIONS, PhotoEncoder
from tagsight.tagging.labelling.project import Project
from tagsight.tagging.labelling.session import Session

SHADES = (250, 220, 190, 160)
COLOURS = ("red", "green", "blue")
BEAGLE, DISHCLOTH = 162, 533


class ColourCells(Cells):
    """The mean colour of each cell."""

    name = "colours"


def beagle_classifier() -> nn.Linear:
    """A classifier that takes red for a beagle, one of the dogs, and all else for a dishcloth."""
    classifier = nn.Linear(3, CLASSES)
    nn.init.zeros_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    with torch.no_grad():
        classifier.weight[BEAGLE] = torch.tensor([40.0, -40.0, -40.0])
        classifier.bias[DISHCLOTH] = 12
    return classifier


class ClassCells(ColourCells):
    """The mean colour of each cell, and the scores of classes that an encoder has of its own."""

    name = "classes"
    first_class, channels = 3, 3 + CLASSES
    class_scores = ClassScores(beagle_classifier())

    def forward(self, images: Tensor) -> Tensor:
        return self.class_scores(super().forward(images))


def encoder_of(cells: ColourCells) -> PhotoEncoder:
    random = torch.Generator().manual_seed(0)
    directions = torch.randn(cells.channels, DIRECTIONS, generator=random)
    runtime = Runtime.choose("cpu", "float32", workers=1)
    return PhotoEncoder(cells, 32, "warp", runtime, directions)


def write_photos(folder: Path) -> list[str]:
    """Write a photo of each colour and shade: ``blue-160.png`` is the first, by name."""
    folder.mkdir()
    for place, colour in enumerate(COLOURS):
        for shade in SHADES:
            level = [10, 10, 10]
            level[place] = shade
            Image.new("RGB", (40, 32), tuple(level)).save(folder / f"{colour}-{shade}.png")
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def session_in(
    folder: Path,
    model: Recognizer | None = None,
    names: TextImageEncoder | None = None,
    *,
    cells: ColourCells | None = None,
) -> Iterator[Session]:
    """A session whose photos are encoded; its learner runs when a test says so."""
    if not (folder / "photos").exists():
        write_photos(folder / "photos")
    with Project(folder / "project", folder / "photos") as project:
        session = Session(project, encoder_of(cells or ColourCells()), model, names)
        session.background.start()
        session.background.finish()
        try:
            yield session
        finally:
            session.thumbnails.close()


def learned(session: Session) -> None:
    """Learn from what is judged, in this thread."""
    session.learner.learned = session.learner.learn()
