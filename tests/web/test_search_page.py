"""The search of the page in Chromium: browsing, chips, misspelt labels, and photos that open."""

from typing import Any

import pytest
from served import index_of, recognizer
from test_browser import upload


@pytest.fixture
def page(visit, server) -> Any:
    page = visit(server.address)
    page.click("#tab-search")
    told(page, "3 photos")
    return page


def told(page: Any, text: str) -> None:
    page.locator("#search-status", has_text=text).wait_for()


def names(page: Any) -> list[str]:
    return page.locator("#search-photos .path").all_inner_texts()


def search(page: Any, where: str) -> None:
    page.fill("#where", where)
    page.keyboard.press("Enter")


def test_photos_are_browsed_before_anything_is_asked_for(page):
    assert names(page) == ["blue.png", "green.png", "red.png"]
    page.locator("#search-photos img[src^='blob:']").nth(2).wait_for()
    chips = page.locator(".chips button")
    chips.first.wait_for()
    assert sorted(chips.all_inner_texts()) == ["blue\n1", "green\n1", "red\n1"]


def test_chips_narrow_the_search_and_are_taken_back(page):
    chips = {name: page.locator(f".chips [data-label='{name}']") for name in ("red", "blue")}
    chips["red"].click()
    told(page, "1 photo with red")
    assert names(page) == ["red.png"]
    chips["blue"].click()
    told(page, "No photos with red and blue")
    assert page.input_value("#where") == "red and blue"
    chips["red"].click()
    told(page, "1 photo with blue")
    pressed = [chip.get_attribute("aria-pressed") for chip in chips.values()]
    assert pressed == ["false", "true"]
    search(page, "blue or (green and not red)")
    told(page, "2 photos")
    assert chips["blue"].get_attribute("aria-pressed") == "false"
    assert sorted(names(page)) == ["blue.png", "green.png"]


def test_a_search_that_fails_says_so_until_the_next_one(page):
    page.route("**/v1/search?*", lambda route: route.abort())
    search(page, "red")
    page.locator("#trouble-text", has_text="does not respond").wait_for()
    page.unroute("**/v1/search?*")
    search(page, "blue and (")
    told(page, "Expected a label")
    assert not page.locator("#trouble").is_visible()


def test_a_misspelt_label_is_answered_with_the_one_that_was_meant(page):
    search(page, "blu and not gren")
    told(page, "There is no label “blu”. Did you mean")
    assert names(page) == []
    page.locator("#search-status button").first.click()
    told(page, "1 photo with blue and not green")
    search(page, "violet")
    told(page, "There is no label “violet”")
    assert not page.locator("#search-status button").count()
    search(page, "red and")
    told(page, "expected a label")
    assert not page.locator("#trouble").is_visible()


def test_a_photo_opens_with_its_scores_evidence_and_place_and_others_by_arrow_keys(page, photos):
    page.get_by_role("button", name="green.png: green").click()
    line = page.locator("#hit-found .name")
    line.wait_for()
    score = recognizer()(photos / "green.png").scores[1]
    assert line.inner_text().split("\n") == ["green", f"{round(100 * score)} %"]
    assert page.locator("#hit-stage figcaption").inner_text() == "green.png: evidence for green"
    assert page.locator("#hit-stage .marks").inner_text() == "green"
    assert "logits" in page.locator("#hit-stage .scale").inner_text()
    assert page.locator("#hit-paths code").inner_text() == str(photos / "green.png")
    page.keyboard.press("ArrowRight")
    page.locator("#hit-title", has_text="red.png").wait_for()
    page.locator("#hit-found .name", has_text="red").wait_for()
    assert page.locator("#hit-next").is_disabled()
    page.keyboard.press("Escape")
    assert not page.locator("#hit").is_visible()
    assert page.evaluate("document.activeElement.ariaLabel") == "green.png: green"


def test_pages_are_turned_and_a_photo_that_is_gone_is_reported(visit, start, photos, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for number in range(61):
        content = (photos / "red.png").read_bytes()
        (album / f"{number:02}.png").write_bytes(content + bytes([number]))
    page = visit(start(index=index_of(tmp_path / "index", album)).address)
    page.click("#tab-search")
    told(page, "61 photos")
    assert len(names(page)) == 60
    page.click("#search-more")
    page.locator("#search-photos li").nth(60).wait_for()
    assert names(page)[-1] == "60.png"
    assert not page.locator("#search-more").is_visible()
    (album / "60.png").unlink()
    page.locator("#search-photos button").last.click()
    page.locator("#hit-trouble", has_text="no longer where it was indexed").wait_for()


def test_without_an_index_there_is_no_search(visit, start, photos):
    page = visit(start().address)
    assert not page.locator("#tab-search").is_visible()
    upload(page, photos / "red.png")
    assert not page.locator("#similar").is_visible()
