"""A walk through labelling, recorded: photos without labels, ten minutes, a model, its report.

Serves a folder of photos by `tagsight label`, and plays a person in Chromium who knows the labels
of a table: makes labels, judges the first photos, then what the queues offer, looks at evidence,
and writes the labels. Then `tagsight train` learns from the project and `tagsight evaluate` writes
the report. Pictures of each step go to a folder, and the seconds that the page and the commands
took are printed, with how well the model finds the labels on photos that were never judged.

    python benchmarks/label_walk.py labels.csv --images PHOTOS --labels dog cat horse --out WALK

The person takes no time to think: of ten minutes, `--thinking` seconds are counted a judgement.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_page import CHROMIUM, SWITCHES, served
from playwright.sync_api import sync_playwright

from tagsight.data.readers import read_annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tagsight.data.annotations import Annotations

FIRST, UNSURE, LIKELY = 24, 16, 16
"""Photos that are judged for each label: at first, then of two queues."""

PATIENCE = 1_800_000
"""Milliseconds that a step may take, also on a machine that does other work."""


def main() -> None:
    """Walk, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--labels", nargs="+", required=True)
    parser.add_argument("--recipe", help="by default that of tagsight train")
    parser.add_argument("--thinking", type=float, default=1.5)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rows = read_annotations(asked.table, images=asked.images).rows(asked.split)
    rows = rows.select(range(min(asked.photos, len(rows))))
    walk = Walk(rows, asked.labels, asked.out)
    walk.label()
    walk.train(asked.recipe)
    minutes = walk.judged * asked.thinking / 60
    print(f"judgements: {walk.judged}, at {asked.thinking} s each {minutes:.1f} minutes")


class Walk:
    """The steps of one walk, in order.

    Args:
        truth: The photos, and the labels that the person knows.
        labels: Those that the person looks for.
        out: Folder of the pictures and of what is made; replaced.
    """

    def __init__(self, truth: Annotations, labels: list[str], out: Path) -> None:
        shutil.rmtree(out, ignore_errors=True)
        self.album, self.project, self.out = out / "photos", out / "project", out
        self.album.mkdir(parents=True)
        for path in truth.paths:
            shutil.copy(path, self.album / path.name)
        self.truth, self.labels = truth, labels
        columns = [truth.names.index(label) for label in labels]
        self.known = {
            path.name: dict(zip(labels, row, strict=True))
            for path, row in zip(truth.paths, truth.targets[:, columns].tolist(), strict=True)
        }
        self.judged, self.steps = 0, 0

    def label(self) -> None:
        """Label photos on the page."""
        with sync_playwright() as playwright, served(self.album, self.project) as (address, _):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(PATIENCE)
            with self.timed("first picture"):
                page.goto(address)
                page.locator(".cell.loaded:not(.spare)").first.wait_for()
            self.picture(page, "begin")
            for label in self.labels:
                self.make(page, label)
                self.judge(page, label, FIRST)
            self.picture(page, "first-judgements")
            with self.timed("until all features are there"):
                page.get_by_text("Analysing photos").wait_for(state="hidden")
            for queue, count in (("Not sure", UNSURE), ("Probably yes", LIKELY)):
                for label in self.labels:
                    page.locator(".take", has_text=label).click()
                    self.choose(page, queue)
                    self.judge(page, label, count)
                self.picture(page, queue.lower().replace(" ", "-"))
            self.qualities(page)
            page.locator(".cell.loaded:not(.spare)").first.dblclick()
            page.locator(".viewer .veil").wait_for()
            self.picture(page, "evidence")
            browser.close()

    def make(self, page: Page, label: str) -> None:
        """Make a label, and take it in hand."""
        page.keyboard.press("n")
        page.fill("#new-name", label)
        page.keyboard.press("Enter")
        page.locator("#hand", has_text=label).wait_for()

    def choose(self, page: Page, queue: str) -> None:
        """Choose a queue; a person waits until it is on offer."""
        with self.timed(f"queue {queue}"):
            page.click("#queue-button")
            page.locator("#queue-dialog .choice:not([disabled])", has_text=queue).click()
            page.locator("#queue-title", has_text=queue).wait_for()
            page.locator(".cell.loaded:not(.spare)").first.wait_for()

    def judge(self, page: Page, label: str, count: int) -> None:
        """Judge the first photos that are shown, by keyboard."""
        page.keyboard.press("Escape")
        page.locator("#cell-0 .picture").click()
        for index in range(count):
            cell = page.locator(f"#cell-{index}[aria-label]:not([aria-label='Loading'])")
            if not cell.count():
                break
            name = (cell.get_attribute("aria-label") or "").split(",")[0]
            truth = self.known[Path(name).name][label]
            page.keyboard.press({1: "a", 0: "r"}.get(truth, "x"))
            self.judged += truth >= 0
        page.locator('body[data-waiting="0"]').wait_for()

    def qualities(self, page: Page) -> None:
        """Print what the page says of each label, once it has learned from all judgements."""
        labels = self.labels_of(page)
        while not all(map(is_learned, labels)):
            page.wait_for_timeout(1000)
            labels = self.labels_of(page)
        for label in labels:
            quality = label["quality"] or {}
            measured = ", ".join(f"{name} {value:.3g}" for name, value in quality.items())
            counts = f"{label['present']} present, {label['absent']} absent"
            print(f"{label['name']}: {counts}; held out: {measured or 'not measured'}")

    def labels_of(self, page: Page) -> list[dict[str, Any]]:
        """Ask the server for the labels."""
        project = page.evaluate("fetch('/label/project').then((answer) => answer.json())")
        return project["labels"]

    def train(self, recipe: str | None) -> None:
        """Learn from the project, and measure on photos that nobody judged."""
        run, rest = self.out / "run", self.out / "never-judged.csv"
        with self.timed("tagsight train"):
            chosen = () if recipe is None else ("--recipe", recipe)
            tagsight("train", str(self.project), *chosen, "--out", str(run))
        judged = {path.name for path in read_annotations(self.project).paths}
        with rest.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["image", "split", *self.labels])
            for name, known in self.known.items():
                if name not in judged:
                    table.writerow([name, "test", *("" if v < 0 else v for v in known.values())])
        report = self.out / "report.html"
        with self.timed("tagsight evaluate"):
            answer = tagsight(
                "evaluate",
                str(run / "model"),
                str(rest),
                "--images",
                str(self.album),
                "--html",
                str(report),
                "--json",
            )
        print(f"mAP on photos never judged: {json.loads(answer)['mAP']}")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(report.resolve().as_uri())
            self.picture(page, "report")
            browser.close()

    def picture(self, page: Page, name: str) -> None:
        """Keep a picture of a step."""
        self.steps += 1
        page.wait_for_timeout(500)
        page.screenshot(path=self.out / f"{self.steps}-{name}.png")

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Print the seconds of a step."""
        began = time.perf_counter()
        yield
        print(f"{what}: {time.perf_counter() - began:.1f} s", flush=True)


def is_learned(label: dict[str, Any]) -> bool:
    """Return whether the measured quality of a label is that after its last judgement."""
    quality = label["quality"]
    return quality is None or quality["held_out"] == label["present"] + label["absent"]


def tagsight(*arguments: str) -> str:
    """Run a command, and return what it prints."""
    command = [sys.executable, "-m", "tagsight", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
