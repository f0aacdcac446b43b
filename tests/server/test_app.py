import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from served import GREEN, LIMITS, RED, client_of, encoded, files, is_secured, recognizer

from tagsight.data.photos.reading import open_photo
from tagsight.inference.heatmaps import colour_bar, scale_top
from tagsight.server.limits import Limits
from tagsight.server.service import Service
from tagsight.visualize.contact_sheet import heatmap

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(index) -> Iterator[TestClient]:
    service = Service(recognizer(), index, limits=LIMITS)
    with client_of(service, raise_server_exceptions=False) as client:
        yield client


def error(response: Any) -> str:
    """The sentence of a refusal, which names no arguments: clients have none."""
    assert set(response.json()) == {"error"}
    assert "`" not in response.json()["error"]
    assert is_secured(response)
    return response.json()["error"]


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))


def test_the_description_of_the_model_is_compressed_for_those_who_accept_that(client):
    def asked(accepted: str) -> Any:
        return client.get("/v1/model", headers={"Accept-Encoding": accepted})

    plain, packed = asked("identity"), asked("br, gzip;q=0.5")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in asked("gzip;q=0, br").headers
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.json() == plain.json()
    for response in (plain, packed):
        assert response.headers["content-type"] == "application/json"
        assert response.headers["vary"] == "Accept-Encoding"
        assert is_secured(response)


def test_predictions_are_those_of_the_recogniser_for_forms_and_json(client):
    form = client.post("/v1/predict", files=files(RED, GREEN)).json()
    body = {"photos": [base64.b64encode(content).decode() for content in (RED, GREEN)]}
    plain = client.post("/v1/predict", json=body).json()
    assert form["model"] == "c" * 12
    assert [photo["name"] for photo in form["photos"]] == ["0.png", "1.png"]
    assert plain["photos"] == [photo | {"name": None} for photo in form["photos"]]
    for photo, content in zip(form["photos"], (RED, GREEN), strict=True):
        result = recognizer()(content)
        names = [label.name for label in result.labels]
        assert [label["name"] for label in photo["labels"]] == names
        assert photo["decided"]["balanced"] == names
        assert photo["scores"] == pytest.approx(
            dict(zip(result.names, result.scores.tolist(), strict=True)), abs=1e-6
        )
        assert list(photo["scores"].values()) == sorted(photo["scores"].values(), reverse=True)
        assert (photo["width"], photo["height"]) == (64, 64)
        assert all(label["threshold"] == 0.5 for label in photo["labels"])
        assert photo["labels"][0]["heatmap"] is photo["evidence"] is None
        for strictness, decided in photo["decided"].items():
            predicted = recognizer().decision.at(strictness).predicted(result.scores)
            assert set(decided) == {n for n, p in zip(result.names, predicted, strict=True) if p}
    embedded = client.post("/v1/embed", files=files(RED)).json()["embeddings"]
    np.testing.assert_allclose(embedded, [recognizer()(RED).embedding], atol=1e-6)


def test_heatmaps_are_drawn_for_predicted_labels_and_overlays_for_all(client):
    target = "/v1/predict?heatmaps=true&evidence=true"
    (photo,) = client.post(target, files=files(RED)).json()["photos"]
    (label,) = photo["labels"]
    result = recognizer()(RED)
    (panel,) = result.panels(["red"])
    drawn = heatmap(open_photo(RED), panel, unit="evidence in logits", top=result.map("red").max())
    assert picture(label["heatmap"]).convert("RGB") == drawn
    evidence = photo["evidence"]
    for name, one in evidence["overlays"].items():
        assert one["top"] == pytest.approx(scale_top(result.map(name), [result.maps]))
    assert picture(evidence["bar"]).convert("RGB") == colour_bar((256, 1))
    overlays = {
        name: (np.asarray(picture(one["picture"]).convert("RGBA"))[..., 3], one["peak"])
        for name, one in evidence["overlays"].items()
    }
    assert set(overlays) == {"red", "green", "blue"}
    opacity, (x, y) = overlays["red"]
    assert opacity[:80, :80].min() > 180
    assert not opacity[-80:, -80:].any()
    assert opacity[int(192 * y), int(192 * x)] == opacity.max()
    nothing, nowhere = overlays["green"]
    assert not nothing.any()
    assert nowhere is None


