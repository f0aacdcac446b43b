"""A run that was cut off goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import RUNTIME, TRAIN, Diary, tiny_collection, tiny_recipe

from tagsight.errors import DataError
from tagsight.systems.catalogue import SYSTEMS
from tagsight.training.resume import FOLDER, is_unfinished, load_state, remove_states, save_state
from tagsight.training.run import Start, train_run

if TYPE_CHECKING:
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


def weights(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


def cut_off(collection: Annotations, recipe: Recipe, out: Path, at: int, start: Start) -> None:
    """Train until a step, and stop without a word."""
    with contextlib.suppress(KeyboardInterrupt):
        train_run(collection, recipe, out, RUNTIME, log=Diary(interrupt_at=at), start=start)


def resumed(
    collection: Annotations, recipe: Recipe, out: Path, diary: Diary | None = None
) -> Outcome:
    log = diary or Diary()
    return train_run(collection, recipe, out, RUNTIME, log=log, start=EVERY_STEP)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one_bit_for_bit(
    collection, tmp_path, system: str, optimizer: str
):
    recipe = eventful(system, optimizer=optimizer)
    whole = train_run(collection, recipe, tmp_path / "whole", RUNTIME, log=Diary())
    out = tmp_path / "parts"
    for at in (2, 3, 5, STEPS):  # the last step, and the last of an epoch, among them
        cut_off(collection, recipe, out, at, EVERY_STEP)
        torch.rand(3)  # what else draws random numbers does not matter
    outcome = resumed(collection, recipe, out)
    assert weights(out) == weights(tmp_path / "whole")
    assert (outcome.epoch, outcome.validation) == (whole.epoch, whole.validation)


def test_steps_after_the_last_state_are_taken_again(collection, tmp_path):
    recipe, diary = eventful(), Diary()
    whole = Diary()
    train_run(collection, recipe, tmp_path / "whole", RUNTIME, log=whole)
    out = tmp_path / "parts"
    # No state but the one before the first step: as if it had been cut off within five minutes.
    cut_off(collection, recipe, out, 5, Start())
    resumed(collection, recipe, out, diary)
    assert [step.number for step in diary.steps] == list(range(1, STEPS + 1))
    assert [step.losses for step in diary.steps] == [step.losses for step in whole.steps]
    assert weights(out) == weights(tmp_path / "whole")


def test_a_run_is_unfinished_until_it_is_done(collection, tmp_path):
    cut_off(collection, eventful(), tmp_path, 4, EVERY_STEP)
    assert is_unfinished(tmp_path)
    resumed(collection, eventful(), tmp_path)
    assert not is_unfinished(tmp_path)


def test_where_nothing_is_to_be_resumed_a_run_begins(collection, tmp_path):
    diary = Diary()
    resumed(collection, eventful(), tmp_path, diary)
    assert len(diary.steps) == STEPS


def test_without_resume_the_states_of_another_run_are_not_used(collection, tmp_path):
    cut_off(collection, eventful(seed=1), tmp_path, 4, EVERY_STEP)
    diary = Diary()
    train_run(collection, eventful(), tmp_path, RUNTIME, log=diary)
    assert [step.number for step in diary.steps] == list(range(1, STEPS + 1))


CHANGES = {
    "settings": (r"`training\.lr` is 0\.02, was 0\.01", {"lr": 0.02}),
    "system": ("the system is vac, was gcam", {"system": "vac"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_recipe_is_refused_and_named(collection, tmp_path, change: str):
    message, other = CHANGES[change]
    cut_off(collection, eventful(), tmp_path, 4, EVERY_STEP)
    before = load_state(tmp_path)
    with pytest.raises(DataError, match=message):
        resumed(collection, eventful(**other), tmp_path)
    assert load_state(tmp_path).state["training"]["number"] == before.state["training"]["number"]


def test_other_data_are_refused_and_named(collection, tmp_path):
    hashes = {path: path.read_bytes()[-16:] for path in collection.paths}
    log = Diary(interrupt_at=4)
    recipe = eventful()
    with contextlib.suppress(KeyboardInterrupt):
        train_run(collection, recipe, tmp_path, RUNTIME, log=log, start=EVERY_STEP, hashes=hashes)

    def refused(annotations: Annotations, match: str, hashes=hashes, start=EVERY_STEP) -> None:
        with pytest.raises(DataError, match=match):
            train_run(
                annotations, recipe, tmp_path, RUNTIME, log=Diary(), start=start, hashes=hashes
            )

    names = (*collection.names[:-1], "violet")
    refused(replace(collection, names=names), "but the labels changed; use the same again")
    refused(replace(collection, targets=1 - collection.targets), "but the targets changed")
    refused(collection.select(range(1, len(collection))), "the photos changed; the splits changed")
    first = collection.paths[0]
    other = hashes | {first: b"another content."}
    refused(collection, "but the content of the photos changed", hashes=other)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("red 1 2\n")
    refused(
        collection, r"the word vectors \(`vectors`\)", start=replace(EVERY_STEP, vectors=vectors)
    )


def test_a_truncated_state_is_recognised_and_the_one_before_it_used(collection, tmp_path):
    recipe = eventful()
    train_run(collection, recipe, tmp_path / "whole", RUNTIME, log=Diary())
    out = tmp_path / "parts"
    cut_off(collection, recipe, out, 5, EVERY_STEP)
    newest = max((out / FOLDER).iterdir())
    os.truncate(newest, newest.stat().st_size - 7)
    diary = Diary()
    resumed(collection, recipe, out, diary)
    assert f"{newest} is damaged; the state before it is used" in diary.notes
    assert weights(out) == weights(tmp_path / "whole")


def test_states_that_are_all_damaged_are_refused(tmp_path):
    save_state(tmp_path, 3, {"number": 3})
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="got damaged ones only, such as 0000000003-"):
        load_state(tmp_path)


def test_a_state_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch evil",)

    save_state(tmp_path, 1, {"number": Evil()})
    with pytest.raises(DataError, match="expected a state that tagsight wrote"):
        load_state(tmp_path)


def test_the_two_newest_states_are_kept(tmp_path):
    for number in range(5):
        save_state(tmp_path, number, {"number": number})
    assert sorted(int(file.name[:10]) for file in (tmp_path / FOLDER).iterdir()) == [3, 4]
    assert load_state(tmp_path).state == {"number": 4}


def test_no_state_is_none(tmp_path):
    assert load_state(tmp_path) is None
    remove_states(tmp_path)
    assert not is_unfinished(tmp_path)


def test_the_last_good_state_survives_a_full_disk(collection, tmp_path):
    """A child process may write files of a few bytes only, as on a disk without room."""
    cut_off(collection, eventful(), tmp_path, 4, EVERY_STEP)
    before = {file.name: file.read_bytes() for file in (tmp_path / FOLDER).iterdir()}
    child = (
        "import resource, sys; from pathlib import Path\n"
        "from tagsight.training.resume import save_state\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save_state(Path(sys.argv[1]), 9, {'weights': [0.5] * 10_000})\n"
        "except OSError as error: print(error.strerror)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", child, tmp_path], check=True, capture_output=True, text=True
    )
    assert said.stdout == "File too large\n"
    assert {file.name: file.read_bytes() for file in (tmp_path / FOLDER).iterdir()} == before


def test_a_state_that_cannot_be_written_does_not_end_the_run(collection, tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    diary = Diary()
    train_run(collection, eventful(), tmp_path, RUNTIME, log=diary)
    assert any("cannot be saved, so the one before it is kept" in note for note in diary.notes)
    assert len(diary.steps) == STEPS


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_the_uninterrupted_one(tmp_path):
    """SIGKILL, to real processes, wherever they are: also in the midst of writing."""
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
