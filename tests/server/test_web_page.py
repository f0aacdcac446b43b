import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from served import TOKEN, client_of, recognizer

from tagsight.server.service import Service

WEB = Path(str(files("tagsight.server") / "web"))
KINDS = {
    "js": "text/javascript",
    "css": "text/css",
    "html": "text/html",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
}
UNSAFE = (
    r"\sstyle=|\son\w+=|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\("
    r"|new Function|srcdoc"
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Service(recognizer(), token=TOKEN)) as client:
        yield client


def test_the_page_needs_no_token_and_loads_only_from_this_server(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert not re.search("unsafe|https:", policy)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "'none'" in client.get("/v1/model").headers["content-security-policy"]
    head = client.head("/")
    assert (head.status_code, head.content) == (200, b"")


def test_just_the_files_of_the_page_are_served_and_refer_to_one_another(client):
    names = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*.*")}
    assert len(names) > 8
    for name in names:
        served = client.get(f"/web/{name}")
        assert served.content == (WEB / name).read_bytes()
        assert served.headers["content-type"].startswith(KINDS[name.rpartition(".")[2]])
        again = client.get(f"/web/{name}", headers={"If-None-Match": served.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        if name.endswith(".jpg"):
            continue
        named = {
            path.removeprefix("/web/") for path in re.findall(r"\"(/web/[^\"]+)\"", served.text)
        }
        for other in re.findall(r"from \"(\.[^\"]+)\"", served.text):
            named.add(posixpath.normpath(f"{posixpath.dirname(name)}/{other}").lstrip("/"))
        assert named <= names, name
        addresses = set(re.findall(r"https?://[^\s\"'<]+", served.text))
        assert addresses <= {"http://www.w3.org/2000/svg"}
        assert not re.search(UNSAFE, served.text), name
    for name in ("nothing.js", "..%2Fapp.py", "%2E%2E/app.py", "app.py"):
        assert client.get(f"/web/{name}").status_code == 404
