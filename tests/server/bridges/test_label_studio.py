from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from served import GREEN, LIMITS, RED, TOKEN, client_of, data_url, recognizer

from tagsight.commands.serve import serve
from tagsight.server.bridges import BRIDGES
from tagsight.server.service import Service

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
    body = {"tasks": tasks, "project": "1.1735", "label_config": config, "params": {"context": 1}}
    return client.post("/predict", json=body)


def test_a_project_with_labels_of_the_model_is_connected(client: TestClient):
    assert client.get("/health").json()["status"] == "UP"
    body = {"project": "1.1735", "schema": CONFIG, "hostname": "http://x", "access_token": "t"}
    assert client.post("/setup", json=body).json() == {"model_version": VERSION}
    body["schema"] = CONFIG.replace("Red", "mauve").replace("green", "beige")
    refused = client.post("/setup", json=body)
    assert refused.status_code == 422
    assert "labels of the model such as red, green, blue" in refused.json()["error"]
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200


def test_labels_are_suggested_in_the_spelling_of_the_configuration(client: TestClient):
    answer = predict(client, data_url(RED), data_url(GREEN)).json()
    assert answer["model_version"] == VERSION
    red, green = answer["results"]
    (suggestion,) = red["result"]
    assert suggestion["value"] == {"choices": ["Red"]}
    assert (suggestion["from_name"], suggestion["to_name"]) == ("tag", "img")
    assert suggestion["type"] == "choices"
    assert red["score"] == pytest.approx(recognizer()(RED).scores[0])
    assert green["result"][0]["value"] == {"choices": ["green"]}


def test_single_choices_get_the_best_label_and_photos_without_one_get_none(client: TestClient):
    single = CONFIG.replace('choice="multiple"', 'choice="single"').replace("other", "blue")
    (found,) = predict(client, data_url(RED), config=single).json()["results"]
    assert found["result"][0]["value"]["choices"] == ["Red"]
    other = CONFIG.replace("Red", "blue")
    (found,) = predict(client, data_url(RED), config=other).json()["results"]
    assert (found["result"], found["score"]) == ([], 0)


NO_URLS = "this server fetches no URLs"
ENTITY = "<!DOCTYPE v [<!ENTITY a 'b'>]><View>&a;</View>"


@pytest.mark.parametrize(
    ("pictures", "config", "reason"),
    [
        (["http://127.0.0.1:9/photo.jpg"], CONFIG, NO_URLS),
        (["/data/upload/1/photo.jpg"], CONFIG, NO_URLS),
        (["file:///etc/passwd"], CONFIG, NO_URLS),
        (["s3://bucket/photo.jpg"], CONFIG, NO_URLS),
        (["data:image/png,notbase64"], CONFIG, NO_URLS),
        ([""], CONFIG, NO_URLS),
        ([None], CONFIG, "expected a photo in the field 'picture' of task 1, got none"),
        ([7], CONFIG, "got int"),
        ([data_url(b"no photo")], CONFIG, "expected a photo"),
        ([data_url(RED)] * 4, CONFIG, "expected at most 3 photos, got 4"),
        ([data_url(RED)], "<View>", "expected a labelling configuration in XML"),
        ([data_url(RED)], ENTITY, "a document type"),
        ([data_url(RED)], "<View><Text name='t' value='$t'/></View>", "expected Choices for"),
    ],
)
def test_no_url_is_fetched_and_what_is_refused_has_a_reason(client, pictures, config, reason):
    answer = predict(client, *pictures, config=config)
    assert answer.status_code in {413, 415, 422}
    assert reason in answer.json()["error"]


def test_the_token_is_sent_as_a_password():
    service = Service(recognizer(), token=TOKEN, limits=LIMITS, bridges=("label-studio",))
    with client_of(service) as client:
        for auth, status in ((None, 401), (("any", "wrong password"), 401), (("any", TOKEN), 200)):
            client.auth = auth
            assert predict(client, data_url(RED)).status_code == status


def test_a_bridge_exists_only_on_request_and_the_command_offers_every_one():
    with client_of(Service(recognizer(), limits=LIMITS)) as client:
        assert client.get("/health").status_code == 404
    assert set(re.findall(r"'([^']+)'", serve.__annotations__["bridge"])) == set(BRIDGES)
