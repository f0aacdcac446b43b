import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from served import client_of, recognizer

from tagsight.server.service import Service
from tagsight.tagging.sidecars.text import tags_of
from tagsight.tagging.sidecars.xmp import keywords

LABELS = [{"name": "animal/dog", "score": 0.93}, {"name": "<grass> & sky", "score": 0.4}]
NAMES = [label["name"] for label in LABELS]


def labelled(name: str, score: float = 0.5) -> list[dict[str, Any]]:
    return [{"name": name, "score": score}]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Service(recognizer())) as client:
        yield client


def requested(client: TestClient, form: str, *photos: tuple[str, list[Any]]) -> Any:
    body = {"photos": [{"name": name, "labels": labels} for name, labels in photos]}
    return client.post(f"/v1/tags?form={form}", json=body)


def test_a_sidecar_has_the_labels_and_the_model_and_a_table_all_photos(client):
    answer = requested(client, "xmp", ("hund ü.jpg", LABELS))
    assert keywords(answer.content) == ["dog", "<grass> & sky"]
    assert f"channels {'c' * 12}".encode() in answer.content
    assert "filename*=UTF-8''hund%20%C3%BC.jpg.xmp" in answer.headers["content-disposition"]
    answer = requested(client, "txt", ("a.b.jpg", LABELS))
    assert tags_of(answer.content) == NAMES
    assert "filename*=UTF-8''a.b.txt" in answer.headers["content-disposition"]
    answer = requested(client, "csv", ("a.jpg", LABELS), ("b, c.jpg", []))
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [["path", "labels"], ["a.jpg", ";".join(NAMES)], ["b, c.jpg", ""]]


@pytest.mark.parametrize(
    ("form", "photos", "reason"),
    [
        ("xmp", [("a.jpg", LABELS), ("b.jpg", LABELS)], "expected one photo with labels"),
        ("txt", [("a.jpg", [])], "expected one photo with labels for a sidecar, got no label"),
        ("xmp", [("", LABELS)], "at least 1 character"),
        ("txt", [("a.jpg", labelled(" "))], "without control characters, got ' '"),
        ("txt", [("a.jpg", labelled("a, b"))], "without the separator ', ', got 'a, b'"),
        ("xmp", [("a.jpg", labelled("dog", 7))], "less than or equal to 1"),
        ("doc", [("a.jpg", LABELS)], "'xmp', 'txt' or 'csv'"),
        ("csv", [], "at least 1 item"),
    ],
)
def test_impossible_tag_files_are_refused(client, form, photos, reason):
    answer = requested(client, form, *photos)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert "`" not in answer.json()["error"]  # no argument that clients do not have


def test_a_file_name_cannot_add_headers(client):
    answer = requested(client, "xmp", ('a"\r\nSet-Cookie: b\r\n.jpg', LABELS))
    assert "set-cookie" not in answer.headers
    assert "\n" not in answer.headers["content-disposition"]
