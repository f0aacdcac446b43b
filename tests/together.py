"""What several processes do together, for `test_distributed`; alone it does the same by itself."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny import drawn, saved_photos, tiny_system
from tiny_run import RUNTIME, Diary, tiny_collection, tiny_recipe

from tagsight.cli import main
from tagsight.data.annotations import Annotations
from tagsight.errors import RankError
from tagsight.evaluation.predictions import predict
from tagsight.loading.batches import PhotoStore
from tagsight.runtime.device import Runtime
from tagsight.runtime.processes import Processes, joined
from tagsight.systems.catalogue import HOMES
from tagsight.training.loop import Step
from tagsight.training.run import Start, train_run

ALL_SYSTEMS = tuple(HOMES)
RANDOM = {
    "dropout": 0.3,
    "ranking": "sampled",
    "consistency": {"scale": 0.75, "views": "one", "error": "relative"},
}
"""Settings by which losses draw numbers for each photo, or compute statistics over photos."""

OWN: dict[str, dict[str, object]] = {
    "vac": {"optimizer": "adamw"},
    "query2label": {"mixup": 0.4},
    "srn": {"cutmix": 0.4},
}
"""Further settings of training, each of a system that takes it."""

RESTARTS = "TORCHELASTIC_RESTART_COUNT"
"""How often a launcher has started its processes anew."""

ROWS = (1, 2, 3, 5, 8)
"""Numbers of photos to predict: fewer than processes, as many, and such that do not divide."""


def collection(folder: Path, processes: Processes) -> Annotations:
    """Photos that the first process draws."""
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        tiny_collection(folder)
    processes.wait()
    return tiny_collection(folder) if processes.count == 1 else _read(folder)


def _read(folder: Path) -> Annotations:
    from tiny import COLOURS
    from tiny_run import SIDE, SPLITS

    targets = drawn(len(SPLITS), SIDE)[1]
    paths = tuple(sorted(folder.glob("*.png")))
    return Annotations(tuple(COLOURS), paths, targets, SPLITS, "csv-columns")


def train(folder: Path, runtime: Runtime, systems: Sequence[str] = ALL_SYSTEMS) -> None:
    """Train systems for three epochs with a schedule, an average, flips and random views.

    The seven photos of a step are no equal shares, neither of two processes nor of three.
    """
    rows = collection(folder / "photos", runtime.processes)
    usual = {"average": 0.9, "random_flip": True, "schedule": "one_cycle", "clip_norm": 1.0}
    for name in systems:
        own = {"optimizer": "sgd", "lr": 0.003, "batch_size": 7} | OWN.get(name, {})
        made, log = tiny_recipe(name, RANDOM, **usual, **own), Diary()
        outcome = train_run(rows, made, folder / name, runtime, log=log)
        if runtime.processes.is_first:
            losses = torch.tensor([sum(step.losses.values()) for step in log.steps])
            save_file({"losses": losses}, folder / name / "losses.safetensors")
            assert outcome.model.is_dir()


def predict_all(folder: Path, runtime: Runtime) -> None:
    """Predict splits of several sizes; every process writes what it knows."""
    torch.manual_seed(0)
    system, processes = tiny_system("resnet"), runtime.processes
    photos = folder / "photos"
    if processes.is_first:
        photos.mkdir(parents=True)
        saved_photos(photos, drawn(max(ROWS))[0])
    processes.wait()
    paths = sorted(photos.glob("*.png"))
    logits = {
        str(rows): predict(system, PhotoStore(paths[:rows], 32, 0), runtime, batch_size=2).logits
        for rows in ROWS
    }
    save_file(logits, folder / f"{processes.rank}.safetensors")


def fail(folder: Path, runtime: Runtime) -> None:
    """Train on photos of which one, in the last process's share, is gone."""
    rows = collection(folder / "photos", runtime.processes)
    training = tiny_recipe("resnet")
    if runtime.processes.rank == runtime.processes.count - 1:
        rows = replace(rows, paths=tuple(path.with_name("gone.png") for path in rows.paths))
    train_run(rows, training, folder / "out", runtime, log=Diary())


class Killed(Diary):
    """The log of a process that is killed after its second step."""

    def step(self, step: Step) -> None:
        if step.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(folder: Path, runtime: Runtime) -> None:
    """Train, while the last process is killed."""
    rows = collection(folder / "photos", runtime.processes)
    last = runtime.processes.rank == runtime.processes.count - 1
    train_run(
        rows, tiny_recipe("resnet"), folder / "out", runtime, log=Killed() if last else Diary()
    )


def restarted(folder: Path, runtime: Runtime) -> None:
    """Train with a state after every step; at a launcher's first start the last is killed."""
    rows, processes = collection(folder / "photos", runtime.processes), runtime.processes
    dies = processes.rank == processes.count - 1 and os.environ.get(RESTARTS) == "0"
    recipe = tiny_recipe("gcam", RANDOM, average=0.9, random_flip=True)
    start = Start(resume=True, state_every=0)
    log = Killed() if dies else Diary()
    train_run(rows, recipe, folder / "out", runtime, log=log, start=start)


WHAT = {
    "train": train,
    "predict": predict_all,
    "fail": fail,
    "killed": killed,
    "restarted": restarted,
}


def take_part(what: str, folder: Path, *arguments: object) -> None:
    """Do one of these as one of several processes."""
    try:
        with joined(torch.device("cpu")) as together:
            WHAT[what](folder, replace(RUNTIME, processes=together), *arguments)
    except RankError as error:  # as the command tells it
        sys.exit(f"{type(error).__name__}: {error}")


def command(arguments: list[str]) -> None:
    """Run a command of ours as one of several processes."""
    sys.exit(main(arguments))


if __name__ == "__main__":  # as one of a launcher's
    take_part(sys.argv[1], Path(sys.argv[2]))
