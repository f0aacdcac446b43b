"""Requests as Label Studio sends them, and what it is answered."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from served import GREEN, LIMITS, RED, TOKEN, client_of, recognizer

from tagsight.server.app import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

CONFIG = """
<View>
  <Header value="What is in it?"/>
  <Image name="img" value="$picture"/>
  <Choices name="tag" toName="img" choice="multiple" showInline="true">
    <Choice value="Red"/> <Choice value="green" hotkey="2"/> <Choice value="other"/>
  </Choices>
</View>
"""
VERSION = f"channels {'c' * 12}"


def data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = Service(recognizer(), limits=LIMITS, bridges=("label-studio",))
    with client_of(service) as client:
        yield client


def predict(client: TestClient, *pictures: Any, config: str = CONFIG) -> Any:
    tasks = [
        {"id": number, "data": {"picture": picture}, "annotations": [], "is_labeled": False}
        for number, picture in enumerate(pictures)
    ]
    body = {
        "tasks": tasks,
        "project": "1.1735",
        "label_config": config,
        "params": {"context": None},
    }
    return client.post("/predict", json=body)


def test_the_backend_says_that_it_works(client: TestClient):
    assert client.get("/health").json()["status"] == "UP"


def test_a_project_is_connected(client: TestClient):
    body = {"project": "1.1735", "schema": CONFIG, "hostname": "http://x", "access_token": "t"}
    assert client.post("/setup", json=body).json() == {"model_version": VERSION}
    body["schema"] = CONFIG.replace("Red", "mauve").replace("green", "beige")
    refused = client.post("/setup", json=body)
    assert refused.status_code == 422
    assert "labels of the model such as red, green, blue" in refused.json()["error"]


def test_labels_are_suggested_as_they_are_written_there(client: TestClient):
    answer = predict(client, data_url(RED), data_url(GREEN)).json()
    assert answer["model_version"] == VERSION
    red, green = answer["results"]
    (suggestion,) = red["result"]
    assert suggestion["value"] == {"choices": ["Red"]}
    assert (suggestion["from_name"], suggestion["to_name"]) == ("tag", "img")
    assert suggestion["type"] == "choices"
    assert red["score"] == pytest.approx(recognizer()(RED).scores[0])
    assert green["result"][0]["value"] == {"choices": ["green"]}


def test_one_choice_gets_the_surest_label(client: TestClient):
    config = CONFIG.replace('choice="multiple"', 'choice="single"').replace("other", "blue")
    (found,) = predict(client, data_url(RED), config=config).json()["results"]
    assert found["result"][0]["value"]["choices"] == ["Red"]


def test_a_photo_without_such_labels_gets_no_suggestion(client: TestClient):
    config = CONFIG.replace("Red", "blue")
    (found,) = predict(client, data_url(RED), config=config).json()["results"]
    assert (found["result"], found["score"]) == ([], 0)


@pytest.mark.parametrize(
    "picture",
    [
        *("http://127.0.0.1:9/photo.jpg", "/data/upload/1/photo.jpg", "file:///etc/passwd"),
        *("/etc/passwd", "s3://bucket/photo.jpg", "data:image/png,notbase64", ""),
    ],
)
def test_no_address_is_fetched_and_no_path_is_read(client: TestClient, picture: str):
    answer = predict(client, picture)
    assert answer.status_code == 422
    assert "this server fetches nothing" in answer.json()["error"]


@pytest.mark.parametrize(
    ("pictures", "config", "reason"),
    [
        ([None], CONFIG, "expected a photo in the field 'picture' of task 1, got none"),
        ([7], CONFIG, "got int"),
        ([data_url(b"no photo")], CONFIG, "expected a photo"),
        ([data_url(RED)], "<View>", "expected a labelling configuration in XML"),
        ([data_url(RED)], "<!DOCTYPE v [<!ENTITY a 'b'>]><View>&a;</View>", "a document type"),
        ([data_url(RED)], "<View><Text name='t' value='$t'/></View>", "expected Choices about"),
    ],
)
def test_other_requests_are_refused_in_a_sentence(client, pictures: list, config: str, reason: str):
    answer = predict(client, *pictures, config=config)
    assert answer.status_code in {415, 422}
    assert reason in answer.json()["error"]


def test_too_many_photos_are_refused(client: TestClient):
    assert predict(client, *[data_url(RED)] * (LIMITS.photos + 1)).status_code == 413


def test_events_are_taken_note_of(client: TestClient):
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200


def test_the_token_is_the_password_that_label_studio_is_given():
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("label-studio",))
    with client_of(service) as client:
        assert predict(client, data_url(RED)).status_code == 401
        client.auth = ("anyone", "a wrong password")
        assert predict(client, data_url(RED)).status_code == 401
        client.auth = ("anyone", TOKEN)
        assert predict(client, data_url(RED)).status_code == 200


def test_nobody_is_answered_without_being_asked_for():
    with client_of(Service(recognizer(), limits=LIMITS)) as client:
        assert client.get("/health").status_code == 404
