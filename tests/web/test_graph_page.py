"""The label graph of the page in Chromium."""

from itertools import combinations
from typing import Any

import pytest
from tiny_graph import gcam_recognizer


@pytest.fixture(scope="module")
def address(start) -> str:
    return start(gcam_recognizer()).address


def boxes(page: Any) -> list[dict[str, float]]:
    return [node.bounding_box() for node in page.locator(".graph .node").all()]


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    return any(
        one[axis] + one[size] <= other[axis] or other[axis] + other[size] <= one[axis]
        for axis, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.parametrize("width", [390, 1440])
def test_labels_are_drawn_apart_within_the_width_and_listed(visit, address, width):
    page = visit(address, (width, 900))
    page.click("#tab-graph")
    page.locator(".graph svg").wait_for()
    drawn = boxes(page)
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in drawn)
    assert all(apart(*pair) for pair in combinations(drawn, 2))
    assert page.locator(".graph .edge").count() == page.locator("#graph-rows tr").count() > 0
    alone = page.locator("#graph-alone-names li").count()
    labels = int(page.locator("#model-line").text_content().split("·")[1].split()[0])
    assert len(drawn) + alone == labels


def test_the_strength_of_arrows_is_shown_where_one_points(visit, address):
    page = visit(address)
    page.click("#tab-graph")
    page.locator(".graph svg").wait_for()
    assert not page.locator(".strength.from").count()
    source, target, weight = page.locator("#graph-rows tr").first.locator("td").all_text_contents()
    page.get_by_role("img", name=f"{source}: ").hover()
    assert f"often with {target} {weight}" in page.locator("#graph-said").inner_text()
    assert weight in page.locator(".strength.from").all_text_contents()
    page.mouse.move(5, 5)
    assert page.locator("#graph-said").inner_text() == ""
    page.locator("#tab-graph").focus()
    page.keyboard.press("Tab")
    assert page.locator("#graph-said").inner_text() != ""


def test_a_model_without_a_graph_says_so(visit, server):
    page = visit(server.address)
    page.click("#tab-graph")
    assert "uses no label graph" in page.locator("#graph-text").inner_text()
    assert not page.locator("#graph-drawing").is_visible()
