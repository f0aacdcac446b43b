import csv
import io
from pathlib import Path
from typing import Any

import pytest
from accessible import require_accessible
from channels import channels_recognizer, corner
from served import TOKEN, recognizer

from tagsight.tagging.sidecars.text import tags_of
from tagsight.tagging.sidecars.xmp import keywords

TABS = ("photos", "search", "graph", "model")


def upload(page: Any, *files: Path) -> None:
    page.set_input_files("#file", [str(file) for file in files])
    page.locator(".strip .busy").first.wait_for(state="detached")


def found(page: Any) -> list[str]:
    return page.locator("#found .line span:first-child").all_inner_texts()


def row(page: Any, name: str) -> Any:
    return page.locator(".labels li").filter(has=page.get_by_text(name, exact=True))


def downloaded(page: Any, button: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_photo_is_shown_with_labels_scores_and_thresholds(visit, server, photos):
    page = visit(server.address)
    upload(page, photos / "red.png")
    assert found(page) == ["red"]
    below = page.locator("#below .line span:first-child").all_inner_texts()
    assert sorted(below) == ["blue", "green"]
    score = recognizer()(photos / "red.png").scores[0]
    assert row(page, "red").locator(".score").inner_text() == f"{round(100 * score)} %"
    assert "threshold 50 %" in row(page, "red").locator(".name").get_attribute("aria-label")


def test_photos_can_be_dropped_and_pasted(visit, server, photos):
    page = visit(server.address)
    content = list((photos / "green.png").read_bytes())
    for event, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        handle = page.evaluate_handle(
            """([event, holder, content]) => {
                const transfer = new DataTransfer();
                const bytes = new Uint8Array(content);
                transfer.items.add(new File([bytes], `${event}.png`, { type: "image/png" }));
                const sent = new Event(event, { bubbles: true, cancelable: true });
                Object.defineProperty(sent, holder, { value: transfer });
                document.body.dispatchEvent(sent);
            }""",
            [event, holder, content],
        )
        handle.dispose()
        page.locator(f'.strip .done[title="{event}.png"]').wait_for()
    assert found(page) == ["green"]


def test_evidence_of_the_surest_label_covers_the_photo_until_another_is_pointed_at(
    visit, server, photos
):
    page = visit(server.address)
    upload(page, photos / "red.png")
    veil = page.locator("#stage .veil")
    veil.wait_for()
    assert page.locator("#stage figcaption").inner_text() == "red.png: evidence for red"
    assert page.locator("#stage .marks").inner_text() == "red"
    assert "logits" in page.locator("#stage .scale").inner_text()
    size, photo = veil.bounding_box(), page.locator("#stage .photo").bounding_box()
    assert size == pytest.approx(photo, abs=1)
    mark = page.locator(".mark").bounding_box()
    assert size["x"] < mark["x"] < size["x"] + size["width"] / 2
    assert size["y"] < mark["y"] < size["y"] + size["height"] / 2
    surest = veil.get_attribute("src")
    row(page, "blue").hover()
    assert page.locator("#stage figcaption").inner_text() == "No evidence for blue"
    assert veil.get_attribute("src") != surest
    assert not page.locator(".mark").count(), "there is no evidence for blue"
    page.mouse.move(5, 5)
    assert veil.get_attribute("src") == surest


STAGE = """async (peaks) => {
    const { EvidenceStage } = await import("/web/evidence_stage.js");
    const stage = new EvidenceStage(document.querySelector("#stage"));
    const picture = document.querySelector("#strip img").src;
    const entries = peaks.map((peak, place) => [`label ${place}`, { peak, picture, top: 1 }]);
    const evidence = { overlays: Object.fromEntries(entries), bar: picture };
    stage.show({ url: picture, name: "photo", evidence, labels: entries.map(([name]) => name) });
}"""

NAMED = """(names) => names.join() === [...document.querySelectorAll("#stage .mark span")]
    .filter((name) => getComputedStyle(name).visibility === "visible")
    .map((name) => name.textContent.at(-1)).join()"""


def test_names_at_the_evidence_do_not_cover_each_other(visit, server, photos):
    page = visit(server.address, size=(390, 844))
    upload(page, photos / "red.png")
    page.evaluate(STAGE, [[0.2, 0.5], [0.22, 0.52], [0.2, 0.1], [0.55, 0.51], [0.7, 0.9]])
    page.wait_for_function(NAMED, arg=["0", "2", "4"])
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_function(NAMED, arg=["0", "2", "3", "4"])


def test_everything_works_by_keyboard(visit, server, photos):
    page = visit(server.address)
    upload(page, photos / "red.png")
    row(page, "red").locator(".name").focus()
    page.locator("#stage .veil").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert row(page, "red").locator(".reject").get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Reject red"
    page.locator("#tab-photos").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#search").is_visible()
    page.keyboard.press("End")
    assert page.locator("#model").is_visible()
    assert not page.locator("#photos").is_visible()


def test_strictness_decides_which_labels_are_kept(visit, server, tmp_path):
    page = visit(server.address)
    # Its odds are 0.4 times those of the threshold; "Keep more" accepts a third.
    faint = tmp_path / "faint.png"
    corner("red", (160, 120), brightness=27).save(faint)
    upload(page, faint)
    score = recognizer()(faint).scores[0]
    assert 0.25 < score < 0.5
    kept = {}
    for way in ("Keep more", "Balanced", "Be sure"):
        page.get_by_text(way, exact=True).click()
        kept[way] = "red" in found(page)
    assert kept == {"Keep more": True, "Balanced": False, "Be sure": False}


def test_downloads_contain_the_reviewed_labels(visit, server, photos):
    page = visit(server.address)
    upload(page, photos / "red.png", photos / "blue.png")
    row(page, "red").locator(".reject").click()
    assert page.locator("#download-xmp").is_disabled()
    for accepted in ("green", "blue", "blue"):
        row(page, accepted).locator(".accept").click()
    name, content = downloaded(page, "#download-xmp")
    assert (name, keywords(content)) == ("red.png.xmp", ["green"])
    name, content = downloaded(page, "#download-txt")
    assert (name, tags_of(content)) == ("red.txt", ["green"])
    name, content = downloaded(page, "#download-csv")
    rows = list(csv.reader(io.StringIO(content.decode())))
    assert rows == [["path", "labels"], ["red.png", "green"], ["blue.png", "blue"]]


def test_similar_photos_are_shown_and_open(visit, server, photos):
    page = visit(server.address)
    upload(page, photos / "red.png")
    shown = page.locator("#similar-photos li")
    shown.first.wait_for()
    assert shown.count() == 2
    picture = shown.first.locator("img")
    picture.scroll_into_view_if_needed()
    picture.and_(page.locator('[src^="blob:"]')).wait_for()
    shown.first.locator("button").click()
    assert page.locator("#hit-place").inner_text() == "Photo 1 of 2"


def test_an_unusable_file_is_reported_and_others_are_recognised(visit, server, photos, tmp_path):
    (tmp_path / "notes.jpg").write_text("no photo")
    (tmp_path / "large.jpg").write_bytes(bytes(400_000))
    page = visit(server.address)
    upload(page, tmp_path / "notes.jpg", photos / "green.png")
    assert "expected a photo" in page.locator("#trouble-text").inner_text()
    assert found(page) == ["green"], "the photo after an unusable one is shown"
    page.click("#trouble-close")
    assert not page.locator("#trouble").is_visible()
    upload(page, tmp_path / "large.jpg")
    page.locator("#found .problem").filter(has_text="at most 293 KiB in a request").wait_for()
    assert not page.locator("#trouble").is_visible(), "the photo in sight says it itself"
    assert page.locator("#stage .missing").is_visible()
    assert not page.get_by_role("button", name="Try again").count(), "the same would come again"
    upload(page, tmp_path / "notes.jpg", tmp_path / "large.jpg", photos / "blue.png")
    assert "2 of 3 photos were not recognised" in page.locator("#trouble-text").inner_text()
    assert not page.locator("#stage .missing").is_visible()
    upload(page, photos / "blue.png")
    assert not page.locator("#trouble").is_visible(), "the message goes with the next upload"


def test_an_example_is_recognised(visit, start):
    page = visit(start().address)
    page.locator(".examples button").first.click()
    page.locator('.strip .done[title="chelsea.jpg"]').wait_for()
    assert not page.locator("#welcome").is_visible()


def test_a_stopped_server_is_reported(visit, start, photos):
    page = visit(start().address)
    page.route("**/v1/predict*", lambda route: route.abort())
    upload(page, photos / "red.png", photos / "blue.png")
    assert "does not respond" in page.locator("#found .problem").inner_text()
    assert "2 of 2 photos" in page.locator("#trouble-text").inner_text()
    assert page.locator("#stage .photo").is_visible()
    page.unroute("**/v1/predict*")
    page.get_by_role("button", name="Try again").click()
    for name in ("red.png", "blue.png"):
        page.locator(f'.strip .done[title="{name}"]').wait_for()
    assert found(page) == ["blue"]
    assert not page.locator("#trouble").is_visible()


def test_a_token_is_asked_for_until_it_is_right(chromium, start, photos):
    with chromium.new_context() as window:
        window.set_default_timeout(0)
        page = window.new_page()
        page.goto(start(token=TOKEN).address)
        for token, told in (("a wrong token of length", "The token is wrong"), (TOKEN, "3 labels")):
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.get_by_text(told).first.wait_for()
        upload(page, photos / "red.png")
        assert found(page) == ["red"]
        assert page.evaluate("localStorage.length") == 0


def test_the_model_card_is_shown(visit, server):
    page = visit(server.address)
    page.click("#tab-model")
    card = page.locator("#card")
    assert "which of 3 labels are in a photo" in card.locator("h2").first.inner_text()
    assert card.locator("td").first.inner_text() == "red"
    assert "```" not in card.inner_text()


def test_a_long_table_of_the_card_is_shown_whole_when_it_is_asked_for(visit, server):
    page = visit(server.address)
    page.click("#tab-model")
    page.locator("#card td").first.wait_for()
    page.evaluate("""async () => {
      const { showCard } = await import("/web/card_view.js");
      const rows = Array.from({ length: 1201 }, (_, row) => `| label ${row} | 0.5 |`);
      const lines = ["| label | threshold |", "| --- | --- |", ...rows];
      showCard(document.getElementById("card"), lines.join("\\n"));
    }""")
    rows = page.locator("#card tbody tr")
    assert rows.count() == 200
    page.get_by_role("button", name="Show all 1,201 rows").click()
    assert rows.count() == 1201
    assert rows.last.locator("td").first.inner_text() == "label 1200"
    assert page.locator("#card button").count() == 0


def test_labels_that_are_markup_are_shown_as_text(visit, start, photos):
    names = ("<img src=x onerror=alert(1)>", "a|b\\|c\\", "`code` [x](javascript:alert(1)) &lt;")
    page = visit(start(channels_recognizer(names=names, threshold=0.01)).address)
    dialogs: list[object] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog) or dialog.dismiss())
    upload(page, photos / "red.png")
    assert set(found(page)) <= set(names)
    for tab in ("graph", "model"):
        page.click(f"#tab-{tab}")
    cells = page.locator("#card td:first-child").all_inner_texts()
    assert cells[:3] == list(names)
    assert not page.locator("main img[onerror], #card a, #card code").filter(has_text="x").count()
    assert not dialogs


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1440, 900)])
def test_every_view_fits_the_screen_and_is_accessible(
    visit, start, indexed, photos, width, height, scheme
):
    page = visit(start(index=indexed).address, (width, height), scheme)
    require_accessible(page, "first screen")
    upload(page, photos / "red.png")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        require_accessible(page, tab)
    page.click("#tab-search")
    page.locator(".chips button").first.click()
    page.locator("#search-status", has_text="1 photo").wait_for()
    page.locator("#search-photos button").first.click()
    page.locator("#hit-found .name").wait_for()
    require_accessible(page, "photo of the index")
    page.click("#hit-close")
    page.fill("#where", "gren")
    page.keyboard.press("Enter")
    page.locator("#search-status .link").wait_for()
    require_accessible(page, "unknown label")
