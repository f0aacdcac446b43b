"""Reports in Chromium: sorted by keyboard, without a request, and accessible in light and dark."""

from pathlib import Path

import pytest
import torch
from accessible import require_accessible

from tagsight.data.annotations import Annotations
from tagsight.evaluation.label_errors import LabelError
from tagsight.visualize.reports.elements import Html, name
from tagsight.visualize.reports.label_error_page import ShownError, label_errors_page
from tagsight.visualize.reports.page import Cell, Column, Section, html_page, row, table

LONG = "label " * 50


def table_of_labels() -> str:
    columns = [Column("label", number=False), Column("AP"), Column("photos")]
    rows = [
        row(columns, [name("dog"), Cell("71.4", 71.4), "1,200"]),
        row(columns, [name("cat"), Cell("-", None), "90"]),
        row(columns, [name(LONG), Cell("9.0", 9.0), "100"]),
    ]
    return html_page("<i>", Html(), [Section("Labels", table("Labels", columns, rows))])


def test_tables_are_sorted_by_keyboard_with_undefined_values_last(opened):
    page = opened(table_of_labels())
    first = "tbody tr:first-child th"
    heading = page.locator("thead button", has_text="AP")
    heading.focus()
    page.keyboard.press("Enter")
    assert page.inner_text(first) == "dog"
    page.keyboard.press("Enter")
    assert page.inner_text(first) == LONG.strip()
    assert page.inner_text("tbody tr:last-child th") == "cat"
    assert page.get_attribute("th:has-text('AP')", "aria-sort") == "ascending"
    page.get_by_role("button", name="photos").click()
    assert page.inner_text(first) == "dog"


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_reports_are_accessible_and_keep_to_the_width(opened, width, scheme):
    page = opened(table_of_labels(), width, scheme)
    require_accessible(page)


def test_wrong_labels_are_corrected_by_keyboard_and_go_into_a_new_table(opened):
    paths = tuple(Path(f"{number}.jpg") for number in range(3))
    targets = torch.tensor([[1, 0], [0, 1], [1, -1]])
    rows = Annotations(('dog, "big"', "sky"), paths, targets, ("train", "val", "test"), "any")
    wrong = [(0, 0, 1), (1, 1, 1), (1, 0, 0)]
    shown = [ShownError(LabelError(*one, 0.1, 0.9, ("photo",)), None) for one in wrong]
    page = opened(label_errors_page(rows, shown, "labels.csv"))
    for key in "aaku":  # the first key only takes the first label
        page.keyboard.press(key)
    assert page.locator("[role=status]").all_inner_texts() == ["corrected", "kept", "unknown"]
    pressed = page.locator("button[aria-pressed=true]").all_inner_texts()
    assert pressed == ["Make it absent (a)", "Keep present (k)", "Unknown (u)"]
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.type) or dialog.accept())
    page.reload()
    assert dialogs == ["beforeunload"], "what was chosen is not lost unasked"
    for key in "aaku":
        page.keyboard.press(key)
    assert "2 of 3" in page.locator("#save").inner_text()
    with page.expect_download() as download:
        page.locator("#save").click()
    written = download.value.path().read_text()
    assert written.splitlines() == [
        'image,split,"dog, ""big""",sky', "0.jpg,train,0,0", "1.jpg,val,,1", "2.jpg,test,1,",
    ]  # fmt: skip
