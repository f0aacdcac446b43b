from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from served import GREEN, LIMITS, RED, client_of, data_url, recognizer

from tagsight.server.bridges.label_studio.client import LabelStudio
from tagsight.server.service import Service
from tagsight.tagging.labelling.project import Project

CONFIG = """<View><Image name="img" value="$picture"/>
<Choices name="tag" toName="img" choice="multiple"><Choice value="dog"/><Choice value="Cat"/>
</Choices><RectangleLabels name="box" toName="img"><Label value="sky"/></RectangleLabels></View>"""
DOG = {"from_name": "tag", "to_name": "img", "type": "choices", "value": {"choices": ["dog"]}}
SKY = {"from_name": "box", "value": {"x": 1, "y": 2, "rectanglelabels": ["sky"]}}

EXPORT = [
    {
        "id": number,
        "data": {"picture": f"/data/upload/1/0a1b2c3d-{name}"},
        "annotations": [{"id": number, "result": results, "was_cancelled": skipped}],
    }
    for number, (name, results, skipped) in enumerate(
        [("b.png", [DOG], False), ("green.jpg", [SKY], False), ("red 1.png", [DOG], True)]
    )
]


@pytest.fixture
def project(tmp_path) -> Iterator[Project]:
    photos = tmp_path / "photos"
    (photos / "trip").mkdir(parents=True)
    for name, content in (("trip/red 1.png", RED), ("green.jpg", GREEN), ("trip/b.png", b"b")):
        (photos / name).write_bytes(content)
    with Project(tmp_path / "project", photos) as made:
        made.photos.search(lambda: None)
        made.labels.make("cat")
        yield made


@pytest.fixture
def client(project) -> Iterator[TestClient]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/projects/1":
            return httpx.Response(200, json={"id": 1, "label_config": CONFIG})
        if request.url.path == "/api/projects/1/export":
            return httpx.Response(200, json=EXPORT)
        assert request.url.path == "/data/upload/9/0a1b2c3d-other-name.jpg"
        return httpx.Response(200, content=GREEN)

    studio = LabelStudio("http://studio", "0" * 20, transport=httpx.MockTransport(answer))
    service = Service(
        recognizer(),
        limits=LIMITS,
        bridges=("label-studio",),
        label_studio=studio,
        judgements=project,
    )
    with client_of(service) as client:
        yield client


def sent(
    client: TestClient, photo: str, *results: dict[str, Any], path: str = "/webhook", **changes: Any
) -> Any:
    annotation = {"id": 5, "result": results, "completed_by": 7, "updated_at": "t1"}
    body = {
        "action": "ANNOTATION_CREATED",
        "annotation": annotation | changes,
        "task": {"id": 3, "data": {"picture": photo}},
        "project": {"id": 1, "title": "p", "label_config": CONFIG},
    }
    return client.post(path, json=body)


def said(project: Project, photo: str) -> dict[str, int]:
    ids = project.photos.ids_of([photo])
    (judged,) = project.judged(ids.values())
    return {project.labels[label].name: value for label, value in judged.items()}


@pytest.mark.parametrize("path", ["/webhook", "/train"])
@pytest.mark.parametrize(
    ("address", "photo"),
    [
        ("/data/local-files/?d=root/photos/trip/red%201.png", "trip/red 1.png"),
        ("/data/upload/1/0a1b2c3d-b.png", "trip/b.png"),
        ("http://studio/data/upload/1/0a1b2c3d-b.png", "trip/b.png"),
        (data_url(RED), "trip/red 1.png"),
        ("/data/upload/9/0a1b2c3d-other-name.jpg", "green.jpg"),
    ],
)
def test_an_annotation_judges_the_photo_of_its_task(client, project, address, photo, path):
    assert sent(client, address, DOG, SKY, path=path).status_code == 200
    assert said(project, photo) == {"dog": 1, "sky": 1, "cat": 0}
    (batch,) = project.since(0, 10)
    assert batch.person == "Label Studio 7"


def test_an_update_changes_judgements_and_a_repetition_nothing(client, project):
    address = "/data/upload/1/green.jpg"
    sent(client, address, DOG)
    sent(client, address, DOG)
    assert project.revision == 1
    sent(client, address, SKY, updated_at="t2")
    assert said(project, "green.jpg") == {"dog": 0, "sky": 1, "cat": 0}
    sent(client, address, DOG)  # the first one again
    assert said(project, "green.jpg")["dog"] == 0
    project.undo("Label Studio 7")
    assert said(project, "green.jpg") == {"dog": 1, "sky": 0, "cat": 0}


def test_what_was_skipped_or_is_no_annotation_says_nothing(client, project):
    assert sent(client, "/data/upload/1/green.jpg", DOG, was_cancelled=True).status_code == 200
    assert client.post("/webhook", json={"action": "TASKS_CREATED"}).status_code == 200
    assert project.revision == 0


TRAIN = {"annotations": EXPORT, "project": "1.1735", "label_config": CONFIG, "params": {}}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/webhook", {"action": "START_TRAINING", "project": {"id": 1}}), ("/train", TRAIN)],
)
def test_start_training_adds_all_annotations_and_trains_nothing(client, project, path, body):
    for _ in range(2):
        assert client.post(path, json=body).status_code == 200
        assert said(project, "trip/b.png") == {"dog": 1, "cat": 0, "sky": 0}
        assert said(project, "green.jpg") == {"dog": 0, "cat": 0, "sky": 1}
        assert said(project, "trip/red 1.png") == {}
        assert project.revision == 2


def test_labels_of_several_questions_are_named_with_them(client, project):
    asked = "".join(
        f'<Choices name="{name}" toName="img"><Choice value="yes"/><Choice value="no"/></Choices>'
        for name in ("indoor", "night")
    )
    config = CONFIG.replace("</View>", f"{asked}</View>").replace('"dog"', '"sky"')
    body = {"from_name": "night", "value": {"choices": ["yes"]}}
    event = {
        "action": "ANNOTATIONS_CREATED",
        "annotation": [{"id": 9, "result": [body, SKY]}],
        "task": [{"id": 3, "data": {"picture": "green.jpg"}}],
        "project": {"id": 1, "label_config": config},
    }
    assert client.post("/webhook", json=event).status_code == 200
    present = [name for name, value in said(project, "green.jpg").items() if value]
    assert sorted(present) == ["night: yes", "sky"]
    assert said(project, "green.jpg")["indoor: yes"] == 0


@pytest.mark.parametrize(
    ("address", "results", "reason"),
    [
        ("/data/../etc/passwd.jpg", [DOG], "expected"),
        (data_url(b"another"), [DOG], "neither by name nor by content"),
        ("/data/upload/1/green.jpg", [{"value": {"choices": [{"a": 1}]}}], "labels as text"),
        ("/data/upload/1/green.jpg", [{"value": {"choices": ["x" * 300]}}], "at most 200"),
    ],
)
def test_what_cannot_be_recorded_changes_nothing_and_the_log_says_why(
    client, project, caplog, address, results, reason
):
    answer = sent(client, address, *results)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert project.revision == 0
    assert any(reason in record.getMessage() for record in caplog.records)
