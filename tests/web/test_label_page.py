import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from accessible import require_accessible
from labelling_page import Labelled, labelling, save_album
from PIL import Image

PHOTOS, MANY = 30, 3000
READY = ".cell.loaded:not(.spare)"
SHIFTS = """() => new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 100);
})"""

CUT = """() => [...document.querySelectorAll(".cell.loaded:not(.spare)")].filter((cell) => {
    const [whole, frame] = ["img", ".picture"].map((part) => cell.querySelector(part))
        .map((part) => part.getBoundingClientRect());
    return whole.bottom > frame.bottom + 1 || whole.right > frame.right + 1;
}).length"""
LONG = f"animal/{'a name that somebody typed ' * 5}Donaudampfschifffahrtsgesellschaft"

ORDER = """() => [...document.querySelectorAll(".cell:not(.spare)")]
    .map((cell) => cell.id + cell.ariaLabel.split(",")[0]).sort().join()"""


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    return save_album(tmp_path_factory.mktemp("labelled") / "album", PHOTOS)


@pytest.fixture
def serve(album, tmp_path) -> Iterator[Callable[..., tuple[Labelled, ExitStack]]]:
    """Serve one project, again and again; a server ends with its stack or with the test."""
    with ExitStack() as test:

        def served(**options: Any) -> tuple[Labelled, ExitStack]:
            stack = test.enter_context(ExitStack())
            return stack.enter_context(labelling(tmp_path / "project", album, **options)), stack

        yield served


@pytest.fixture
def open_page(visit, serve) -> Callable[..., Any]:
    """Open the page of the project; its server is started with the first page."""
    servers: list[Labelled] = []

    def opened(query: str = "", **options: Any) -> Any:
        if not servers:
            servers.append(serve()[0])
        return visit(servers[0].address + query, ready=READY, **options)

    return opened


def make_label(page: Any, name: str) -> None:
    page.keyboard.press("n")
    page.fill("#new-name", name)
    page.keyboard.press("Enter")
    page.locator("#hand", has_text=name).wait_for()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def told(page: Any, text: str) -> None:
    page.locator("#told", has_text=text).wait_for()


def sent(page: Any) -> None:
    """Wait until the server has all judgements."""
    page.locator('body[data-waiting="0"]').wait_for()


def has_state(page: Any, index: int, words: str) -> None:
    page.locator(f"#cell-{index}[aria-label*='{words}']").wait_for()


def selected(page: Any) -> list[int]:
    cells = page.locator('.cell:not(.spare)[aria-selected="true"]')
    return sorted(
        int(one.removeprefix("cell-")) for one in cells.evaluate_all("all => all.map(c => c.id)")
    )


def test_labels_are_made_and_photos_judged_by_keyboard_and_a_reload_shows_them(open_page):
    page = open_page()
    assert page.evaluate("document.activeElement.id") == "new-name"
    page.keyboard.type("animal/dog")
    press(page, "Enter")
    page.locator("#hand", has_text="animal/dog").wait_for()
    press(page, "ArrowRight", "a", "r", "a", "x", "1", "u")
    has_state(page, 0, "animal/dog present")
    has_state(page, 1, "animal/dog absent")
    has_state(page, 2, "animal/dog present")
    has_state(page, 4, "animal/dog not judged")
    press(page, "Shift+U")
    has_state(page, 4, "animal/dog present")
    marks = [page.locator(f"#cell-{index} .badge use").get_attribute("href") for index in (0, 1, 3)]
    assert marks == ["#icon-present", "#icon-absent", "#icon-unjudged"]
    sent(page)
    page.reload()
    page.locator(READY).first.wait_for()
    has_state(page, 1, "animal/dog absent")
    has_state(page, 4, "animal/dog present")
    counts = page.locator(".label-row .counts")
    page.locator(".label-row .counts", has_text="31").wait_for()
    assert counts.count() == 1
    assert page.evaluate(SHIFTS) < 0.01


