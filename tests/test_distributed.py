"""Several processes do what one does: weights, predictions, files and words."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from collection import write_collection
from forks import run_together
from programs import python
from safetensors.torch import load_file
from tiny_run import RUNTIME, Diary, tiny_recipe
from together import ALL_SYSTEMS, ROWS, command, predict_all, take_part, train
from torch import nn
from torch.testing import assert_close

from tagsight.errors import DataError, RankError
from tagsight.runtime.launch import Launch, launched
from tagsight.runtime.processes import ALONE, Processes, share_of
from tagsight.training.run import train_run

LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Callable[[int], Path]:
    """The folder of what so many processes have trained, in one go."""

    @cache
    def folder_of(count: int) -> Path:
        folder = tmp_path_factory.mktemp(f"processes-{count}")
        if count == 1:
            train(folder, RUNTIME)
        else:
            systems = [system for system, processes in TRAINED if processes == count]
            done = run_together(count, folder / "said", take_part, "train", folder, systems)
            assert done.codes == [0] * count, done.err
        return folder

    return folder_of


TRAINED = [*((system, 2) for system in ALL_SYSTEMS), ("gcam", 3), ("knn", 3)]
"""Systems and numbers of processes; of three, one that learns and one that remembers."""


@pytest.mark.parametrize(("system", "count"), TRAINED)
def test_several_processes_end_with_the_weights_and_losses_of_one(trained, system, count):
    one, several = (trained(processes) / system for processes in (1, count))
    for file in ("model/model.safetensors", "losses.safetensors"):
        assert_close(load_file(several / file), load_file(one / file), rtol=1e-5, atol=1e-6)


def test_every_row_is_predicted_exactly_once_and_in_order(tmp_path):
    done = run_together(3, tmp_path, take_part, "predict", tmp_path / "several")
    assert done.codes == [0, 0, 0], done.err
    predict_all(tmp_path / "one", RUNTIME)
    expected = load_file(tmp_path / "one" / "0.safetensors")
    assert {len(logits) for logits in expected.values()} == set(ROWS)
    for rank in range(3):
        assert_close(load_file(tmp_path / "several" / f"{rank}.safetensors"), expected)


def test_a_failing_process_ends_all_with_its_message(tmp_path):
    done = run_together(2, tmp_path, take_part, "fail", tmp_path)
    assert 0 not in done.codes
    assert "RankError: process 1 of 2: " in done.err
    assert "gone.png" in done.err
    assert not (tmp_path / "out" / "model").exists()


def test_a_process_that_is_killed_ends_the_others_with_one_line(tmp_path):
    done = run_together(2, tmp_path, take_part, "killed", tmp_path)
    assert done.codes == [1, -signal.SIGKILL]
    (told,) = [line for line in done.err.splitlines() if "process 0 of 2" in line]
    assert "cannot continue, as another one has ended" in told
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_launcher_that_restarts_killed_processes_gets_the_weights_of_an_undisturbed_run(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # as the how-to says
    undisturbed = run_together(2, tmp_path / "said", take_part, "restarted", tmp_path / "whole")
    assert undisturbed.codes == [0, 0], undisturbed.err
    task = [str(Path(__file__).with_name("together.py")), "restarted", str(tmp_path / "parts")]
    done = python(*LAUNCHER, "--max-restarts", "1", *task)
    assert done.stderr.count("process 0 of 2") == 1  # in the attempt that was killed
    whole, parts = (
        (tmp_path / name / "out" / "model" / "model.safetensors").read_bytes()
        for name in ("whole", "parts")
    )
    assert parts == whole


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    return write_collection(tmp_path_factory.mktemp("collection"))


TRAIN = ("--recipe", "resnet-cpu", "--epochs", "1", "--training.image_size", "32")
SMALL = ("--training.batch_size", "6", "--device", "cpu")


@pytest.mark.slow
def test_the_commands_are_the_same_and_only_the_first_process_writes_and_prints(labels, tmp_path):
    out = tmp_path / "run"
    cache = ("--cache", tmp_path / "cache")  # filled by one process, read by both
    train = ["-m", "tagsight", "train", labels, "--out", out, *TRAIN, *SMALL, *cache]
    done = python(*LAUNCHER, *train)
    assert done.stderr.count("frozen stages: 40 photos computed") == 1
    assert done.stdout.count("epoch 1 of 1, without selection") == 1
    assert done.stderr.count(" photos at 32 pixels for 1 epoch, cpu in ") == 1
    assert ", in 2 processes" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "data.toml",
        "model",
        "run.jsonl",
        "split.csv",
        "validation.csv",
    ]
    evaluate = ["evaluate", str(out / "model"), str(labels), "--device", "cpu", "--json"]
    reports = [
        json.loads(run_together(count, tmp_path / f"said-{count}", command, evaluate).out)
        for count in (1, 2)
    ]
    for report in reports:
        del report["photos_per_second"]
    assert reports[0] == reports[1]


def test_what_is_wrong_for_all_processes_is_said_once(labels, tmp_path):
    for arguments, told in (
        (("train", labels, "--out", tmp_path / "run", "--recipe", "rsnet"), "the name of a recipe"),
        (("tag", tmp_path, labels.parent), "one process for 'tag', got 2"),
    ):
        words = list(map(str, arguments))
        done = run_together(2, tmp_path / "said", command, words, until_one_ends=True)
        assert done.codes == [2, -signal.SIGTERM]
        assert done.err.count(f"tagsight: expected {told}") == 1


def run(collection, out: Path, system: str, accumulate: int = 1):
    drawing = {"dropout": 0.3, "ranking": "sampled"}
    recipe = tiny_recipe(system, drawing, schedule="one_cycle", average=0.5, lr=0.003)
    runtime = replace(RUNTIME, accumulate=accumulate)
    outcome = train_run(collection, recipe, out, runtime, log=Diary())
    return load_file(outcome.model / "model.safetensors")


@pytest.mark.parametrize(
    ("system", "accumulate"),
    [("gcam", 2), ("gcam", 8), ("multi-evidence", 3), ("warp", 3), ("ml-decoder", 2)],
)
def test_a_step_in_parts_is_the_step(collection, tmp_path, system, accumulate):
    whole = run(collection, tmp_path / "whole", system)
    parts = run(collection, tmp_path / "parts", system, accumulate)
    # AdamW makes steps of gradients that are little more than rounding; a wrong share is 100 times
    # as much.
    assert_close(parts, whole, rtol=1e-4, atol=2e-5)


def test_more_parts_than_photos_of_a_step_are_refused(collection, tmp_path):
    message = r"photo per step for each of 9 parts of each process, 9 in all, got 8"
    with pytest.raises(DataError, match=message):
        run(collection, tmp_path, "resnet", 9)


def test_batch_norm_that_is_trained_by_several_processes_on_cpus_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with pytest.raises(DataError, match="expected frozen batch norm where several processes"):
        Processes(0, 2).synchronised(network.forward, network)
    assert ALONE.synchronised(network.forward, network) == network.forward


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_shares_are_in_order_complete_and_as_equal_as_can_be(parts):
    for items in range(12):
        shares = [share_of(items, part, parts) for part in range(parts)]
        assert [item for share in shares for item in share] == list(range(items))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_an_error_in_a_share_says_whose_it_is():
    error = DataError("a.jpg: damaged")
    with (
        pytest.raises(RankError, match=r"^process 1 of 2: a.jpg: damaged$"),
        Processes(1, 2).own_share(),
    ):
        raise error
    with pytest.raises(DataError, match=r"^a.jpg: damaged$"), ALONE.own_share():
        raise error


def test_without_a_launcher_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "7")  # some other program's
    assert launched() == Launch(0, 1, 0)


@pytest.mark.parametrize("rank", ["2", "x"])
def test_a_launcher_that_contradicts_itself_is_refused(monkeypatch, rank):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "RANK": rank}.items():
        monkeypatch.setenv(name, value)
    message = "expected RANK from 0 to WORLD_SIZE - 1 = 1, got 2" if rank == "2" else "RANK"
    with pytest.raises(DataError, match=message):
        launched()
