from __future__ import annotations

import io
import json
import math
import re

import pytest
from rich.console import Console
from rich.live import Live

from tagsight.runtime import progress as progress_module
from tagsight.runtime.progress import progress
from tagsight.training.log import RunLog
from tagsight.training.loop import Step


def step(number: int, *, epoch: int = 0, labels: float = 0.5, ends_epoch: bool = False) -> Step:
    losses = {"labels": labels, "consistency": 0.25}
    return Step(epoch, number, losses, 0.001, 40.0, ends_epoch)


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=150, color_system=None)


def said(console: Console) -> str:
    return console.file.getvalue()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(progress_module, "LINE_EVERY", 0.0)


def test_every_step_is_a_line_of_json_with_every_named_term(tmp_path):
    path = tmp_path / "run" / "run.jsonl"
    with RunLog(path, 10, console()) as log:
        log.step(step(1, labels=0.5))
        log.step(step(2, labels=0.25))
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["kind"] == "step"
    assert first["losses"] == {"labels": 0.5, "consistency": 0.25}
    assert (first["loss"], first["lr"], first["photos_per_second"]) == (0.75, 0.001, 40.0)
    assert (second["epoch"], second["step"]) == (1, 2)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", second["time"])


def test_epochs_are_counted_from_1_and_lines_are_on_the_disk_at_once(tmp_path):
    path = tmp_path / "run.jsonl"
    for _ in range(2):  # a second run overwrites the file
        with RunLog(path, 10, console()) as log:
            log.step(step(4, ends_epoch=True))
            log.epoch(0, {"mAP": 61.5, "labels_counted": 12, "labels": 13})
            log.epoch(1, {"mAP": None, "labels_counted": 0, "labels": 1, "loss": math.nan})
            first, second = [json.loads(line) for line in path.read_text().splitlines()][1:]
    assert (first["kind"], first["epoch"], first["step"]) == ("epoch", 1, 4)
    assert (first["mAP"], first["labels_counted"]) == (61.5, 12)
    assert (second["mAP"], second["loss"]) == (None, None)


def test_a_run_that_goes_on_keeps_the_lines_up_to_where_it_goes_on(tmp_path):
    path = tmp_path / "run.jsonl"
    with RunLog(path, 10, console()) as log:
        log.note("begun")
        log.step(step(1))
        log.step(step(2, ends_epoch=True))
        log.epoch(0, {"mAP": 40.0, "labels_counted": 3, "labels": 3})
        log.step(step(3, epoch=1))
    with path.open("a") as file:
        file.write('{"kind": "st')  # what a killed process wrote last
    out = console()
    with RunLog(path, 10, out) as log:
        log.resume(2)
        log.step(step(3, epoch=1, labels=0.25))
        log.epoch(1, {"mAP": 30.0, "labels_counted": 3, "labels": 3})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["note", "step", "step", "epoch", "step", "epoch"]
    assert lines[4]["losses"]["labels"] == 0.25
    assert "epoch 2: mAP 30.0 over 3 labels; best mAP 40.0" in said(out)


def test_the_time_left_of_a_run_that_goes_on_is_that_of_the_steps_left(impatient, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(clock))
    out = console()
    with RunLog(None, 100, out) as log:
        log.resume(98)
        log.step(step(99))
    assert re.match(r"training  99/100  0:\d\d left", said(out).splitlines()[-1])


def test_the_time_left_of_training_does_not_count_the_work_before_it(impatient, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(clock))
    out = console()
    with RunLog(None, 4, out) as log:
        with log.work("frozen stages", 100) as advance:
            for done in range(1, 101):
                advance(done)
        log.step(step(2))
    before, after = said(out).splitlines()[-2:]
    assert before.startswith("frozen stages  100/100  0:00 left")
    assert re.match(r"training  2/4  0:\d\d left", after)


@pytest.mark.usefixtures("impatient")
def test_plain_lines_say_how_far_it_is_and_how_long_it_takes():
    screen = console()
    with RunLog(None, 10, screen) as log:  # writes no file
        log.epoch(0, {"mAP": 61.5, "labels_counted": 12, "labels": 13})
        log.step(step(5))
    line = said(screen).splitlines()[-1]
    for part in (
        "5/10",
        " left",
        "epoch 1",
        "loss 0.75",
        "mAP 61.5",
        "40 photos/s",
    ):
        assert part in line


def test_notes_and_epochs_stay_and_the_words_beside_the_bar_fit_80_columns():
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with RunLog(None, 1875, screen) as log:
        log.note("[red]label[/red] :smile:")
        log.epoch(0, {"mAP": 61.5, "labels_counted": 12, "labels": 13})
        log.step(step(1240, epoch=9))
    text = said(screen)
    assert "[red]label[/red] :smile:" in text
    assert "epoch 1: mAP 61.5 over 12 of 13 labels; best mAP 61.5" in text
    for part in ("1,240/1,875", "left", "epoch 10", "loss 0.75", "mAP 61.5", "40 photos/s"):
        assert part in text


def test_the_terminal_is_given_back_when_the_work_fails():
    screen = console(terminal=True)

    def work() -> None:
        with progress("tagging", console=screen):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert said(screen).rindex(shown) > said(screen).rindex(hidden)


@pytest.mark.usefixtures("impatient")
def test_work_of_unknown_length_counts_without_a_time_left_until_the_total_is_known():
    screen = console()
    with progress("tagging", console=screen) as advance:
        advance(1200)
        advance(1300, 2600)
    first, second = said(screen).splitlines()
    assert first == "tagging  1,200"
    assert second.startswith("tagging  1,300/2,600  0:00 left")


@pytest.mark.parametrize("widgets", [False, True])
def test_a_notebook_has_a_bar_if_ipywidgets_is_installed_else_lines(
    impatient, monkeypatch, widgets: bool
):
    monkeypatch.setattr(progress_module, "find_spec", lambda _: object() if widgets else None)
    shown = []
    monkeypatch.setattr(Live, "refresh", lambda self: shown.append(self.console.is_jupyter))
    screen = Console(file=io.StringIO(), force_jupyter=True)
    lines = []
    monkeypatch.setattr(progress_module, "print_line", lambda _, text: lines.append(text))
    with progress("tagging", 4, console=screen) as advance:
        advance(2)
    assert bool(shown) == widgets
    assert [line.startswith("tagging  2/4") for line in lines] == ([] if widgets else [True])
