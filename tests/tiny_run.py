"""A collection and a recipe with which a whole training run takes a fraction of a second."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from tiny import COLOURS, drawn, saved_photos, tiny_settings

from tagsight.config import Recipe, TrainConfig
from tagsight.data.annotations import Annotations
from tagsight.runtime.device import Runtime
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.catalogue import SYSTEMS
from tagsight.training.log import RunLog
from tagsight.training.loop import Step
from tagsight.training.run import Start, train_run

TRAIN, VAL, TEST = 24, 12, 8
SPLITS = ("train",) * TRAIN + ("val",) * VAL + ("test",) * TEST
SIDE = 32
RUNTIME = Runtime(torch.device("cpu"), "float32")
SILENT = TerminalLog(shown=False)


def tiny_collection(folder: Path) -> Annotations:
    """Photos of coloured squares; those of the training fill three batches of eight."""
    images, targets = drawn(len(SPLITS), SIDE)
    paths = saved_photos(folder, images)
    return Annotations(tuple(COLOURS), tuple(paths), targets, SPLITS, "csv-columns")


def tiny_recipe(
    system: str = "gcam", settings: Mapping[str, object] | None = None, **training: object
) -> Recipe:
    """A recipe around the tiny network; of settings it has those that the system has."""
    smaller: dict[str, object] = {
        "consistency": {"scale": 0.75, "views": "one"},
        "hidden": 16,
        "regions": 2,
    }
    fields = SYSTEMS[system].Config.model_fields
    wanted = smaller | dict(settings or {})
    known = {name: value for name, value in wanted.items() if name in fields}
    values = {"image_size": SIDE, "epochs": 3, "batch_size": 8, "lr": 0.01, "schedule": "constant"}
    return Recipe(
        name="tiny",
        system=system,
        settings=tiny_settings(system, **known),
        training=TrainConfig.model_validate(values | training),
        source="tests",
        expectation="none",
    )


class Diary:
    """A run's log that remembers everything, and may press Ctrl-C after a step."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.interrupt_at = interrupt_at
        self.notes: list[str] = []
        self.works: list[tuple[str, int, list[int]]] = []
        self.steps: list[Step] = []
        self.epochs: list[Mapping[str, float]] = []

    def resume(self, number: int) -> None:
        self.steps = self.steps[:number]

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextmanager
    def work(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        yield lambda count, _total=None: done.append(count)
        self.works.append((description, total, done))

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if step.number == self.interrupt_at:
            raise KeyboardInterrupt

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        assert epoch == (self.steps[-1].epoch if self.steps else 0)
        self.epochs.append(metrics)


def whole_run(photos: Path, out: Path) -> None:
    """A whole run in a process of its own, which goes on where an earlier one was killed."""
    photos.mkdir(exist_ok=True)
    collection = tiny_collection(photos)
    recipe = tiny_recipe(epochs=12, average=0.9, random_flip=True, crop=0.5, schedule="one_cycle")
    start = Start(resume=True, state_every=0)
    with RunLog(out / "run.jsonl", recipe.training.steps(TRAIN)) as log:
        train_run(collection, recipe, out, RUNTIME, log=log, start=start)