def test_a_page_that_is_loaded_again_has_the_same_label_in_hand(open_page):
    page = open_page()
    make_label(page, "dog")
    make_label(page, "animal/cat")
    page.reload()
    page.locator(READY).first.wait_for()
    press(page, "ArrowRight", "a")
    has_state(page, 0, "animal/cat present")
    other = open_page()
    other.locator("#hand", has_text="dog").wait_for()


def test_photos_are_selected_by_click_shift_control_box_and_keys(open_page):
    page = open_page()
    make_label(page, "dog")
    cell = page.locator("#cell-1 .picture")
    cell.click()
    page.locator("#cell-4 .picture").click(modifiers=["Shift"])
    assert selected(page) == [1, 2, 3, 4]
    page.locator("#cell-2 .picture").click(modifiers=["Control"])
    assert selected(page) == [1, 3, 4]
    first, last = (page.locator(f"#cell-{index}").bounding_box() for index in (0, 7))
    page.mouse.move(first["x"] + 20, first["y"] + 60)
    page.mouse.down()
    page.mouse.move(last["x"] + 20, last["y"] + 30, steps=4)
    page.mouse.up()
    lefts = [page.locator(f"#cell-{index}").bounding_box()["x"] for index in range(8)]
    assert selected(page) == [index for index, left in enumerate(lefts) if left <= lefts[7]]
    press(page, "Escape")
    assert selected(page) == []
    page.locator("#cell-0 .picture").click()
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "1")
    has_state(page, 2, "dog present")
    press(page, "1")
    has_state(page, 2, "dog not judged")
    press(page, "Control+a")
    told(page, f"{PHOTOS} photos selected")
    press(page, "Escape")
    page.locator("#told:empty").wait_for(state="attached")
    press(page, "Control+a")
    page.click(".verdict.absent")
    has_state(page, 9, "dog absent")
    assert selected(page) == []


@pytest.mark.parametrize("when", ["asked before", "answered before"])
def test_an_answer_on_its_way_neither_delays_keys_nor_undoes_what_they_judged(open_page, when):
    page = open_page()
    make_label(page, "dog")
    on_the_way: list[Any] = []

    def hold(route: Any) -> None:
        on_the_way.append((route, route.fetch() if when == "answered before" else None))

    page.route("**/label/photos?*", hold)
    with page.expect_request("**/label/photos?*"):
        make_label(page, "cat")
    press(page, "ArrowRight", "a", "r", "Shift+ArrowRight", "a")
    has_state(page, 1, "cat absent")
    has_state(page, 3, "cat present")
    sent(page)
    with page.expect_response("**/label/photos?*"):
        for route, answer in on_the_way:
            route.fulfill(response=answer) if answer else route.continue_()
    page.unroute("**/label/photos?*")
    has_state(page, 0, "cat present")
    has_state(page, 1, "cat absent")
    has_state(page, 3, "cat present")


def test_other_tabs_and_people_see_judgements_at_once(open_page):
    page, other = open_page(), open_page("?as=Ann")
    make_label(page, "dog")
    other.locator("#hand", has_text="dog").wait_for()
    press(other, "Escape")
    other.locator("#cell-3 .picture").click()
    press(other, "a")
    has_state(page, 3, "dog present")
    told(page, "1 photo judged by Ann")
    page.locator("#cell-3 .picture").click()
    press(page, "r")
    has_state(other, 3, "dog absent")


def test_judgements_wait_in_the_browser_while_the_server_is_away(visit, serve):
    server, running = serve()
    page = visit(server.address, ready=READY)
    make_label(page, "dog")
    press(page, "ArrowRight", "a")
    sent(page)
    running.close()
    press(page, "r", "r")
    page.locator("#trouble-text", has_text="2 judgements wait in this browser").wait_for()
    has_state(page, 1, "dog absent")
    press(page, "n")
    page.keyboard.type("cat")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("labels?as=me")):
        press(page, "Enter")
    page.evaluate("fetch('/label/project').catch(() => null)")
    assert "wait in this browser" in page.locator("#trouble-text").inner_text()
    again, _ = serve(port=server.port)
    page.locator("#trouble").wait_for(state="hidden")
    sent(page)
    (photos, _) = again.session.project.targets()
    assert photos[:3, 0].tolist() == [1, 0, 0]
    assert page.locator(READY).count()


