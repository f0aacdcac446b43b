"""The interface that the page uses: who may use it, what it answers, and what others hear."""

import json
import threading

import pytest
from fastapi.testclient import TestClient
from labelled import learned, session_in
from served import is_secured

from tagsight.server.access import Hosts
from tagsight.server.labelling.app import create_label_app

TOKEN = "correct horse battery staple"


@pytest.fixture
def session(tmp_path):
    with session_in(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(session, tmp_path):
    app = create_label_app(session, token=TOKEN, hosts=Hosts(), journal=tmp_path / "journal")
    with TestClient(app, base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def page(client):
    client.get("/label/", params={"token": TOKEN})
    return client


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(client):
    assert client.get("/label/project").status_code == 401
    assert client.get("/label/").status_code == 401
    assert client.get("/label/", params={"token": "wrong"}).status_code == 401
    opened = client.get("/label/", headers={"Accept": "text/html,*/*"}, follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/web/label/closed.html")
    assert client.get("/label/project", params={"token": TOKEN}).status_code == 401
    signed_in = client.get("/label/", params={"token": TOKEN}, follow_redirects=False)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/label/")
    cookie = signed_in.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    assert client.get("/label/project").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_other_pages_are_refused_though_the_browser_sends_the_cookie(page, headers):
    assert page.post("/label/undo", headers=headers).status_code == 403


def test_a_photo_is_judged_undone_and_judged_again(page):
    label = page.post("/label/labels", json={"name": "red"}).json()
    assert (label["name"], label["shortcut"]) == ("red", "1")
    body = {"photos": [1, 2], "label": label["id"], "value": 1}
    assert page.post("/label/judgements", json=body).json()["revision"] == 1
    shown = page.get("/label/photos", params={"limit": 2}).json()
    assert [photo["judged"] for photo in shown["photos"]] == [{"1": 1}, {"1": 1}]
    assert page.post("/label/undo", params={"as": "somebody"}).json()["batch"] is None
    again = {"Idempotency-Key": "undo once"}
    for _ in range(2):  # as after an answer that was lost
        assert page.post("/label/undo", headers=again).json()["photos"] == [1, 2]
    assert page.post("/label/redo").json()["label"] == label["id"]
    changed = page.patch("/label/labels/1", json={"colour": "#ff0000"}).json()
    assert changed["colour"] == "#ff0000"
    assert page.delete("/label/labels/1").status_code == 422
    project = page.get("/label/project").json()
    assert (project["photos"], project["encoded"], project["revision"]) == (12, 12, 3)
    written = page.post("/label/write", json={"format": "csv"}).json()
    assert written["photos"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("get", "/label/photos/99", None, 404),
        ("get", "/label/photos/99/thumbnail", None, 404),
        ("get", "/label/photos/..%2f..%2fetc%2fpasswd/picture", None, 404),
        ("get", "/label/photos/0", None, 422),
        ("get", "/label/photos/1/evidence/1", None, 404),
        ("get", "/label/photos?queue=probably-yes&label=1", None, 404),
        ("get", "/label/photos?limit=100000", None, 422),
        ("post", "/label/judgements", {"photos": [1], "label": 9, "value": 1}, 404),
        ("post", "/label/judgements", {"photos": [1], "label": 1, "value": 2}, 422),
        ("post", "/label/judgements", {"photos": [], "label": 1, "value": 1}, 422),
        ("post", "/label/labels", {"name": "\x1b"}, 422),
        ("post", "/label/region", {"photo": 1, "box": [0, 0, 2, 2]}, 422),
        ("post", "/label/write", {"format": "exe"}, 422),
        ("post", "/label/labels", {"name": "x" * 5_000_000}, 413),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(page, method, path, body, status):
    given = {} if body is None else {"json": body}
    answer = getattr(page, method)(path, **given)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert is_secured(answer)


def test_pictures_are_small_cached_and_of_photos_only(page, session):
    thumbnail = page.get("/label/photos/1/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    tag = {"If-None-Match": thumbnail.headers["etag"]}
    assert page.get("/label/photos/1/thumbnail", headers=tag).status_code == 304
    assert page.get("/label/photos/1/picture").content[:2] == b"\xff\xd8"
    red = session.make_label("red").id
    session.judge([9, 10], red, 1, "me")
    session.judge([1, 5], red, 0, "me")
    learned(session)
    evidence = page.get(f"/label/photos/9/evidence/{red}")
    assert evidence.headers["content-type"] == "image/png"
    across, down = map(float, evidence.headers["x-peak"].split(","))
    assert 0 <= min(across, down) <= max(across, down) <= 1


def test_a_second_tab_sees_what_the_first_one_judges(client, page, session):
    red = session.make_label("red").id
    session.judge([1], red, 1, "ada")
    streams = client.app.state.streams

    def judge_and_end(text: str) -> None:
        if '"by":"ada"' in text:
            session.judge([2], red, 0, "bob")
        if '"by":"bob"' in text:
            streams.end()

    heard = []
    with client.stream("GET", "/label/events?since=0") as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and '"by"' in line:
                heard.append(json.loads(line.removeprefix("data: ")))
                threading.Thread(target=judge_and_end, args=(line,)).start()
    assert [(event["revision"], event["by"]) for event in heard] == [(1, "ada"), (2, "bob")]
    with client.stream("GET", "/label/events?since=0") as response:  # the browser's next one
        assert "data" not in response.read().decode()


def test_a_page_hears_what_happened_between_its_questions_and_its_stream(client, page, session):
    red = session.make_label("red").id
    session.judge([9, 10], red, 1, "me")
    session.judge([1, 5], red, 0, "me")
    learned(session)
    heard, kind = {}, ""
    with client.stream("GET", "/label/events") as response:
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                heard[kind] = json.loads(value)
                if len(heard) == 3:
                    threading.Thread(target=client.app.state.streams.end).start()
    assert heard["labels"] == {}
    assert (heard["features"]["encoded"], heard["features"]["photos"]) == (12, 12)
    assert heard["model"]["labels"][0]["name"] == "red"
