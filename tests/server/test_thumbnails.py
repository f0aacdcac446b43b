"""Small pictures of indexed photos, and of nothing else."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from channels import corner
from PIL import Image
from served import RED, TOKEN, client_of, recognizer

from tagsight.data.photo_files import find_photos
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import index_photos
from tagsight.server.app import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    corner("red", (600, 150)).save(tmp_path / "photos" / "wide.png")
    corner("blue").save(tmp_path / "photos" / "blue.png")
    return tmp_path / "photos"


@pytest.fixture
def client(photos: Path, tmp_path: Path) -> Iterator[TestClient]:
    model = recognizer()
    index = SearchIndex.create(tmp_path / "index", Facts("m", "m", model.labels, (0.5,) * 3, 3))
    index_photos(model, find_photos([photos]), index)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with client_of(Service(recognizer(), index, TOKEN), headers=headers) as client:
        yield client


def test_a_photo_that_was_found_is_shown_small(client: TestClient):
    (found,) = client.get("/v1/search?where=red").json()["photos"]
    answer = client.get(f"/v1/photos/{found['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert max(picture.size) == 320


def test_it_takes_the_token(client: TestClient):
    (found,) = client.get("/v1/search?where=red").json()["photos"]
    answer = client.get(f"/v1/photos/{found['id']}", headers={"Authorization": "Bearer no"})
    assert answer.status_code == 401


def test_photos_that_are_not_indexed_are_not_shown(client: TestClient, photos: Path):
    other = photos.parent / "other.png"
    other.write_bytes(RED)
    digest = hashlib.sha256(RED).hexdigest()
    assert client.get(f"/v1/photos/{digest}").status_code == 404
    for name in ("other.png", str(other), "../other.png", "A" * 64, "0" * 63):
        assert client.get(f"/v1/photos/{name}").status_code in {404, 422}


def test_a_photo_that_is_gone_is_not_shown(client: TestClient, photos: Path):
    (found,) = client.get("/v1/search?where=blue").json()["photos"]
    (photos / "blue.png").unlink()
    answer = client.get(f"/v1/photos/{found['id']}")
    assert answer.status_code == 404
    assert "not there" in answer.json()["error"]


def test_a_photo_is_not_like_itself(client: TestClient, photos: Path):
    sent = {"photos": (photos / "wide.png").read_bytes()}
    found = client.post("/v1/search", files=sent).json()["photos"]
    assert [Path(photo["path"]).name for photo in found] == ["blue.png"]
