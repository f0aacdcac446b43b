"""The page on which labels that are probably wrong are looked through."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from report_page import Page

from tagsight.data.annotations import Annotations
from tagsight.data.photos.resizing import WHOLE
from tagsight.errors import DataError
from tagsight.evaluation.label_errors import LabelError
from tagsight.visualize.reports import label_error_page
from tagsight.visualize.reports.label_error_page import ErrorEvidence, ShownError, label_errors_page

HOSTILE = "</script><script>alert('x')</script>"


@pytest.fixture
def rows(tmp_path) -> Annotations:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.new("RGB", (64, 48), "orange").save(path)
    targets = torch.tensor([[1, 0], [0, -1], [1, 1]])
    return Annotations((HOSTILE, "dog"), tuple(paths), targets, None, "csv-list")


def shown(evidence: bool = True) -> list[ShownError]:
    map_ = np.array([[0, 4], [0, 0]], np.float32)
    place = ErrorEvidence(map_, 16.0, WHOLE) if evidence else None
    return [ShownError(LabelError(2, 0, 1, 0.03, 0.97, ("photo", "twins")), place)]


def test_a_label_stands_with_its_photo_evidence_and_both_opinions(rows):
    page = Page(label_errors_page(rows, shown(), "labels.csv"))
    assert len(page.all("img")) == 2
    for part in (
        "the table says present",
        "probably absent (97%)",
        "opposite",
        "score 0.03",
        "16 logits",
    ):
        assert part in page.text


def test_where_nothing_is_evidence_the_photo_stands_once_and_the_page_says_so(rows):
    nowhere = ErrorEvidence(np.full((2, 2), -1, np.float32), 0.0, WHOLE)
    page = Page(label_errors_page(rows, [shown()[0]._replace(evidence=nowhere)], "labels.csv"))
    assert len(page.all("img")) == 1
    assert "nothing in the photo is evidence for" in page.text


def test_the_page_holds_the_table_and_neither_requests_nor_runs_what_it_shows(rows):
    written = label_errors_page(rows, shown(), "labels.csv")
    page = Page(written)
    assert page.data["targets"] == ["10", "0-", "11"]
    assert page.data["names"] == [HOSTILE, "dog"]
    assert page.data["errors"] == [[2, 0]]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert len(page.all("script")) == 3  # the data, the tables' and the page's
    assert HOSTILE not in written


def test_a_page_says_how_many_labels_it_leaves_out(rows, monkeypatch):
    monkeypatch.setattr(label_error_page, "MOST_SHOWN", 1)
    page = Page(label_errors_page(rows, shown() * 3, "labels.csv"))
    assert "3 labels that may be wrong" in page.text
    assert "the first 1 of which" in page.text


def test_a_photo_that_does_not_open_has_no_picture(rows):
    Path(rows.paths[2]).write_bytes(b"no photo")
    assert Page(label_errors_page(rows, shown(), "labels.csv")).all("img") == []


def test_a_table_that_is_too_large_for_a_page_is_refused(rows, monkeypatch):
    monkeypatch.setattr(label_error_page, "LARGEST_TABLE", 10)
    with pytest.raises(DataError, match="at most 10 characters"):
        label_errors_page(rows, shown(), "labels.csv")
