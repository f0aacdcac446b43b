"""Requests as PhotoPrism sends them, and what it is answered."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from served import GREEN, LIMITS, RED, TOKEN, client_of, recognizer

from tagsight.server.app import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

PATH = "/api/v1/vision/labels"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("photoprism",))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with client_of(service, headers=headers) as client:
        yield client


def asked(client: TestClient, *images: str, **more: Any) -> Any:
    body = {"id": "3487da77", "model": "nasnet", "version": "latest", "images": images} | more
    return client.post(PATH, json=body)


def data_url(content: bytes, kind: str = "jpeg") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


def test_labels_come_as_photoprism_takes_them(client: TestClient):
    answer = asked(client, data_url(RED)).json()
    assert answer["id"] == "3487da77"
    assert answer["model"] == {"type": "labels", "name": "channels", "version": "c" * 12}
    (label,) = answer["result"]["labels"]
    score = pytest.approx(recognizer()(RED).scores[0])
    assert label == {
        "name": "red",
        "source": "image",
        "priority": 0,
        "categories": [],
        "confidence": score,
        "topicality": score,
    }


def test_several_pictures_give_each_label_once(client: TestClient):
    answer = asked(client, data_url(RED), data_url(GREEN), data_url(RED, "png")).json()
    assert [label["name"] for label in answer["result"]["labels"]] == ["red", "green"]


def test_a_request_without_a_name_gets_one(client: TestClient):
    first, second = (asked(client, data_url(RED), id=None).json()["id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("image", ["https://example.org/a.jpg", "/etc/passwd", "file:///a.jpg"])
def test_no_address_is_fetched_and_no_path_is_read(client: TestClient, image: str):
    answer = asked(client, image)
    assert answer.status_code == 422
    assert "this server fetches nothing" in answer.json()["error"]


def test_other_requests_are_refused_in_a_sentence(client: TestClient):
    assert asked(client).status_code == 422
    assert asked(client, "data:image/jpeg;base64,%%%").status_code == 422
    assert asked(client, data_url(b"no photo")).status_code == 415
    assert asked(client, *[data_url(RED)] * 4).status_code == 413
    wrong = client.post(PATH, json={"images": ["x"]}, headers={"Authorization": "Bearer no"})
    assert wrong.status_code == 401
