import contextlib
import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from forks import run_for
from full_disk import largest_file
from tiny_run import RUNTIME, TRAIN, Diary, tiny_recipe, whole_run

from tagsight.errors import DataError
from tagsight.training.resume import FOLDER, is_unfinished, load_state, remove_states, save_state
from tagsight.training.run import Start, train_run

EVERY_STEP = Start(resume=True, state_every=0)
STEPS = 3 * TRAIN // 8


def eventful(system: str = "gcam", **training):
    """A recipe in which everything has a state: moments, averages, crops, schedule."""
    settings = {"average": 0.9, "random_flip": True, "crop": 0.5, "schedule": "one_cycle"}
    return tiny_recipe(system, **settings | training)


def train(collection, recipe, out: Path, log: Diary, **options):
    return train_run(collection, recipe, out, RUNTIME, log=log, **{"start": EVERY_STEP} | options)


def cut_off(collection, recipe, out: Path, at: int, **options) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        train(collection, recipe, out, Diary(interrupt_at=at), **options)


def weights(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


def states(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (out / FOLDER).iterdir()}


def content(collection) -> dict[Path, bytes]:
    return {path: path.read_bytes()[-16:] for path in collection.paths}


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
    collection, tmp_path, system, optimizer
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


@pytest.mark.parametrize("resume", [False, True])
def test_without_resume_or_with_the_state_before_the_first_step_all_steps_are_taken(
    collection, tmp_path, whole, resume
):
    diary = Diary()
    cut_off(collection, eventful(seed=int(not resume)), tmp_path, 5, start=Start())
    assert is_unfinished(tmp_path)
    train(collection, eventful(), tmp_path, diary, start=replace(EVERY_STEP, resume=resume))
    assert not is_unfinished(tmp_path)
    assert [step.number for step in diary.steps] == list(range(1, STEPS + 1))
    assert [step.losses for step in diary.steps] == [step.losses for step in whole[1].steps]
    assert weights(tmp_path) == weights(whole[0])


@pytest.mark.parametrize(
    ("recipe", "rows", "message"),
    [
        ({"lr": 0.02}, {}, r"but `training\.lr` is 0\.02, was 0\.01; use the same again"),
        ({"system": "vac"}, {}, "the system is vac, was gcam"),
        ({}, {"names": "abcde"}, "but the labels changed; use the same again"),
        ({}, {"targets": 1}, "but the targets changed"),
        ({}, {"paths": 1}, "the photos changed; the splits changed"),
        ({}, {"content": b"another content."}, "but the content of the photos changed"),
        ({}, {"vectors": "red 1 2\n"}, r"the word vectors \(`vectors`\) changed"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings_or_data(
    collection, run_folder, recipe, rows, message
):
    hashes, start, other = content(collection), EVERY_STEP, collection
    match rows:
        case {"names": names}:
            other = replace(collection, names=tuple(names))
        case {"targets": most}:
            other = replace(collection, targets=most - collection.targets)
        case {"paths": first}:
            other = collection.select(range(first, len(collection)))
        case {"content": changed}:
            hashes[collection.paths[0]] = changed
        case {"vectors": text}:
            start = replace(EVERY_STEP, vectors=run_folder / "vectors.txt")
            start.vectors.write_text(text)
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
def test_states_that_are_damaged_or_run_code_are_refused(tmp_path, value, cut, message):
    save_state(tmp_path, 3, {"number": value})
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DataError, match=message):
        load_state(tmp_path)


def test_the_two_newest_states_are_kept_until_they_are_removed(tmp_path):
    assert load_state(tmp_path) is None
    for number in range(5):
        save_state(tmp_path, number, {"number": number})
    assert sorted(int(name[:10]) for name in states(tmp_path)) == [3, 4]
    assert load_state(tmp_path).state == {"number": 4}
    remove_states(tmp_path)
    assert not is_unfinished(tmp_path)


def test_the_last_good_state_survives_a_full_disk(run_folder):
    before = states(run_folder)
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        save_state(run_folder, 9, {"weights": [0.5] * 10_000})
    assert states(run_folder) == before


def test_a_state_that_cannot_be_written_does_not_end_the_run(collection, tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    diary = Diary()
    train(collection, eventful(), tmp_path, diary, start=Start())
    assert any("cannot be saved, so the one before it is kept" in note for note in diary.notes)
    assert len(diary.steps) == STEPS


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_the_uninterrupted_one(tmp_path):
    chance = random.Random(int(os.environ.get("TAGSIGHT_KILL_SEED", "0")))
    photos, took = tmp_path / "photos", tmp_path / "took"
    assert run_for(0, took, whole_run, photos, tmp_path / "whole") == 0
    task, usual = (took, whole_run, photos, tmp_path / "killed"), int(took.read_text())
    codes = [run_for(int(chance.uniform(0.05, 0.5) * usual), *task) for _ in range(4)]
    assert -signal.SIGKILL in codes
    assert set(codes) <= {0, -signal.SIGKILL}
    assert run_for(0, *task) == 0
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
