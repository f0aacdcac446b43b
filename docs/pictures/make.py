"""Make the pictures of the README from the photos of ``make demo``, with Chromium.

Run as ``make pictures``, or ``python docs/pictures/make.py DEMO`` with what `tagsight demo` wrote.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
TAGSIGHT = [sys.executable, "-m", "tagsight"]
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WIDE = {"width": 1280, "height": 800}
SEARCHED = "bird and not car"


def main(demo: Path) -> None:
    """Make all of them.

    Args:
        demo: The folder that `tagsight demo` wrote.
    """
    model, photos = demo / "gcam" / "model", demo / "photos"
    explained = sorted(p for p in (demo / "evidence").glob("*.png") if "." not in p.stem)
    shown = sorted((next(photos.rglob(f"{sheet.stem}.*")) for sheet in explained), key=upright)
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        index = Path(temporary) / "index"
        subprocess.run([*TAGSIGHT, "index", model, photos, "--out", index], check=True)
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=SWITCHES
        )
        with served(model, index) as address:
            page = browser.new_page(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
            arrive(page, address)
            picture_evidence(page, shown)
            picture_search(page)
        browser.close()
    with Image.open(explained[0]) as sheet:
        sheet.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
        sheet.save(HERE / "evidence.png", optimize=True)


def upright(photo: Path) -> float:
    """How high a photo is for its width: the widest are shown first."""
    with Image.open(photo) as opened:
        return opened.height / opened.width


@contextmanager
def served(model: Path, index: Path) -> Iterator[str]:
    """Give the address of a server that answers, and end it with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [*TAGSIGHT, "serve", str(model), "--index", str(index), "--port", port]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        next(line for line in server.stderr if "listening" in line)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def picture_evidence(page: Page, shown: list[Path]) -> None:
    """Take the page with some photos, and the evidence for a label of the first of them."""
    page.set_input_files("#file", [str(photo) for photo in shown])
    page.locator(".strip .done").nth(len(shown) - 1).wait_for()
    page.locator(".strip button").first.click()
    page.locator("#similar-photos img[src]").first.wait_for(state="attached")
    page.locator("#found .name").nth(1).hover()
    page.locator("#veil").wait_for()
    page.screenshot(path=HERE / "page.png")


def arrive(page: Page, address: str) -> None:
    """Open a page whose server may need a moment more."""
    for _ in range(100):
        try:
            page.goto(address)
        except Exception:
            page.wait_for_timeout(200)
        else:
            return
    page.goto(address)


def picture_search(page: Page) -> None:
    """Take the page with what a search by labels has found."""
    page.click("#tab-search")
    page.fill("#where", SEARCHED)
    page.keyboard.press("Enter")
    page.locator("#search-photos img[src]").nth(11).wait_for()
    page.screenshot(path=HERE / "search.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo"))
