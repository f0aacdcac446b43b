from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from served import BEARER, GREEN, LIMITS, RED, TOKEN, client_of, data_url, recognizer

from tagsight.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

PATH = "/api/v1/vision/labels"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("photoprism",))
    with client_of(service, headers=BEARER) as client:
        yield client


def requested(client: TestClient, *images: str, **more: Any) -> Any:
    body = {"id": "3487da77", "model": "nasnet", "version": "latest", "images": images} | more
    return client.post(PATH, json=body)


def test_labels_have_the_form_of_photoprism(client: TestClient):
    answer = requested(client, data_url(RED)).json()
    assert answer["id"] == "3487da77"
    assert answer["model"] == {"type": "labels", "name": "channels", "version": "c" * 12}
    (label,) = answer["result"]["labels"]
    score = pytest.approx(recognizer()(RED).scores[0])
    said = {"name": "red", "source": "image", "priority": 0, "categories": []}
    assert label == {**said, "confidence": score, "topicality": score}


def test_several_pictures_give_each_label_once_and_requests_get_an_id(client: TestClient):
    pictures = (data_url(RED), data_url(GREEN, "jpeg"), data_url(RED))
    first, second = (requested(client, *pictures, id=None).json() for _ in range(2))
    assert [label["name"] for label in first["result"]["labels"]] == ["red", "green"]
    assert first["id"] != second["id"]


def test_other_requests_are_refused(client: TestClient):
    unread = ["https://example.org/a.jpg", "/etc/passwd", "data:image/jpeg;base64,%%%"]
    for images, status in [
        *(([image], 422) for image in unread),
        *(([], 422), ([data_url(b"no photo")], 415), ([data_url(RED)] * 4, 413)),
    ]:
        assert requested(client, *images).status_code == status
