import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tagsight.errors import DataError
from tagsight.server.bridges.label_studio import client as client_module
from tagsight.server.bridges.label_studio.client import LabelStudio

LEGACY, PERSONAL = "0123456789abcdef", "eyJh.eyJ0.c2ln"
HERE = "http://studio.example:8080"


def studio_of(answer: Callable[[httpx.Request], httpx.Response], key: str = LEGACY) -> LabelStudio:
    return LabelStudio(HERE, key, transport=httpx.MockTransport(answer))


def fetched(answer: Callable[[httpx.Request], httpx.Response], value: str, **options: Any) -> bytes:
    return asyncio.run(studio_of(answer, **options).photo(value))


@pytest.mark.parametrize(
    "value",
    [
        "http://evil.example:8080/data/a.jpg",
        "http://studio.example/data/a.jpg",
        "https://studio.example:8080/data/a.jpg",
        "http://studio.example:8080@evil.example/data/a.jpg",
        "http://me:pass@studio.example:8080/data/a.jpg",
        "//evil.example/data/a.jpg",
        "file:///data/a.jpg",
        "s3://bucket/data/a.jpg",
        "/api/users",
        "/data/../api/users",
        "/data/%2e%2e/api/users",
        "/data\\..\\api",
        "/data/a.jpg\r\nHost: evil.example",
        "data/a.jpg",
        "http://[::1/data/a.jpg",
        "/data/" + "a" * 10_000,
    ],
)
def test_no_address_but_that_of_a_photo_in_label_studio_is_asked(value):
    def asked(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    with pytest.raises(DataError, match=r"expected a photo|expected the path of a photo"):
        fetched(asked, value)


def test_the_key_is_sent_as_its_kind_needs():
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.headers.get("authorization", "")))
        if request.url.path == "/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": PERSONAL}
            return httpx.Response(200, json={"access": "access"})
        return httpx.Response(200, content=b"photo")

    assert fetched(answer, "/data/upload/1/a.jpg") == b"photo"
    assert fetched(answer, f"{HERE}/data/upload/1/a.jpg", key=PERSONAL) == b"photo"
    assert asked == [
        ("/data/upload/1/a.jpg", f"Token {LEGACY}"),
        ("/api/token/refresh/", ""),
        ("/data/upload/1/a.jpg", "Bearer access"),
    ]


def test_access_that_has_expired_is_renewed_once():
    access = iter(["old", "new"])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": next(access)})
        fresh = request.headers["authorization"] == "Bearer new"
        return httpx.Response(200 if fresh or not used else 401, content=b"photo")

    used: list[bool] = []
    studio = studio_of(answer, PERSONAL)

    async def twice() -> list[bytes]:
        first = await studio.photo("/data/a.jpg")
        used.append(True)
        return [first, await studio.photo("/data/a.jpg")]

    assert asyncio.run(twice()) == [b"photo", b"photo"]


@pytest.mark.parametrize(
    ("key", "reason"), [(LEGACY, "legacy token works only if"), (PERSONAL, "neither expired nor")]
)
def test_a_refused_key_is_told_with_what_to_do(key, reason):
    with pytest.raises(DataError, match=reason):
        fetched(lambda _: httpx.Response(401), "/data/a.jpg", key=key)


def test_redirects_stay_with_label_studio():
    def answer(request: httpx.Request) -> httpx.Response:
        targets = {
            "/data/near": "/data/photo",
            "/data/far": "http://evil.example/photo",
            "/data/ring": "/data/ring",
        }
        if target := targets.get(request.url.path):
            return httpx.Response(302, headers={"location": target})
        assert request.url.host == "studio.example"
        return httpx.Response(200, content=b"photo")

    assert fetched(answer, "/data/near") == b"photo"
    with pytest.raises(DataError, match=r"redirect to 'http://evil\.example/photo'"):
        fetched(answer, "/data/far")
    with pytest.raises(DataError, match="at most 3 redirects"):
        fetched(answer, "/data/ring")


def test_size_and_time_of_a_response_are_limited(monkeypatch):
    async def endless() -> Any:
        while True:
            yield b"x" * 1000

    async def slow() -> Any:
        yield b"x"
        await asyncio.Event().wait()

    monkeypatch.setattr(client_module, "LARGEST_PHOTO", 10_000)
    with pytest.raises(DataError, match="at most 10,000 bytes"):
        fetched(lambda _: httpx.Response(200, content=endless()), "/data/a.jpg")
    monkeypatch.setattr(client_module, "SECONDS", 0.05)
    with pytest.raises(DataError, match=r"within 0\.05 seconds"):
        fetched(lambda _: httpx.Response(200, content=slow()), "/data/a.jpg")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (httpx.Response(200, html="<html>"), "got a web page"),
        (httpx.Response(404), "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true"),
        (httpx.Response(200, headers={"content-encoding": "gzip"}), "without compression"),
    ],
)
def test_what_is_no_photo_is_told(response, reason):
    with pytest.raises(DataError, match=reason):
        fetched(lambda _: response, "/data/local-files/?d=a.jpg")


@pytest.mark.parametrize(
    ("url", "key"), [("ftp://x", LEGACY), ("studio", LEGACY), (HERE, ""), (HERE, "a\nb")]
)
def test_an_address_and_a_key_are_needed(url, key):
    with pytest.raises(DataError, match="expected"):
        LabelStudio(url, key)