def test_scores_may_be_those_of_the_highest_and_of_predicted_labels(client):
    (whole,) = client.post("/v1/predict", files=files(RED)).json()["photos"]
    (photo,) = client.post("/v1/predict?scores=1", files=files(RED)).json()["photos"]
    predicted = {name for names in whole["decided"].values() for name in names}
    expected = {*list(whole["scores"])[:1], *predicted}
    assert photo["scores"] == {name: whole["scores"][name] for name in expected}
    assert len(photo["scores"]) < len(whole["scores"])
    assert photo | {"scores": None} == whole | {"scores": None}
    assert client.post("/v1/predict?scores=0", files=files(RED)).status_code == 422


def test_states_and_metrics_are_open_and_count_by_route(client):
    alive = client.get("/healthz")
    assert alive.json() == {"status": "alive"}
    assert is_secured(alive)
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/no/such/page")
    text = client.get("/metrics").text
    assert 'tagsight_requests_total{route="/healthz",status="200"}' in text
    assert "no/such" not in text
    assert "tagsight_photos_waiting 0.0" in text


def test_the_document_lists_every_route_and_its_examples_work(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        *("/healthz", "/readyz", "/metrics"),
        *("/v1/model", "/v1/predict", "/v1/embed", "/v1/search", "/v1/tags"),
        *("/v1/search/labels", "/v1/photos/{photo}", "/v1/photos/{photo}/labels"),
    }
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    (example,) = body["application/json"]["schema"]["examples"]
    assert client.post("/v1/predict", json=example).status_code == 200
    assert set(body) == {"application/json", "multipart/form-data"}


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 415, "expected a photo, got an empty file"),
        (b"<svg onload='x'/>", 415, "expected a photo"),
        (GREEN[: len(GREEN) // 2], 422, "expected a whole photo, got one that is cut off"),
        (encoded(Image.new("1", (2000, 2000))), 413, "1 to 100,000 pixels, got 2,000 x 2,000"),
    ],
    ids=["empty", "SVG", "truncated", "bomb"],
)
def test_unusable_photos_are_refused_and_named(client, content, status, message):
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
        ({"json": {"photos": [], "path": "/etc/passwd"}}, 422, "expected {'photos'"),
        ({"content": b"{", "headers": JSON}, 422, "Invalid JSON"),
        ({"content": RED, "headers": {"content-type": "image/png"}}, 415, "got image/png"),
        ({"content": RED}, 415, "got no content type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422, "boundary"),
    ],
)
def test_malformed_requests_are_refused_with_a_reason(client, request_, status, message):
    response = client.post("/v1/predict", **request_)
    assert response.status_code == status
    assert message in error(response)


def test_a_full_queue_is_refused_with_a_time_to_try_again():
    with client_of(Service(recognizer(), limits=Limits(photos=3, room=2))) as client:
        response = client.post("/v1/predict", files=files(RED, RED, RED))
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert client.post("/v1/predict", files=files(RED, RED)).status_code == 200
        assert client.get("/v1/search?where=red").status_code == 404  # there is no index


def test_a_photo_that_takes_too_much_memory_is_refused_in_words_of_clients():
    large = encoded(Image.new("RGB", (4000, 4000)))
    with client_of(Service(recognizer(), limits=Limits(memory=32 * 2**20))) as client:
        response = client.post("/v1/predict", files=files(large))
    assert response.status_code == 413
    assert "at most 33,554,432 bytes of memory to decode, got " in error(response)


QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUICK
@given(st.data())
def test_no_damaged_photo_stops_the_server(client, data):
    content = bytearray(data.draw(st.sampled_from([RED, GREEN])))
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(content)))
    response = client.post("/v1/predict", files=files(bytes(content[:cut])))
    assert response.status_code in {200, 413, 415, 422}
    assert response.status_code == 200 or error(response)


@QUICK
@given(
    body=st.binary(max_size=400),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=a", "text/plain"]),
)
def test_no_body_stops_the_server(client, body, kind):
    response = client.post("/v1/predict", content=body, headers={"content-type": kind})
    assert response.status_code in {413, 415, 422}
    assert error(response)
