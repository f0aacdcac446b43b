import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels import channels_recognizer
from fastapi.testclient import TestClient
from served import LIMITS, RED, Watched, client_of, files, recognizer

from tagsight.server.bridges import BRIDGES
from tagsight.server.limits import Limits
from tagsight.server.service import Service

PATHS = [
    *("/v1/predict", "/v1/embed", "/v1/tags?form=csv"),
    *("/setup", "/predict", "/api/v1/vision/labels"),
]
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    limits = Limits(body=200_000, marks=10_000)
    with client_of(Service(recognizer(), limits=limits, bridges=tuple(BRIDGES))) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_every_route_refuses_bodies_that_are_too_long_or_too_expensive(client, path):
    large = json.dumps({"photos": ["A" * 190_000]}).encode()
    assert client.post(path, content=large, headers=JSON).status_code != 413
    for body in (b" " * (LIMITS.body + 1), (b" " * 10_000 for _ in range(100))):
        response = client.post(path, content=body, headers=JSON)
        assert response.status_code == 413
        assert response.json()["error"] == "expected at most 195.3 KiB in a request, got more"
    for piece in (b"[],", b'"",', b"1,", b'{"":0},', b'"\\u0041",'):
        body = b'{"photos": [' + piece * 10_001 + b"0]}"
        response = client.post(path, content=body, headers=JSON)
        assert response.status_code == 413
        assert "expected JSON of at most 10,000 commas" in response.json()["error"]


def test_all_bodies_together_have_a_limit():
    with client_of(Service(recognizer(), limits=Limits(bodies=1000))) as client:
        response = client.post("/v1/predict", files=files(b"a" * 2000))
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert client.post("/v1/predict", files=files(RED)).status_code == 200


def test_a_result_that_does_not_come_in_time_is_reported():
    system = Watched()
    system.may_go_on.clear()
    with client_of(Service(channels_recognizer(system), limits=Limits(seconds=3))) as client:
        response = client.post("/v1/predict", files=files(RED))
        system.may_go_on.set()
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.json() == {"error": "expected a result within 3 seconds, got none"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries return memory")
def test_memory_of_large_uploads_is_returned():
    def resident() -> int:
        return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])

    size = 40 * 2**20
    with client_of(Service(recognizer(), limits=Limits())) as client:
        client.post("/v1/predict", files=files(RED))
        before = resident()
        for _ in range(3):
            assert client.post("/v1/predict", files=files(b"\0" * size)).status_code == 415
        for _ in range(20_000):
            client.get("/healthz")
            if resident() < before + size:
                break
        assert resident() < before + size
