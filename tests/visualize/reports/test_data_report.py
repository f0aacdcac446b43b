"""The report of a collection: a page that is whole, small, safe and readable without a mouse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from report_page import Page

from tagsight.data.annotations import Annotations
from tagsight.data.description import describe
from tagsight.data.photos.check import Check, check_photos
from tagsight.visualize.reports.data_report import data_report

HOSTILE = "<script>alert('x')</script>"
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "nav", "ul"),
    *("li", "a", "section", "div", "table", "thead", "tbody", "tr", "th", "td", "span", "img"),
    *("figure", "figcaption", "header", "bdi", "script"),
}


@pytest.fixture
def rows(tmp_path) -> Annotations:
    """Photos with hostile names: two look alike, two are equal, one is none."""
    generator = np.random.default_rng(0)
    scenes = [generator.integers(0, 256, (9, 12, 3), np.uint8) for _ in range(4)]
    folder = tmp_path / "a & b"
    folder.mkdir()
    paths = [folder / f"{index} {'<img src=x onerror=alert(1)>'}.png" for index in range(7)]
    for path, cells in zip(paths, [*scenes, scenes[0], scenes[1]], strict=False):
        Image.fromarray(cells).resize((240, 180), Image.Resampling.BICUBIC).save(path)
    Image.open(paths[5]).point(lambda value: value * 0.97).save(paths[5])
    paths[6].write_text("no photo")
    targets = torch.tensor([[1, 0, 1], [1, 1, 0], [0, -1, 1], [0, 0, 0]] * 2)[:7]
    splits = ("train", "train", "val", "test", "train", "test", "val")
    names = (HOSTILE, "dog", 'Dog" onload="x')
    return Annotations(names, tuple(paths), targets, splits, "csv-list")


def page_of(rows: Annotations, check: Check | None, **limits: int) -> str:
    return data_report(describe(rows, check), rows, check, f"labels {HOSTILE}.csv", **limits)


def test_the_page_shows_labels_problems_copies_and_sizes(rows):
    text = page_of(rows, check_photos(rows.paths, workers=1))
    page = Page(text)
    assert [section["id"] for section in page.all("section")] == [
        *("problems", "labels", "labels-together", "copies-and-near-twins"),
        "sizes-and-colour-profiles",
    ]
    assert {link["href"][1:] for link in page.all("a")} == {s["id"] for s in page.all("section")}
    for part in (
        "7 photos (3 train, 2 val, 2 test), 3 labels",
        "expected a photo, got a file of another kind",
        "50 % of test photos (1 of 2) have a near twin or copy in train",
        "1 group of equal files",
        "1 group of photos that look alike",
        "240 x 180",
        "none, taken as sRGB",
    ):
        assert part in text, part
    assert len(page.all("img")) >= 8
    assert all(region["tabindex"] == "0" for region in page.all("div") if "role" in region)


def test_names_of_labels_and_photos_are_text_and_nothing_is_loaded(rows):
    page = Page(page_of(rows, check_photos(rows.paths, workers=1)))
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    (policy,) = [
        one["content"] for one in page.all("meta") if "content" in one and "src" in one["content"]
    ]
    assert policy.startswith("default-src 'none'; img-src data:; ")


def test_without_photos_there_are_no_pictures(rows):
    page = Page(page_of(replace(rows, paths=tuple(map(Path, "abcdefg")), root=None), None))
    assert page.all("img") == []
    assert "sizes-and-colour-profiles" not in {one["id"] for one in page.all("section")}


def test_pictures_end_where_they_would_be_too_large(rows):
    page = Page(page_of(rows, check_photos(rows.paths, workers=1), pictures_size=12_000))
    assert 0 < sum(len(image["src"]) for image in page.all("img")) <= 12_000


def test_many_labels_fit_on_a_page():
    names = tuple(f"label {index}" for index in range(500))
    paths = tuple(Path(f"{index}.jpg") for index in range(500))
    rows = Annotations(names, paths, torch.eye(500), None, "any")
    text = page_of(rows, None)
    assert "Left out: 300 rarer labels" in text
    assert len(text) < 500_000
