"""Make the pictures of the README and of the how-to guides from photos under free licences.

Run as ``make pictures MODEL=FOLDER``, or ``python docs/pictures/make.py FOLDER``; README.md beside
this file says how the model was trained. It takes the photos beside this file and those that the
package scikit-image has in ``skimage/data``, and needs Chromium.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

HERE = Path(__file__).parent
PHOTOS = HERE / "photos"
SHOWN = [PHOTOS / f"{name}.jpg" for name in ("together", "chelsea", "astronaut", "camera")]
"""The photos on the page; of the first also the evidence is shown."""

OTHERS = ("brick.png", "cell.png", "clock_motion.png", "coffee.png", "grass.png", "gravel.png")
OTHERS += ("hubble_deep_field.jpg", "retina.jpg", "rocket.jpg")
"""Further photos, of scikit-image."""

DETAILS = {"chelsea": (90, 40, 390, 280), "astronaut": (130, 0, 370, 200)}
"""Parts of photos that the labelling page has beside them, in pixels."""

JUDGED = {
    "animal/cat": "chelsea chelsea-detail together",
    "person": "astronaut astronaut-detail camera together",
    "space": "astronaut hubble_deep_field rocket",
    "texture": "brick grass gravel",
}
"""Labels, and the photos that have them."""

UNJUDGED = ("clock_motion", "coffee")
"""Photos that stay unjudged."""

HAS = {"cat": ("chelsea", "together"), "person": ("astronaut", "camera", "together")}
"""What the photos of the report have; all parts of them have it too."""

WINDOW = 0.7
"""Share of width and height of the parts in the report, one in each corner of a photo."""

TAGSIGHT = [sys.executable, "-m", "tagsight"]
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WIDE = {"width": 1280, "height": 800}


def main(model: Path) -> None:
    """Make all of them.

    Args:
        model: The model folder.
    """
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        work = Path(temporary)
        album, parts = collect(work / "album"), work / "photos"
        labels = cut(album, parts, work / "labels.csv")
        picture_evidence(model, work / "evidence")
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=SWITCHES
        )
        page = browser.new_page(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
        page.set_default_timeout(300_000)
        picture_server(page, model, [path for path in parts.iterdir() if shows(path)], work)
        picture_labelling(page, album, work / "project")
        picture_report(page, model, labels, parts, work / "report.html")
        browser.close()


def collect(album: Path) -> Path:
    """Copy all photos, and the details of some, into one folder."""
    album.mkdir()
    found = find_spec("skimage")
    if found is None or found.submodule_search_locations is None:
        sys.exit("expected scikit-image, whose photos are shown: pip install scikit-image")
    folder = Path(found.submodule_search_locations[0]) / "data"
    for photo in (*SHOWN, *(folder / name for name in OTHERS)):
        with Image.open(photo) as opened:
            whole = opened.convert("RGB")
        whole.save(album / f"{photo.stem}.jpg", quality=92)
        if photo.stem in DETAILS:
            detail = whole.crop(DETAILS[photo.stem])
            detail.save(album / f"{photo.stem}-detail.jpg", quality=92)
    return album


def tagsight(*arguments: object) -> None:
    """Run a command."""
    subprocess.run([*TAGSIGHT, *map(str, arguments)], check=True)


@contextmanager
def running(*arguments: object) -> Iterator[str]:
    """Give the address that a command prints when it serves, and end it with the block."""
    command = [*TAGSIGHT, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            line = next(line for line in server.stdout if "http://" in line)
            yield next(word.rstrip(";") for word in line.split() if word.startswith("http://"))
        finally:
            server.terminate()


def picture_evidence(model: Path, folder: Path) -> None:
    """Keep the sheet of ``tagsight explain``."""
    tagsight("explain", model, SHOWN[0], "--out", folder)
    with Image.open(folder / f"{SHOWN[0].stem}.png") as sheet:
        sheet.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
        sheet.save(HERE / "evidence.png", optimize=True)


def shows(part: Path) -> bool:
    """Tell whether a part is of one of the four photos that the model is for."""
    return part.stem.rpartition("-")[0] in {photo.stem for photo in SHOWN}


def picture_server(page: Page, model: Path, indexed: list[Path], work: Path) -> None:
    """Take the page of ``tagsight serve``: photos with evidence, the index, the label graph."""
    index = work / "index"
    tagsight("index", model, *indexed, "--out", index)
    with running("serve", model, "--index", index, "--port", "8917") as address:
        arrive(page, address)
        page.set_input_files("#file", [str(photo) for photo in SHOWN])
        page.locator(".strip .done").nth(len(SHOWN) - 1).wait_for()
        page.locator(".strip button").first.click()
        page.locator("#similar-photos li").first.wait_for(state="attached")
        page.locator("#found .name").first.hover()
        keep(page, "page")
        page.click("#tab-search")
        page.locator(".chips button").first.wait_for()
        page.locator("#search-photos img[src]").nth(11).wait_for(state="attached")
        page.mouse.move(5, 5)
        keep(page, "search")
        page.click("#tab-graph")
        page.locator(".graph .one", has_text="sofa").hover()
        keep(page, "graph")


def picture_labelling(page: Page, album: Path, project: Path) -> None:
    """Take the page of ``tagsight label``: its grid, and a photo with evidence."""
    names = sorted(path.stem for path in album.iterdir())
    with running("label", album, "--project", project, "--port", "0", "--no-browser") as address:
        page.goto(address)
        page.locator("#progress-text", has_text=f"{len(names)} photos").wait_for()
        for label, having in JUDGED.items():
            page.keyboard.press("n")
            page.fill("#new-name", label)
            page.keyboard.press("Enter")
            page.locator("#hand", has_text=label).wait_for()
            page.keyboard.press("Escape")
            page.locator("#cell-0 .picture").click()
            for name in names:
                page.keyboard.press(
                    "x" if name in UNJUDGED else "a" if name in having.split() else "r"
                )
        page.locator('body[data-waiting="0"]').wait_for()
        page.locator(".take", has_text="cat").click()
        page.locator("#cell-14 .score", has_text="%").wait_for()
        page.locator("#cell-8 .picture").click()
        page.mouse.move(5, 5)
        keep(page, "label-grid")
        place = names.index("together")
        page.locator(f"#cell-{place} .picture").dblclick()
        page.locator(".viewer .veil").wait_for()
        keep(page, "label-photo")


def picture_report(page: Page, model: Path, labels: Path, parts: Path, report: Path) -> None:
    """Take the report of the model on parts of the photos."""
    tagsight("evaluate", model, labels, "--images", parts, "--html", report)
    page.goto(report.as_uri())
    keep(page, "report")
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#labels").evaluate("section => section.scrollIntoView()")
    keep(page, "report-labels")


def cut(album: Path, parts: Path, labels: Path) -> Path:
    """Write parts of the photos into a folder, and a table of what they have."""
    parts.mkdir()
    with labels.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "split", *HAS])
        for path in sorted(album.glob("*.jpg")):
            if path.stem.endswith("-detail"):
                continue
            has = [int(path.stem in having) for having in HAS.values()]
            with Image.open(path) as whole:
                shown = [whole.copy()] if path.stem == "together" else list(windows(whole))
            for number, part in enumerate(shown):
                name = f"{path.stem}-{number}.jpg"
                part.save(parts / name, quality=92)
                table.writerow([name, "test", *has])
    return labels


def windows(photo: Image.Image) -> Iterator[Image.Image]:
    """Yield a photo, and the part in each of its corners."""
    yield photo.copy()
    width, height = (round(WINDOW * side) for side in photo.size)
    for left in (0, photo.width - width):
        for top in (0, photo.height - height):
            yield photo.crop((left, top, left + width, top + height))


def keep(page: Page, name: str) -> None:
    """Keep what the page shows."""
    page.wait_for_timeout(500)
    page.screenshot(path=HERE / f"{name}.png")


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
