"""The page's files: all there, nothing else, and nothing from elsewhere."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from served import TOKEN, client_of, recognizer

from tagsight.server.app import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

WEB = files("tagsight.server") / "web"
PARTS = sorted(file.name for file in WEB.iterdir())


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Service(recognizer(), token=TOKEN)) as client:
        yield client


def test_the_page_comes_without_a_token_and_loads_from_here_alone(client: TestClient):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert "unsafe" not in policy
    assert "https:" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/model").status_code == 401
    assert "'none'" in client.get("/v1/model").headers["content-security-policy"]


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_served_as_what_they_are(client: TestClient, name: str):
    answer = client.get(f"/web/{name}")
    assert answer.content == (WEB / name).read_bytes()
    kind = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kind[name.rpartition(".")[2]])


@pytest.mark.parametrize("name", PARTS)
def test_parts_name_only_parts_that_there_are(name: str):
    text = (WEB / name).read_text(encoding="utf-8")
    named = re.findall(r"\"/web/([^\"]+)\"", text) + re.findall(r"from \"\./([^\"]+)\"", text)
    assert set(named) <= set(PARTS)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\sstyle=|\son\w+=|innerHTML|\beval\(", text)


def test_what_has_not_changed_is_not_sent_again(client: TestClient):
    first = client.get("/web/style.css")
    again = client.get("/web/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head("/")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2E%2E/app.py", "app.py"])
def test_no_other_file_is_served(client: TestClient, name: str):
    assert client.get(f"/web/{name}").status_code == 404
