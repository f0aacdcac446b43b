"""How fast the labelling page shows its first picture and how smoothly 100,000 photos scroll.

The command serves a folder of hard links to a few drawn photos, and goes on to compute features
meanwhile. A page in Chromium is opened and scrolled by script, at several speeds; beside each rate
stands the processor time that a frame takes, which does not depend on what else the machine does:
of the page's main thread, of all threads of the page, and of the process that puts its layers
together. If the main thread and that process take less than 16.7 ms, there is time for 60 frames a
second. A bare page with many thumbnails, all of them elements and without a script, is scrolled
likewise, for comparison.

    python benchmarks/label_page.py [--photos 100000] [--seconds 3]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import CDPSession, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FILES, SIZE = 24, (1200, 800)
SPEEDS = {"slowly": 300, "fast": 2_000, "by the bar": 100_000}
"""Pixels per second."""

SCROLL = """([selector, speed, seconds]) => new Promise((done) => {
    const view = selector ? document.querySelector(selector) : document.scrollingElement;
    const times = [];
    const start = performance.now();
    let before = start;
    requestAnimationFrame(function frame(now) {
        times.push(now - before);
        view.scrollTop += (speed * (now - before)) / 1000;
        before = now;
        if (now - start < 1000 * seconds) requestAnimationFrame(frame);
        else done(times.slice(1).sort((one, other) => one - other));
    });
})"""

BARE = """(count) => {
    document.body.replaceChildren(...Array.from({ length: count }, () => {
        const image = new Image(200, 160);
        image.src = "/label/photos/1/thumbnail";
        return image;
    }));
}"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3)
    asked, _ = parser.parse_known_args()
    if CHROMIUM is None or find_spec("playwright") is None:
        print("left out: it needs Chromium and the extra 'browser' (make test-browser)")
        return
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        album = draw_album(Path(temporary) / "album", asked.photos)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        with served(album, Path(temporary) / "project") as (address, seconds):
            print(f"{asked.photos:,} photos; load average {os.getloadavg()[0]:.1f}")
            print(f"command until its page is served: {seconds:.1f} s")
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            print(f"page until its first picture is shown: {first_picture(page, address):.2f} s")
            wait_for_all(page, asked.photos)
            print(f"the same when it knows all photos: {first_picture(page, address):.2f} s")
            print(f"elements for photos: {page.locator('.cell').count()}")
            for name, speed in SPEEDS.items():
                report(page, f"scrolled {name}", "#grid", speed, asked.seconds)
            page.evaluate(BARE, 1000)
            report(page, "a bare page, fast", "", SPEEDS["fast"], asked.seconds)
        browser.close()


def draw_album(folder: Path, count: int) -> Path:
    """Make a folder of hard links to a few photos of coarse noise."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        if number < FILES:
            coarse = chance.integers(0, 256, (12, 18, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(path)
        else:
            path.hardlink_to(folder / f"{number % FILES:06}.jpg")
    return folder


@contextmanager
def served(album: Path, project: Path) -> Iterator[tuple[str, float]]:
    """Run the command; give the address of its page, and the seconds until it was there."""
    command = [sys.executable, "-m", "tagsight", "label", str(album), "--project", str(project)]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--port", "0", "--no-browser"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            address = next(line for line in server.stdout if "token=" in line).strip()
            yield address, time.perf_counter() - began
        finally:
            server.terminate()


def first_picture(page: Page, address: str) -> float:
    """Open the page; return the seconds until it shows a picture."""
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(".cell.loaded:not(.spare)").first.wait_for(timeout=120_000)
    return time.perf_counter() - began


def wait_for_all(page: Page, count: int) -> None:
    """Wait until the search of the folder is over, and the page knows all photos."""
    for _ in range(120):
        page.reload()
        page.locator("#queue-count", has_text="photos").wait_for()
        if f"{count:,}" in page.locator("#queue-count").inner_text():
            return
        page.wait_for_timeout(1000)


def report(page: Page, name: str, selector: str, speed: float, seconds: float) -> None:
    """Scroll, and print the rate and the time of frames."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before, all_before = main_thread(session), processes(page)
    times = page.evaluate(SCROLL, [selector, speed, seconds])
    spent = 1000 * (main_thread(session) - before) / len(times)
    whole, drawing = (
        1000 * (now - then) / len(times)
        for now, then in zip(processes(page), all_before, strict=True)
    )
    print(
        f"{name}, {speed:,.0f} pixels a second: {1000 * len(times) / sum(times):.0f} frames a "
        f"second, 95 % within {times[int(0.95 * len(times))]:.0f} ms, main thread {spent:.1f} ms, "
        f"page {whole:.1f} ms, layers {drawing:.1f} ms"
    )


def main_thread(session: CDPSession) -> float:
    """Processor seconds that the main thread of the page has taken."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def processes(page: Page) -> tuple[float, float]:
    """Processor seconds that the processes of pages have taken, and the one that draws layers."""
    assert page.context.browser is not None
    session = page.context.browser.new_browser_cdp_session()
    known = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    page_time, drawing = (
        sum(one["cpuTime"] for one in known if one["type"] == kind) for kind in ("renderer", "GPU")
    )
    return page_time, drawing


if __name__ == "__main__":
    main()
