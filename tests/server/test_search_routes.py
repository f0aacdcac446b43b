import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels import corner
from fastapi.testclient import TestClient
from PIL import Image
from served import BEARER, GREEN, RED, TOKEN, client_of, files, index_of, recognizer

from tagsight.server.service import Service


@pytest.fixture(scope="module")
def client(index) -> Iterator[TestClient]:
    with client_of(Service(recognizer(), index)) as client:
        yield client


def names(photos: list[dict[str, str]]) -> set[str]:
    return {Path(photo["path"]).name for photo in photos}


def test_the_index_is_searched_by_photo_and_by_labels(client):
    (like,) = client.post("/v1/search?top=1", files=files(GREEN)).json()["photos"]
    assert names([like]) == {"green.png"}
    assert like["likeness"] > 0.99
    where = client.get("/v1/search", params={"where": "red or blue"}).json()["photos"]
    assert names(where) == {"red.png", "blue.png"}
    both = client.post("/v1/search?where=not green", files=files(GREEN)).json()["photos"]
    assert names(both) == {"red.png", "blue.png"}
    assert client.get("/v1/model").json()["indexed"] == 3


def test_the_index_is_browsed_page_by_page(client):
    pages = [client.get(f"/v1/search?top=2&skip={skip}").json() for skip in (0, 2, 4)]
    assert [page["matching"] for page in pages] == [3, 3, 3]
    paths = [Path(photo["path"]).name for page in pages for photo in page["photos"]]
    assert paths == ["blue.png", "green.png", "red.png"]
    some = client.get("/v1/search?where=red or blue&top=1&skip=1").json()
    assert (len(some["photos"]), some["matching"]) == (1, 2)


def test_labels_are_counted(client):
    counted = client.get("/v1/search/labels").json()
    labels = [{"name": name, "photos": 1} for name in ("red", "green", "blue")]
    assert counted == {"photos": 3, "labels": labels}


def test_an_unknown_label_is_answered_with_what_was_meant(client):
    answer = client.get("/v1/search", params={"where": "gren and not bleu"})
    assert answer.status_code == 422
    told = {
        "error": "expected a label of the index, got 'gren': did you mean 'green'?",
        "unknown": "gren",
        "meant": ["green and not blue"],
    }
    assert answer.json() == told
    assert client.get("/v1/search", params={"where": "violet"}).json()["meant"] == []


def test_a_photo_of_the_index_is_shown_with_its_labels_evidence_and_place(client):
    (photo,) = client.get("/v1/search?where=green").json()["photos"]
    shown = client.get(f"/v1/photos/{photo['id']}/labels").json()
    assert shown["paths"] == [photo["path"]]
    sent = client.post("/v1/predict?evidence=true", files=files(Path(photo["path"]).read_bytes()))
    (expected,) = sent.json()["photos"]
    for part in ("labels", "scores", "decided", "evidence", "width"):
        assert shown[part] == expected[part]
    assert shown["name"] == "green.png"
    small = client.get(f"/v1/photos/{photo['id']}?side=16")
    with Image.open(io.BytesIO(small.content)) as picture:
        assert max(picture.size) == 16
    assert client.get(f"/v1/photos/{'0' * 64}/labels").status_code == 404


@pytest.mark.parametrize(
    ("target", "photos", "reason"),
    [
        ("/v1/search?where=mauve", (), "expected a label of the index"),
        ("/v1/search", (RED, RED), "expected one photo"),
        ("/v1/search?where=red&top=0", (), "greater than or equal to 1"),
    ],
)
def test_impossible_searches_are_refused(client, target, photos, reason):
    sent = client.post(target, files=files(*photos)) if photos else client.get(target)
    assert sent.status_code == 422
    assert reason in sent.json()["error"]


def test_only_photos_of_the_index_are_shown_small_and_with_the_token(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    corner("red", (600, 150)).save(photos / "wide.png")
    corner("blue").save(photos / "blue.png")
    (tmp_path / "other.png").write_bytes(RED)
    service = Service(recognizer(), index_of(tmp_path / "index", photos), TOKEN)
    with client_of(service, headers=BEARER) as client:
        sent = {"photos": (photos / "wide.png").read_bytes()}
        assert names(client.post("/v1/search", files=sent).json()["photos"]) == {"blue.png"}
        (wide,) = client.get("/v1/search?where=red").json()["photos"]
        shown = client.get(f"/v1/photos/{wide['id']}")
        assert shown.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(shown.content)) as picture:
            assert max(picture.size) == 320
        wrong = client.get(f"/v1/photos/{wide['id']}", headers={"Authorization": "Bearer no"})
        assert wrong.status_code == 401
        (blue,) = client.get("/v1/search?where=blue").json()["photos"]
        (photos / "blue.png").unlink()
        for digest in (blue["id"], hashlib.sha256(RED).hexdigest()):
            gone = client.get(f"/v1/photos/{digest}")
            assert gone.status_code == 404
            assert "not there" in gone.json()["error"]
        for name in ("other.png", str(tmp_path / "other.png"), "../other.png", "A" * 64, "0" * 63):
            assert client.get(f"/v1/photos/{name}").status_code in {404, 422}
