"""The server over its own interface: what it answers, and what it refuses."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from served import GREEN, LIMITS, RED, TOKEN, client_of, encoded, files, recognizer

from tagsight.search.index import SearchIndex
from tagsight.server.app import Service
from tagsight.server.limits import Limits
from tagsight.server.security_headers import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def client(index: SearchIndex) -> Iterator[TestClient]:
    service = Service(recognizer(), index, limits=LIMITS)
    with client_of(service, raise_server_exceptions=False) as client:
        yield client


def error(response: Any) -> str:
    assert set(response.json()) == {"error"}
    return response.json()["error"]


def test_labels_are_those_of_the_recogniser(client: TestClient):
    answer = client.post("/v1/predict", files=files(RED, GREEN)).json()
    assert answer["model"] == "c" * 12
    assert [photo["name"] for photo in answer["photos"]] == ["0.png", "1.png"]
    for photo, content in zip(answer["photos"], (RED, GREEN), strict=True):
        result = recognizer()(content)
        assert [label["name"] for label in photo["labels"]] == [
            found.name for found in result.labels
        ]
        scores = [photo["scores"][name] for name in result.names]
        np.testing.assert_allclose(scores, result.scores, atol=1e-6)
        assert (photo["width"], photo["height"]) == (64, 64)
        assert all(label["threshold"] == 0.5 for label in photo["labels"])


def test_photos_may_come_as_json_as_well(client: TestClient):
    body = {"photos": [base64.b64encode(content).decode() for content in (RED, GREEN)]}
    plain, form = (
        client.post("/v1/predict", json=body),
        client.post("/v1/predict", files=files(RED, GREEN)),
    )
    names = [[label["name"] for label in p["labels"]] for p in plain.json()["photos"]]
    assert names == [["red"], ["green"]]
    assert [p["scores"] for p in plain.json()["photos"]] == [
        p["scores"] for p in form.json()["photos"]
    ]


def test_heatmaps_are_pictures_of_the_found_labels(client: TestClient):
    answer = client.post("/v1/predict?heatmaps=true", files=files(RED)).json()
    (label,) = answer["photos"][0]["labels"]
    data = base64.b64decode(label["heatmap"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (64, 64)
    plain = client.post("/v1/predict", files=files(RED)).json()
    assert plain["photos"][0]["labels"][0]["heatmap"] is None


def test_embeddings_are_those_of_the_recogniser(client: TestClient):
    answer = client.post("/v1/embed", files=files(RED)).json()
    np.testing.assert_allclose(answer["embeddings"], [recognizer()(RED).embedding], atol=1e-6)


def test_the_index_is_searched_by_photo_and_by_labels(client: TestClient):
    like = client.post("/v1/search?top=1", files=files(GREEN)).json()["photos"]
    assert [Path(photo["path"]).name for photo in like] == ["green.png"]
    assert like[0]["likeness"] > 0.99
    where = client.get("/v1/search", params={"where": "red or blue"}).json()["photos"]
    assert {Path(photo["path"]).name for photo in where} == {"red.png", "blue.png"}
    both = client.post("/v1/search?where=not green", files=files(GREEN)).json()["photos"]
    assert {Path(photo["path"]).name for photo in both} == {"red.png", "blue.png"}


def test_the_model_says_what_it_is(client: TestClient):
    facts = client.get("/v1/model").json()
    assert [label["name"] for label in facts["labels"]] == ["red", "green", "blue"]
    assert facts["image_size"] == 32


def test_states_and_counts_are_told(client: TestClient):
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/no/such/page")
    text = client.get("/metrics").text
    assert 'tagsight_requests_total{route="/healthz",status="200"}' in text
    assert "no/such" not in text
    assert "tagsight_photos_waiting 0.0" in text


def test_every_answer_has_the_headers_of_a_careful_server(client: TestClient):
    for response in (
        client.get("/healthz"),
        client.get("/nothing"),
        client.post("/v1/predict", files=files(b"no photo")),
    ):
        assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_the_document_knows_every_route_and_its_examples(client: TestClient):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        *("/healthz", "/readyz", "/metrics"),
        *("/v1/model", "/v1/predict", "/v1/embed", "/v1/search", "/v1/tags"),
        "/v1/photos/{photo}",
    }
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    (example,) = body["application/json"]["schema"]["examples"]
    assert client.post("/v1/predict", json=example).status_code == 200
    assert set(body) == {"application/json", "multipart/form-data"}


def bomb() -> bytes:
    """A photo of few bytes and many pixels."""
    return encoded(Image.new("1", (2000, 2000)))


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 415, "expected a photo, got a file of another kind"),
        (b"%PDF-1.4 something", 415, "expected a photo, got a file of another kind"),
        (b"<svg onload='x'/>", 415, "expected a photo"),
        (GREEN[: len(GREEN) // 2], 422, "expected a readable photo"),
        (bomb(), 413, "expected 1 to 100,000 pixels, got 2,000 x 2,000"),
    ],
    ids=["empty", "PDF", "SVG", "truncated", "bomb"],
)
def test_uploads_that_are_no_good_are_refused_with_a_sentence(
    client: TestClient, content: bytes, status: int, message: str
):
    response = client.post("/v1/predict", files=files(content))
    assert response.status_code == status
    assert message in error(response)
    several = client.post("/v1/predict", files=files(RED, content))
    assert several.status_code == status
    assert error(several).startswith("photo 2 of 2: ")


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"files": files(RED, RED, RED, RED)}, 413, "expected at most 3 photos, got 4"),
        ({"files": files(*[RED] * 9)}, 413, "Too many files"),
        ({"data": {"photos": "text"}, "files": [("other", ("a", b"b"))]}, 422, "got text"),
        ({"files": [("other", ("a.png", RED))]}, 422, "in the field 'photos', got none"),
        ({"json": {"photos": []}}, 422, "expected at least one photo"),
        ({"json": {"photos": ["%%%"]}}, 422, "expected photo 1 as base64"),
        ({"json": {"photos": "abc"}}, 422, "expected {'photos': [base64, ...]}"),
        ({"json": {"photos": [], "path": "/etc/passwd"}}, 422, "expected {'photos'"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "Invalid JSON"),
        ({"content": RED, "headers": {"content-type": "image/png"}}, 415, "got image/png"),
        ({"content": RED}, 415, "got no content type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422, "boundary"),
        ({"files": files(b"a" * 300_000)}, 413, "expected at most 200,000 bytes"),
    ],
)
def test_requests_of_another_form_are_refused_with_a_sentence(
    client: TestClient, request_: dict[str, Any], status: int, message: str
):
    response = client.post("/v1/predict", **request_)
    assert response.status_code == status
    assert message in error(response)


def test_a_body_that_does_not_say_its_length_is_cut_all_the_same(client: TestClient):
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"a" * 10_000

    response = client.post(
        "/v1/predict", content=endless(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413


def test_questions_to_the_index_that_make_no_sense_are_refused(client: TestClient):
    assert "expected a label of the index" in error(client.get("/v1/search?where=mauve"))
    assert "expected one photo" in error(client.post("/v1/search", files=files(RED, RED)))
    assert client.get("/v1/search?where=red&top=0").status_code == 422
    assert client.get("/v1/search").status_code == 422


def test_with_a_token_only_those_are_let_in_that_have_it(index: SearchIndex):
    with client_of(Service(recognizer(), index, TOKEN, LIMITS)) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            for response in (
                client.get("/v1/model", headers=headers),
                client.post("/v1/predict", files=files(RED), headers=headers),
                client.get("/v1/search?where=red", headers=headers),
            ):
                assert response.status_code == 401
                assert response.headers["www-authenticate"] == "Bearer"
        right = {"authorization": f"Bearer {TOKEN}"}
        assert client.post("/v1/predict", files=files(RED), headers=right).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_where_there_is_no_room_it_is_said_when_to_come_again():
    limits = Limits(photos=3, room=2)
    with client_of(Service(recognizer(), limits=limits)) as client:
        response = client.post("/v1/predict", files=files(RED, RED, RED))
        assert response.status_code == 429
        assert response.headers["retry-after"] == "1"
        assert client.post("/v1/predict", files=files(RED, RED)).status_code == 200


def test_without_an_index_there_is_no_search():
    with client_of(Service(recognizer(), limits=LIMITS)) as client:
        assert client.get("/v1/search?where=red").status_code == 404


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_damage_to_a_photo_stops_the_server(client: TestClient, data: st.DataObject):
    content = bytearray(data.draw(st.sampled_from([RED, GREEN])))
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(content)))
    response = client.post("/v1/predict", files=files(bytes(content[:cut])))
    assert response.status_code in {200, 413, 415, 422}
    if response.status_code != 200:
        assert error(response)
    assert client.get("/healthz").status_code == 200


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=400),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=a", "text/plain"]),
)
def test_no_body_stops_the_server(client: TestClient, body: bytes, kind: str):
    response = client.post("/v1/predict", content=body, headers={"content-type": kind})
    assert response.status_code in {413, 415, 422}
    json.dumps(error(response))


def test_labels_are_decided_at_every_strictness(client: TestClient):
    (photo,) = client.post("/v1/predict", files=files(RED)).json()["photos"]
    result = recognizer()(RED)
    for strictness, names in photo["decided"].items():
        predicted = recognizer().decision.at(strictness).predicted(result.scores)
        assert set(names) == {n for n, p in zip(result.names, predicted, strict=True) if p}
    assert photo["decided"]["balanced"] == [label["name"] for label in photo["labels"]]
    assert photo["evidence"] is None
    assert list(photo["scores"].values()) == sorted(photo["scores"].values(), reverse=True)


def test_evidence_is_given_for_labels_found_or_not(client: TestClient):
    (photo,) = client.post("/v1/predict?evidence=true", files=files(RED)).json()["photos"]
    assert set(photo["evidence"]) == {"red", "green", "blue"}
    pictures = {}
    for name, url in photo["evidence"].items():
        content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(content)) as picture:
            pictures[name] = np.asarray(picture.convert("RGBA"))
    opacity = pictures["red"][..., 3]
    assert opacity[:40, :40].min() > 200
    assert not opacity[-40:, -40:].any()
    assert not pictures["green"][..., 3].any()
