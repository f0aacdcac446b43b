import io
import json
import math
import re
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.live import Live

from tagsight.runtime import progress as progress_module
from tagsight.runtime.progress import progress
from tagsight.training.log import RunLog
from tagsight.training.loop import Step

MEASURED = {"mAP": 61.5, "labels_counted": 12, "labels": 13}


def step(number: int, *, epoch: int = 0, labels: float = 0.5, ends_epoch: bool = False) -> Step:
    losses = {"labels": labels, "consistency": 0.25}
    return Step(epoch, number, losses, 0.001, 40.0, ends_epoch)


def console(*, terminal: bool = False, width: int = 150) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def said(console: Console) -> str:
    return console.file.getvalue()


@pytest.fixture
def impatient(monkeypatch):
    """A line for every advance, on a clock that jumps."""
    monkeypatch.setattr(progress_module, "LINE_EVERY", 0.0)
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))


@pytest.mark.parametrize(
    ("epochs", "shown"), [(3, [1, 2, 3]), (40, [*range(1, 41)]), (300, [1, *range(15, 301, 15)])]
)
def test_epochs_are_shown_each_or_now_and_then_and_recorded_all(tmp_path, epochs, shown):
    path, out = tmp_path / "run.jsonl", console()
    with RunLog(path, 2 * epochs, out) as log:
        for epoch in range(epochs):
            log.step(step(2 * epoch + 2, epoch=epoch, ends_epoch=True))
            log.epoch(epoch, MEASURED | {"mAP": 90.0 if epoch == 1 else 61.5})
    lines = re.findall(r"^epoch (\d+): mAP", said(out), re.MULTILINE)
    assert [int(epoch) for epoch in lines] == shown
    assert said(out).strip().endswith("highest 90.0")
    assert path.read_text().count('"kind": "epoch"') == epochs


def test_steps_and_epochs_are_lines_of_json_on_the_disk_at_once(tmp_path):
    path = tmp_path / "run" / "run.jsonl"
    for _ in range(2):  # a second run overwrites the file
        with RunLog(path, 10, console()) as log:
            log.step(step(4, ends_epoch=True))
            log.epoch(0, MEASURED)
            log.epoch(1, {"mAP": None, "labels_counted": 0, "labels": 1, "loss": math.nan})
            made, first, second = map(json.loads, path.read_text().splitlines())
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", made.pop("time"))
    losses = {"loss": 0.75, "losses": {"labels": 0.5, "consistency": 0.25}}
    rates = {"lr": 0.001, "photos_per_second": 40.0}
    assert made == {"kind": "step", "epoch": 1, "step": 4} | losses | rates
    assert first.items() >= {"kind": "epoch", "epoch": 1, "step": 4, **MEASURED}.items()
    assert (second["mAP"], second["loss"]) == (None, None)


def test_a_run_that_goes_on_keeps_the_lines_up_to_where_it_goes_on(tmp_path):
    path = tmp_path / "run.jsonl"
    with RunLog(path, 10, console()) as log:
        log.note("begun")
        log.step(step(1))
        log.step(step(2, ends_epoch=True))
        log.epoch(0, MEASURED)
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
    assert "epoch 2: mAP 30.0 over 3 labels; highest 61.5" in said(out)


@pytest.mark.usefixtures("impatient")
def test_the_time_left_counts_neither_the_steps_of_an_earlier_run_nor_the_work_before():
    out = console()
    with RunLog(None, 100, out) as log:
        with log.work("frozen stages", 100) as advance:
            for done in range(1, 101):
                advance(done)
        log.resume(98)
        log.step(step(99))
    before, after = said(out).splitlines()[-2:]
    assert before.startswith("frozen stages  100/100  0:00 left")
    assert re.match(r"training  99/100  0:[1-5]\d left", after)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("terminal", [False, True])
def test_lines_and_the_words_beside_a_bar_of_80_columns_say_how_far_it_is(terminal):
    screen = console(terminal=terminal, width=80)
    with RunLog(None, 1875, screen) as log:  # writes no file
        log.note("[red]label[/red] :smile:")
        log.epoch(0, MEASURED)
        log.step(step(1240, epoch=9))
    text = said(screen)
    assert "[red]label[/red] :smile:" in text
    assert "epoch 1: mAP 61.5 over 12 of 13 labels; highest 61.5" in text
    for part in ("1,240/1,875", " left", "epoch 10", "loss 0.75", "mAP 61.5", "40 photos/s"):
        assert part in text


def test_the_terminal_is_given_back_when_the_work_fails():
    screen = console(terminal=True)
    with pytest.raises(ValueError, match="broken"), progress("tagging", console=screen):
        raise ValueError("broken")
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert said(screen).rindex(shown) > said(screen).rindex(hidden)


@pytest.mark.usefixtures("impatient")
def test_work_of_unknown_length_counts_without_a_time_left_until_the_total_is_known():
    screen = console()
    with progress("tagging", console=screen) as advance:
        advance(1200)
        advance(2600, 2600)
    first, second = said(screen).splitlines()
    assert first == "tagging  1,200"
    assert second.startswith("tagging  2,600/2,600  0:00 left")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("widgets", [False, True])
def test_a_notebook_has_a_bar_if_ipywidgets_is_installed_else_lines(monkeypatch, widgets):
    shown, lines = [], []
    monkeypatch.setattr(progress_module, "find_spec", lambda _: object() if widgets else None)
    monkeypatch.setattr(Live, "refresh", lambda self: shown.append(self.console.is_jupyter))
    monkeypatch.setattr(progress_module, "print_message", lambda _, text: lines.append(text))
    screen = Console(file=io.StringIO(), force_jupyter=True)
    with progress("tagging", 4, console=screen) as advance:
        advance(2)
    assert bool(shown) == widgets
    assert [line.startswith("tagging  2/4") for line in lines] == ([] if widgets else [True])
