"""The formats of PhotoPrism's vision service, as its documentation and sources of 2026 have them.

https://docs.photoprism.app/developer-guide/vision/ and the types ``ApiRequest``, ``ApiResponse``
and ``LabelResult`` of ``internal/ai/vision``.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from served import BEARER, GREEN, LIMITS, RED, TOKEN, client_of, data_url, recognizer

from tagsight.server.service import Service

PATH = "/api/v1/vision/labels"
REQUEST = {
    "id": "3487da77-246e-4b4b-8438-4cd4cbfc9e6e",
    "model": "tagsight",
    "version": "latest",
    "suffix": "",
    "format": "json",
    "options": {"temperature": 0.1},
    "context": [1, 2],
    "stream": False,
}
"""All that PhotoPrism sends beside the photos."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("photoprism",))
    with client_of(service, headers=BEARER) as client:
        yield client


def requested(client: TestClient, *images: str, **more: Any) -> Any:
    return client.post(PATH, json=REQUEST | {"images": images} | more)


def test_labels_have_the_form_of_photoprism(client):
    response = requested(client, data_url(RED))
    answer = response.json()
    assert response.status_code == answer["code"] == 200
    assert answer["id"] == REQUEST["id"]
    assert answer["model"] == {"type": "labels", "name": "channels", "version": "c" * 12}
    (label,) = answer["result"]["labels"]
    score = pytest.approx(recognizer()(RED).scores[0])
    said = {"name": "red", "source": "image", "priority": 0, "categories": []}
    assert label == {**said, "confidence": score, "topicality": score}


def test_several_pictures_give_each_label_once_and_requests_get_an_id(client):
    pictures = (data_url(RED), data_url(GREEN, "jpeg"), data_url(RED))
    first, second = (requested(client, *pictures, id=None).json() for _ in range(2))
    assert [label["name"] for label in first["result"]["labels"]] == ["red", "green"]
    assert first["id"] != second["id"]


def test_other_requests_are_refused_with_the_code_that_photoprism_reads(client):
    unread = ["https://example.org/a.jpg", "/etc/passwd", "data:image/jpeg;base64,%%%"]
    for images, status in [
        *(([image], 422) for image in unread),
        *(([data_url(b"no photo")], 415), ([data_url(RED)] * 4, 413)),
    ]:
        response = requested(client, *images)
        answer = response.json()
        assert response.status_code == answer["code"] == status
        assert answer["id"] == REQUEST["id"]
        assert "expected" in answer["error"]
    assert requested(client).status_code == 422