def test_what_could_not_be_loaded_while_the_server_was_away_is_loaded_when_it_is_back(visit, serve):
    server, running = serve()
    page = visit(server.address, ready=READY)
    make_label(page, "dog")
    page.route("**/picture", lambda route: route.abort())
    page.route("**/thumbnail", lambda route: route.abort())
    page.reload()
    page.locator("#cell-0.broken").wait_for()
    page.locator("#cell-0").dblclick()
    page.locator(".sheet-of-photo.broken").wait_for()
    running.close()
    page.locator("#trouble-text", has_text="does not respond").wait_for()
    page.unroute("**/picture")
    page.unroute("**/thumbnail")
    serve(port=server.port)
    page.locator(".sheet-of-photo.loaded").wait_for()
    press(page, "Escape")
    page.locator("#cell-0.loaded").wait_for()


def limit_pages(server: Labelled, pages: int) -> None:
    with server.session.project.database.reading() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_said_in_few_words_and_judgements_are_sent_when_there_is_room(visit, serve):
    server, _ = serve()
    page = visit(server.address, size=(390, 844), ready=READY)
    make_label(page, "dog")
    page.locator("#progress").wait_for(state="hidden")
    limit_pages(server, 1)  # as many as it has
    trouble = page.locator("#trouble-text", has_text="The disk is full: free some space. ")
    press(page, "Control+a")
    for _ in range(40):
        press(page, "a", "Control+a", "r", "Control+a")
    trouble.wait_for()
    assert page.locator("#trouble").bounding_box()["height"] < 70, "two lines"
    assert "wait in this browser" in trouble.inner_text()
    require_accessible(page, "trouble")
    limit_pages(server, 100_000)
    page.locator("#trouble").wait_for(state="hidden")
    sent(page)
    assert (server.session.project.targets()[0][:, 0] == 0).all()


def test_an_address_without_its_token_says_where_the_right_one_is(visit, serve):
    server, _ = serve(token="secret")
    page = visit(server.address, size=(390, 844), ready="h1:has-text('opens nothing')")
    assert "the one that it printed last" in page.locator("main").inner_text()
    require_accessible(page, "closed")


def earlier(route) -> dict[str, object]:
    """The answer to a request as it was before the last photo was analysed."""
    return {**route.fetch().json(), "encoded": 11, "seconds_left": 1}


def test_cells_have_the_shape_of_most_photos_and_the_last_progress_is_not_missed(visit, tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (100, 150), (20 * number, 0, 90)).save(folder / f"{number:02}.png")
    with labelling(tmp_path / "project", folder) as server:
        page = visit(server.address, ready=READY)
        page.locator("#progress").wait_for(state="hidden")
        page.route("**/label/project", lambda route: route.fulfill(json=earlier(route)), times=1)
        page.reload()
        page.locator(READY).first.wait_for()
        page.locator("#progress").wait_for(state="hidden")
        box = page.locator("#cell-0 .picture").bounding_box()
        assert box["height"] == pytest.approx(1.3 * box["width"], rel=0.02)


