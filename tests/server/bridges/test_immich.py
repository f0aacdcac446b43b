"""The formats of Immich's machine-learning service, as its sources of 2026 have them.

``machine-learning/immich_ml/main.py`` and ``server/src/repositories/
machine-learning.repository.ts``: a form with ``entries`` and a file ``image`` or a ``text``.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from served import GREEN, LIMITS, RED, client_of, recognizer

from tagsight.server.service import Service

MODEL = "ViT-B-32__openai"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Service(recognizer(), limits=LIMITS, bridges=("immich",))) as client:
        yield client


def asked(client: TestClient, task: str, kind: str, model: str = MODEL, **content: Any) -> Any:
    entries = json.dumps({task: {kind: {"modelName": model, "options": {}}}})
    parts: dict[str, Any] = {"entries": (None, entries)}
    if "text" in content:
        parts["text"] = (None, content["text"])
    if "image" in content:
        parts["image"] = ("blob", content["image"], "application/octet-stream")
    return client.post("/predict", files=parts)


def vector(response: Any) -> Any:
    found = np.array(json.loads(response.json()["clip"]))
    return found / np.linalg.norm(found)


def test_a_photo_and_a_label_get_vectors_of_the_length_that_immich_expects(client):
    assert client.get("/ping").text == "pong"
    photo = asked(client, "clip", "visual", image=RED)
    width, height = recognizer()(RED).photo_size
    assert photo.json().keys() == {"clip", "imageWidth", "imageHeight"}
    assert (photo.json()["imageWidth"], photo.json()["imageHeight"]) == (width, height)
    assert len(vector(photo)) == 512
    text = asked(client, "clip", "textual", text="Red")
    assert text.json().keys() == {"clip"}
    assert len(vector(text)) == 512
    long = asked(client, "clip", "textual", model="RN50__openai", text="red")
    assert len(vector(long)) == 1024


def test_the_name_of_a_label_is_nearest_to_the_photos_that_have_it(client):
    red, green = (vector(asked(client, "clip", "visual", image=photo)) for photo in (RED, GREEN))
    said = vector(asked(client, "clip", "textual", text="something red"))
    assert said @ red > said @ green + 0.3
    assert red @ red > red @ green


@pytest.mark.parametrize(
    ("task", "kind", "content", "reason"),
    [
        ("facial-recognition", "detection", {"image": RED}, "faces and letters are not"),
        ("ocr", "detection", {"image": RED}, "faces and letters are not"),
        ("clip", "textual", {"text": "a sunny day"}, "expected the name of a label such as red"),
        ("clip", "textual", {"text": "x" * 2000}, "at most 1,000 characters"),
        ("clip", "textual", {"image": RED}, "expected 'image' for 'visual'"),
        ("clip", "visual", {"image": b"no photo"}, "expected a photo"),
        ("clip", "visual", {"image": RED, "model": "Another"}, "expected one of ViT-B-32__openai"),
    ],
)
def test_what_is_not_answered_has_a_reason_and_goes_to_the_next_service(
    client, task, kind, content, reason
):
    response = asked(client, task, kind, **content)
    assert response.status_code in {415, 422}  # Immich asks its next URL
    assert reason in response.json()["error"]
