"""Make the pictures of the README from the photos beside this file, with Chromium.

Run as ``make pictures MODEL=FOLDER``, or ``python docs/pictures/make.py FOLDER``; README.md beside
this file says how the model was trained.
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
PHOTOS = HERE / "photos"
SHOWN = [PHOTOS / f"{name}.jpg" for name in ("together", "chelsea", "astronaut", "camera")]
"""The photos on the page; of the first also the evidence is shown."""

TAGSIGHT = [sys.executable, "-m", "tagsight"]
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WIDE = {"width": 1280, "height": 800}


def main(model: Path) -> None:
    """Make all of them.

    Args:
        model: The model folder.
    """
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        index, evidence = Path(temporary) / "index", Path(temporary) / "evidence"
        subprocess.run([*TAGSIGHT, "index", model, PHOTOS, "--out", index], check=True)
        subprocess.run([*TAGSIGHT, "explain", model, SHOWN[0], "--out", evidence], check=True)
        with Image.open(evidence / f"{SHOWN[0].stem}.png") as sheet:
            sheet.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
            sheet.save(HERE / "evidence.png", optimize=True)
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=SWITCHES
        )
        with served(model, index) as address:
            page = browser.new_page(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
            arrive(page, address)
            picture_page(page)
        browser.close()


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


def picture_page(page: Page) -> None:
    """Take the page with the photos, and the evidence for a label of the first of them."""
    page.set_input_files("#file", [str(photo) for photo in SHOWN])
    page.locator(".strip .done").nth(len(SHOWN) - 1).wait_for()
    page.locator(".strip button").first.click()
    page.locator("#similar-photos img[src]").first.wait_for(state="attached")
    page.locator("#found .name").first.hover()
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