def test_a_photo_is_looked_at_with_its_evidence_and_such_regions_are_found(open_page):
    page = open_page()
    make_label(page, "red")
    for index in range(12):
        page.locator(f"#cell-{index} .picture").click()
        press(page, "r" if index % 3 else "a")
    page.locator(".in-hand .counts", has_text="48").wait_for()
    page.locator("#cell-0 .score", has_text="%").wait_for()
    page.locator("#cell-0").dblclick()
    page.locator(".viewer .veil").wait_for()
    assert "Evidence for red" in page.locator(".evidence-caption").inner_text()
    assert page.locator(".veil").bounding_box() == pytest.approx(
        page.locator(".whole").bounding_box(), abs=1
    )
    assert page.locator(".filmstrip button").count() == 13
    press(page, "e")
    assert not page.locator(".veil").is_visible()
    press(page, "+")
    assert page.locator(".zoom-scale").inner_text() == "140 %"
    press(page, "0", "ArrowRight")
    page.locator(".where", has_text=f"2 of {PHOTOS}").wait_for()
    press(page, "b", "ArrowLeft", "ArrowUp", "Enter")
    page.locator("#queue-title", has_text="Such a region").wait_for()
    page.locator(READY).first.wait_for()
    scores = page.locator(".label-line .score")
    assert scores.all_inner_texts() == [""], "no photo is looked at"
    page.click("#back")
    page.locator("#queue-title", has_text="All photos").wait_for()
    page.locator("#cell-1[aria-selected='true']").wait_for()


def test_a_queue_says_what_it_is_for_and_keeps_its_order_until_a_new_one_is_wanted(open_page):
    page = open_page()
    make_label(page, "red")
    for index in range(9):
        page.locator(f"#cell-{index} .picture").click()
        press(page, "r" if index % 3 else "a")
    page.locator("#cell-0 .score", has_text="%").wait_for()
    press(page, "q")
    choices = page.locator("#queue-dialog .choice")
    assert choices.count() > 5
    assert all(len(text.split()) > 4 for text in choices.locator("span").all_inner_texts())
    choices.filter(has_text="Probably yes").click()
    page.locator("#queue-title", has_text="Probably yes").wait_for()
    page.locator(READY).first.wait_for()
    before = page.evaluate(ORDER)
    first = page.locator("#cell-0").get_attribute("aria-label").partition(",")[0]
    page.locator("#cell-0 .picture").click()
    press(page, "r")
    page.locator("#fresh.calls").wait_for()
    assert page.evaluate(ORDER) == before
    page.click("#fresh")
    page.locator(f"#cell-0[aria-label^='{first}']").wait_for(state="detached")


def test_a_queue_without_photos_says_why_and_shows_them_as_soon_as_there_are_some(open_page):
    page, other = open_page(), open_page("?as=Ann")
    make_label(page, "red")
    press(page, "ArrowRight", "a", "r")
    page.locator("#cell-0 .score", has_text="%").wait_for()
    press(page, "q")
    page.locator("#queue-dialog .choice", has_text="Probably yes").click()
    page.locator("#queue-title", has_text="Probably yes").wait_for()
    page.locator(READY).first.wait_for()
    make_label(page, "blue")
    page.locator("#empty", has_text="Nothing is known of blue yet.").wait_for()
    other.locator(".take", has_text="blue").click()
    press(other, "Escape")
    other.locator("#cell-2 .picture").click()
    press(other, "a")
    page.locator(READY).first.wait_for()
    assert page.locator("#empty").is_hidden()


def test_a_label_is_renamed_and_coloured_and_its_name_is_text(open_page):
    page = open_page()
    make_label(page, "<img src=x onerror=alert(1)>")
    page.click(".in-hand .tool")
    page.fill("#edit-name", "cat & dog")
    page.select_option("#edit-shortcut", "7")
    page.fill("#edit-colour", "#123456")
    page.click("#label-dialog .main")
    page.locator("#hand", has_text="cat & dog").wait_for()
    assert page.locator(".take kbd").inner_text() == "7"
    page.locator("#cell-0 .picture").click()
    press(page, "7")
    has_state(page, 0, "cat & dog present")
    make_label(page, "bird")
    press(page, "n")
    page.keyboard.type("Dog")
    assert page.locator(".label-row:visible .label-name bdi").all_inner_texts() == ["cat & dog"]
    press(page, "ArrowDown", "Enter")
    page.locator("#hand", has_text="cat & dog").wait_for()
    page.click("#write-button")
    page.locator("#write-dialog .choice", has_text="labels.csv").click()
    page.locator(".written", has_text="labels.csv").wait_for()
    command = page.locator("#write-dialog code").inner_text()
    assert re.fullmatch(r"tagsight train \S+ --out \S+", command)


