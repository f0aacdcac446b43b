from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from channels import corner
from PIL import Image
from served import BEARER, GREEN, RED, TOKEN, client_of, files, index_of, recognizer

from tagsight.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

    from tagsight.search.index import SearchIndex


@pytest.fixture(scope="module")
def client(index: SearchIndex) -> Iterator[TestClient]:
    with client_of(Service(recognizer(), index)) as client:
        yield client


def names(photos: list[dict[str, str]]) -> set[str]:
    return {Path(photo["path"]).name for photo in photos}


def test_the_index_is_searched_by_photo_and_by_labels(client: TestClient):
    (like,) = client.post("/v1/search?top=1", files=files(GREEN)).json()["photos"]
    assert names([like]) == {"green.png"}
    assert like["likeness"] > 0.99
    where = client.get("/v1/search", params={"where": "red or blue"}).json()["photos"]
    assert names(where) == {"red.png", "blue.png"}
    both = client.post("/v1/search?where=not green", files=files(GREEN)).json()["photos"]
    assert names(both) == {"red.png", "blue.png"}
    assert client.get("/v1/model").json()["indexed"] == 3


@pytest.mark.parametrize(
    ("target", "photos", "reason"),
    [
        ("/v1/search?where=mauve", (), "expected a label of the index"),
        ("/v1/search", (RED, RED), "expected one photo"),
        ("/v1/search?where=red&top=0", (), "greater than or equal to 1"),
        ("/v1/search", (), "Field required"),
    ],
)
def test_impossible_searches_are_refused(client: TestClient, target: str, photos, reason: str):
    sent = client.post(target, files=files(*photos)) if photos else client.get(target)
    assert sent.status_code == 422
    assert reason in sent.json()["error"]


def test_only_photos_of_the_index_are_shown_small_and_with_the_token(tmp_path: Path):
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
