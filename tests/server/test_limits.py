"""Bodies and answers within their limits, on every route."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from channels import Channels, channels_recognizer
from served import LIMITS, RED, client_of, files, recognizer

from tagsight.server.app import BRIDGES, Service
from tagsight.server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient
    from torch import Tensor

    from tagsight.systems.base import Recognition

PATHS = [
    *("/v1/predict", "/v1/embed", "/v1/tags?form=csv", "/setup", "/predict"),
    "/api/v1/vision/labels",
]
KIND = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Service(recognizer(), limits=LIMITS, bridges=tuple(BRIDGES))) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_a_long_body_is_refused_on_every_route(client: TestClient, path: str):
    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    declared = client.post(path, content=b" " * (LIMITS.body + 1), headers=KIND)
    undeclared = client.post(path, content=parts(), headers=KIND)
    for response in (declared, undeclared):
        assert response.status_code == 413
        assert response.json()["error"] == "expected at most 200,000 bytes, got more"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("piece", [b"[],", b'"",', b"1,", b'{"":0},', b'"\\u0041",'])
def test_json_that_is_dear_to_parse_is_refused_on_every_route(path: str, piece: bytes):
    service = Service(recognizer(), limits=Limits(marks=10_000), bridges=tuple(BRIDGES))
    body = b'{"photos": [' + piece * 20_000 + b"0]}"
    with client_of(service) as client:
        response = client.post(path, content=body, headers=KIND)
    assert response.status_code == 413
    assert "expected JSON of at most 10,000 commas" in response.json()["error"]


def test_a_large_photo_is_not_dear_to_parse(client: TestClient):
    body = json.dumps({"photos": ["A" * 190_000]}).encode()
    response = client.post("/v1/predict", content=body, headers=KIND)
    assert response.status_code == 415


def test_bodies_of_all_requests_have_room_together():
    with client_of(Service(recognizer(), limits=Limits(bodies=1000))) as client:
        response = client.post("/v1/predict", files=files(b"a" * 2000))
        assert response.status_code == 429
        assert response.headers["retry-after"] == "1"
        assert client.post("/v1/predict", files=files(RED)).status_code == 200


class Held(Channels):
    """A network that does not end before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def forward(self, images: Tensor) -> Recognition:
        self.may_go_on.wait(timeout=60)
        return super().forward(images)


def test_what_is_not_answered_in_time_is_told_so():
    system = Held()
    with client_of(Service(channels_recognizer(system), limits=Limits(seconds=2))) as client:
        response = client.post("/v1/predict", files=files(RED))
        assert response.status_code == 503
        assert response.json() == {"error": "expected an answer within 2 seconds, got none"}
        assert response.headers["retry-after"] == "1"
        system.may_go_on.set()
        assert client.post("/v1/predict", files=files(RED)).status_code == 200