def test_what_is_typed_finds_labels_below_their_parents_and_says_what_enter_does(open_page):
    page = open_page()
    for name in ("animal", "animal/big dog", "toy/dog", "zebra"):
        make_label(page, name)
    press(page, "n")
    rows = page.locator("#label-list li:visible bdi")
    hint = page.locator("#new-hint")
    for typed, said in (
        ("/", ""),
        ("Toy/ Dog", "Enter makes a label besides “toy/dog”."),
        (" toy / dog/", "Enter takes this label in hand."),
        ("dog", "Enter makes this label."),
    ):
        page.fill("#new-name", typed)
        assert hint.inner_text() == said
    assert rows.all_inner_texts() == ["animal", "big dog", "toy", "dog"]
    press(page, "ArrowDown", "Enter")
    page.locator("#hand", has_text="animal/big dog").wait_for()
    press(page, "n")
    page.keyboard.type("toy")
    press(page, "Escape")
    assert rows.count() == 5
    assert page.input_value("#new-name") == ""


def test_arrows_have_keys_act_on_photos_again_whatever_was_pressed_last(open_page):
    page = open_page()
    make_label(page, "dog")
    page.click("#write-button")
    press(page, "Escape")
    assert page.evaluate("document.activeElement.id") == "write-button"
    press(page, "ArrowRight", "Enter")
    page.locator(".where", has_text=f"1 of {PHOTOS}").wait_for()
    page.locator(".sheet-of-photo.loaded").wait_for()
    page.click("[aria-label='Evidence (e)']")
    press(page, "ArrowRight", "Enter")
    page.locator("#viewer").wait_for(state="hidden")
    page.locator("#cell-1.current").wait_for()


def test_a_zoomed_photo_is_moved_by_keys(open_page):
    page = open_page()
    press(page, "Escape", "ArrowRight", "Enter")
    page.locator(".sheet-of-photo.loaded").wait_for()
    press(page, "+", "+", "+")
    sheet = page.locator(".sheet-of-photo")
    before = sheet.bounding_box()
    press(page, "Shift+ArrowLeft", "Shift+ArrowUp")
    after = sheet.bounding_box()
    assert after["x"] > before["x"]
    assert after["y"] > before["y"]
    press(page, "0", "Shift+ArrowRight")
    page.locator(".where", has_text=f"2 of {PHOTOS}").wait_for()


def test_photos_that_are_undone_or_redone_are_selected_to_be_judged_otherwise(open_page):
    page = open_page()
    make_label(page, "dog")
    page.locator("#cell-2 .picture").click()
    page.locator("#cell-5 .picture").click(modifiers=["Shift"])
    press(page, "r")
    has_state(page, 5, "dog absent")
    for key, said in (("u", "Undone"), ("Shift+U", "Redone")):
        press(page, "Escape", key)
        told(page, f"{said}: dog on 4 photos")
        assert selected(page) == [2, 3, 4, 5]
    press(page, "a")
    has_state(page, 2, "dog present")
    has_state(page, 5, "dog present")


