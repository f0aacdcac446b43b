from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import RUNTIME, TRAIN, Diary, tiny_collection, tiny_recipe

from tagsight.errors import DataError
from tagsight.training.resume import FOLDER, is_unfinished, load_state, remove_states, save_state
from tagsight.training.run import Start, train_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.training.run_folder import Outcome

EVERY_STEP = Start(resume=True, state_every=0)
STEPS = 3 * TRAIN // 8
RUNNER = Path(__file__).parents[1].joinpath("tiny_run.py")


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Annotations:
    return tiny_collection(tmp_path_factory.mktemp("photos"))


def eventful(system: str = "gcam", **training: object) -> Recipe:
    """A recipe in which everything has a state: moments, averages, crops, schedule."""
    return tiny_recipe(
        system,
        **{"average": 0.9, "random_flip": True, "crop": 0.5, "schedule": "one_cycle"} | training,
    )


def train(collection: Annotations, recipe: Recipe, out: Path, log: Diary, **options) -> Outcome:
    return train_run(collection, recipe, out, RUNTIME, log=log, **{"start": EVERY_STEP} | options)


def cut_off(collection: Annotations, recipe: Recipe, out: Path, at: int, **options) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        train(collection, recipe, out, Diary(interrupt_at=at), **options)


def weights(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(collection, tmp_path_factory) -> tuple[Path, Diary]:
    """An uninterrupted run."""
    out, diary = tmp_path_factory.mktemp("whole"), Diary()
    train(collection, eventful(), out, diary, start=Start())
    return out, diary


@pytest.fixture(scope="module")
def unfinished(collection, tmp_path_factory) -> Path:
    """A run that was cut off in its fourth step."""
    out = tmp_path_factory.mktemp("unfinished")
    cut_off(collection, eventful(), out, 4, hashes=content(collection))
    return out


@pytest.fixture
def run_folder(unfinished, tmp_path) -> Path:
    return Path(shutil.copytree(unfinished, tmp_path / "run"))


def content(collection: Annotations) -> dict[Path, bytes]:
    return {path: path.read_bytes()[-16:] for path in collection.paths}


@pytest.mark.parametrize(
    ("system", "optimizer"),
    [
        ("gcam", "adamw"),
        ("multi-evidence", "sgd"),  # trained in stages
        ("warp", "adamw"),  # draws random numbers in its loss
        ("query2label", "sgd"),  # dropout
        ("knn", "adamw"),  # has no steps
    ],
)
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one_bit_for_bit(
    collection, tmp_path, system: str, optimizer: str
):
    recipe = eventful(system, optimizer=optimizer)
    whole = train(collection, recipe, tmp_path / "whole", Diary(), start=Start())
    out = tmp_path / "parts"
    for at in (2, 3, STEPS):  # the last step, and the last of an epoch, among them
        cut_off(collection, recipe, out, at)
        torch.rand(3)  # what else draws random numbers does not matter
    outcome = train(collection, recipe, out, Diary())
    assert weights(out) == weights(tmp_path / "whole")
    assert (outcome.epoch, outcome.validation) == (whole.epoch, whole.validation)


def test_steps_after_the_last_state_are_taken_again(collection, tmp_path, whole):
    diary = Diary()
    cut_off(collection, eventful(), tmp_path, 5, start=Start())  # the state before the first step
    assert is_unfinished(tmp_path)
    train(collection, eventful(), tmp_path, diary)
    assert not is_unfinished(tmp_path)
    assert [step.number for step in diary.steps] == list(range(1, STEPS + 1))
    assert [step.losses for step in diary.steps] == [step.losses for step in whole[1].steps]
    assert weights(tmp_path) == weights(whole[0])


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_starts_at_the_first_step_without_a_state_or_without_resume(
    collection, tmp_path, whole, resume: bool
):
    diary = Diary()
    if not resume:
        cut_off(collection, eventful(seed=1), tmp_path, 4)
    train(collection, eventful(), tmp_path, diary, start=replace(EVERY_STEP, resume=resume))
    assert [step.number for step in diary.steps] == list(range(1, STEPS + 1))
    assert weights(tmp_path) == weights(whole[0])


def violet(rows: Annotations) -> Annotations:
    return replace(rows, names=(*rows.names[:-1], "violet"))


def inverted(rows: Annotations) -> Annotations:
    return replace(rows, targets=1 - rows.targets)


def same(rows: Annotations) -> Annotations:
    return rows


@pytest.mark.parametrize(
    ("recipe", "rows", "options", "message"),
    [
        ({"lr": 0.02}, same, {}, r"but `training\.lr` is 0\.02, was 0\.01; use the same again"),
        ({"system": "vac"}, same, {}, "the system is vac, was gcam"),
        ({}, violet, {}, "but the labels changed; use the same again"),
        ({}, inverted, {}, "but the targets changed"),
        ({}, lambda rows: rows.select(range(1, 44)), {}, "the photos changed; the splits changed"),
        ({}, same, {"hashes": b"another content."}, "but the content of the photos changed"),
        ({}, same, {"vectors": "red 1 2\n"}, r"the word vectors \(`vectors`\) changed"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings_or_data(
    collection,
    run_folder,
    recipe: dict[str, Any],
    rows: Callable[[Annotations], Annotations],
    options: dict[str, Any],
    message: str,
):
    hashes, start = content(collection), EVERY_STEP
    if "hashes" in options:
        hashes[collection.paths[0]] = options["hashes"]
    if "vectors" in options:
        start = replace(EVERY_STEP, vectors=run_folder / "vectors.txt")
        start.vectors.write_text(options["vectors"])
    other = rows(collection)
    with pytest.raises(DataError, match=message):
        train(other, eventful(**recipe), run_folder, Diary(), start=start, hashes=hashes)
    assert load_state(run_folder).state["training"]["number"] == 3


def test_a_truncated_state_is_recognised_and_the_one_before_it_used(collection, run_folder, whole):
    newest = max((run_folder / FOLDER).iterdir())
    os.truncate(newest, newest.stat().st_size - 7)
    diary = Diary()
    train(collection, eventful(), run_folder, diary, hashes=content(collection))
    assert f"{newest} is damaged; the state before it is used" in diary.notes
    assert weights(run_folder) == weights(whole[0])


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


@pytest.mark.parametrize(
    ("value", "cut", "message"),
    [
        (3, -1, "got damaged ones only, such as 0000000003-"),
        (Evil(), None, "expected a state that tagsight wrote"),
    ],
)
def test_states_that_are_damaged_or_run_code_are_refused(tmp_path, value, cut, message: str):
    save_state(tmp_path, 3, {"number": value})
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DataError, match=message):
        load_state(tmp_path)


def test_the_two_newest_states_are_kept_until_they_are_removed(tmp_path):
    assert load_state(tmp_path) is None
    for number in range(5):
        save_state(tmp_path, number, {"number": number})
    assert sorted(int(file.name[:10]) for file in (tmp_path / FOLDER).iterdir()) == [3, 4]
    assert load_state(tmp_path).state == {"number": 4}
    remove_states(tmp_path)
    assert not is_unfinished(tmp_path)


def test_the_last_good_state_survives_a_full_disk(run_folder):
    before = {file.name: file.read_bytes() for file in (run_folder / FOLDER).iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # bytes of a file
        with pytest.raises(OSError, match="File too large"):
            save_state(run_folder, 9, {"weights": [0.5] * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file.name: file.read_bytes() for file in (run_folder / FOLDER).iterdir()} == before


def test_a_state_that_cannot_be_written_does_not_end_the_run(collection, tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    diary = Diary()
    train(collection, eventful(), tmp_path, diary, start=Start())
    assert any("cannot be saved, so the one before it is kept" in note for note in diary.notes)
    assert len(diary.steps) == STEPS


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_the_uninterrupted_one(tmp_path):
    chance = random.Random(int(os.environ.get("TAGSIGHT_KILL_SEED", "0")))

    def started(out: Path) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, RUNNER, tmp_path / "photos", out])

    assert started(tmp_path / "whole").wait(timeout=120) == 0
    out, kills = tmp_path / "killed", 0
    while kills < 4:
        child = started(out)
        steps = chance.randrange(1, 8)
        file = out / "run.jsonl"
        begun = len(file.read_text().splitlines()) if file.exists() else 0
        while child.poll() is None and (
            not file.exists() or len(file.read_text().splitlines()) < begun + steps
        ):
            time.sleep(0)
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    assert started(out).wait(timeout=120) == 0
    assert kills >= 2
    assert load_file(out / "model" / "model.safetensors").keys()
    assert weights(out) == weights(tmp_path / "whole")