def test_any_number_of_photos_needs_few_elements(visit, album, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    some = next(album.iterdir())
    for number in range(MANY):
        (many / f"{number:05}.png").hardlink_to(some)
    with labelling(tmp_path / "project", many) as server:
        page = visit(server.address, ready=READY)
        page.locator("#queue-count", has_text="3,000 photos").wait_for()
        page.locator("#grid").focus()
        press(page, "End")
        page.locator(f"#cell-{MANY - 1}.current[aria-label^='{MANY - 1:05}.png']").wait_for()
        assert page.locator(".cell").count() < 100
        make_label(page, "dog")
        page.route("**/label/photos?*", lambda _: None)
        with page.expect_request("**/label/photos?*"):
            press(page, "Home", *["PageDown"] * 20, "a", "r")
        page.unroute("**/label/photos?*")
        present = page.locator(".cell:not(.spare)[aria-label*='dog present']")
        present.wait_for()
        index = int(present.get_attribute("id").removeprefix("cell-"))
        has_state(page, index + 1, "dog absent")
        assert 200 < index < MANY - 200


def test_an_empty_folder_and_photos_that_cannot_be_used_are_told(visit, album, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    with labelling(tmp_path / "nothing", folder) as server:
        page = visit(server.address, ready="#empty:has-text('There is no photo in album.')")
        assert page.locator("#left-out").is_hidden()
        make_label(page, "dog")
        press(page, "Control+a", "End", "a", "q")
        page.locator("#queue-dialog .choice", has_text="Unlike anything judged").click()
        page.locator("#fresh").wait_for()
        page.locator("#empty", has_text="There is no photo in album.").wait_for()
        assert page.locator("#trouble").is_hidden()
    (folder / "cut.jpg").write_bytes(b"no photo")
    (folder / " in front.jpg").write_bytes(b"no photo")
    with labelling(tmp_path / "project", folder) as server:
        page = visit(server.address, ready="#empty:has-text('None of the photos')", size=(390, 844))
        page.locator("#left-out", has_text="2 left out").click()
        rows = page.locator("#left-out-dialog li")
        rows.nth(1).wait_for()
        said = rows.all_inner_texts()
        assert [one.split()[0] for one in said] == ["in", "cut.jpg"]
        assert "rename it" in said[0]
        require_accessible(page, "photos that were left out")
    (folder / "there.png").write_bytes(next(album.iterdir()).read_bytes())
    with labelling(tmp_path / "gone", folder) as server:
        page = visit(server.address, ready=READY)
        (folder / "there.png").unlink()
        page.locator("#cell-0").dblclick()
        page.locator(".sheet-of-photo.broken").wait_for()
        press(page, "b")
        assert page.locator(".region").count() == 0, "there is nothing to look for"


def test_the_only_photo_has_none_to_compare_a_region_with(visit, tmp_path):
    with labelling(tmp_path / "project", save_album(tmp_path / "album", 1)) as server:
        page = visit(server.address, ready=READY)
        page.locator("#progress").wait_for(state="hidden")
        make_label(page, "dog")
        press(page, "ArrowRight", "a", "Enter")
        page.locator(".sheet-of-photo.loaded").wait_for()
        press(page, "b", "Enter")
        page.locator("#empty", has_text="no other photo to compare with 000-red.png").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1440, 900)])
def test_every_view_fits_the_screen_and_is_accessible(open_page, width, height, scheme):
    page = open_page(size=(width, height), scheme=scheme)
    require_accessible(page, "empty")
    make_label(page, LONG)
    page.locator("#cell-0 .picture").click()
    press(page, "a")
    has_state(page, 0, f"{LONG} present")
    require_accessible(page, "grid")
    assert not page.evaluate(CUT), "photos are shown whole"
    press(page, "ArrowLeft", "Enter")
    page.locator(".sheet-of-photo.loaded").wait_for()
    require_accessible(page, "photo")
    press(page, "b")
    require_accessible(page, "region")
    press(page, "Escape", "Escape")
    for dialog, opening in (("queue", "q"), ("keys", "?")):
        press(page, opening)
        page.locator(f"#{dialog}-dialog").wait_for()
        require_accessible(page, dialog)
        press(page, "Escape")
    page.click("#queue-button")
    page.locator("#queue-dialog .choice", has_text="Unlike anything judged").click()
    page.locator("#fresh").wait_for()
    require_accessible(page, "an ordered queue")
    states = page.locator("#states").bounding_box()
    assert states["x"] + states["width"] <= width
    if width < 700:
        page.click("#panel-open")
        require_accessible(page, "panel")
        page.fill("#new-name", "bell\a")
        press(page, "Enter")
        page.click("#trouble-close")
        press(page, "Escape", "Escape", "ArrowRight", "Enter")
        page.locator(".sheet-of-photo.loaded").wait_for()
