"""Prodigy's answers: what each says of a photo, and what it leaves open."""

import json
from base64 import b64encode

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

OPTIONS = [{"id": 1, "text": "dog"}, {"id": 2, "text": "sky"}]
GIF = "data:image/gif;base64," + b64encode(b"GIF89a").decode()


def read(folder, *tasks):
    file = folder / "tasks.jsonl"
    file.write_text("".join(json.dumps({"_task_hash": 1, **task}) + "\n" for task in tasks))
    rows = read_annotations(file, labels_only=True)
    assert rows.format == "prodigy"
    return rows.names, dict(zip(rows.relative_names, rows.targets.tolist(), strict=True))


def ask(photo: str, label: str, answer: str) -> dict[str, object]:
    return {"image": photo, "label": label, "answer": answer}


@pytest.mark.parametrize(
    ("tasks", "names", "targets"),
    [
        (
            [
                {"image": "a.jpg", "options": OPTIONS, "accept": [1], "answer": "accept"},
                {"image": "b.jpg", "options": OPTIONS, "accept": [2, 1], "answer": "accept"},
                {"image": "c.jpg", "options": OPTIONS, "accept": [], "answer": "accept"},
                {"image": "d.jpg", "options": OPTIONS, "accept": [1], "answer": "ignore"},
                {"image": "e.jpg", "options": OPTIONS, "accept": [1], "answer": "reject"},
            ],
            ("dog", "sky"),
            {"a.jpg": [1, 0], "b.jpg": [1, 1], "c.jpg": [0, 0]},
        ),
        (
            [
                *(ask("a.jpg", "dog", "accept"), ask("a.jpg", "sky", "reject")),
                *(ask("b.jpg", "dog", "reject"), ask("c.jpg", "sky", "accept")),
                *(ask("c.jpg", "dog", "ignore"), ask("d.jpg", "sky", "reject")),
                *(ask("d.jpg", "sky", "accept"), ask("d.jpg", "dog", "accept")),
            ],
            ("dog", "sky"),
            {"a.jpg": [1, 0], "b.jpg": [0, -1], "c.jpg": [-1, 1], "d.jpg": [1, -1]},
        ),
        (
            [
                {"image": "a.jpg", "spans": [{"label": "dog"}], "answer": "accept"},
                {"image": "b.jpg", "spans": [], "answer": "accept"},
                {"image": "c.jpg", "spans": [{"label": "sky"}], "answer": "accept"},
            ],
            ("dog", "sky"),
            {"a.jpg": [1, 0], "b.jpg": [0, 0], "c.jpg": [0, 1]},
        ),
        (
            [
                {"image": GIF, "path": "x/a.jpg", "accept": ["dog"], "answer": "accept"},
                {"image": GIF, "meta": {"file": "b.jpg"}, "accept": ["sky"], "answer": "accept"},
                {"image": "http://h/c.jpg?v=2", "accept": ["sky"], "answer": "accept"},
            ],
            ("dog", "sky"),
            {"x/a.jpg": [1, 0], "b.jpg": [0, 1], "http:/h/c.jpg": [0, 1]},
        ),
        (
            [
                *(
                    {"image": "a.jpg", "_view_id": "image", "spans": [{"label": x}], "answer": said}
                    for x, said in (("dog", "accept"), ("sky", "accept"), ("cat", "reject"))
                ),
                ask("b.jpg", "sky", "accept"),
            ],
            ("dog", "sky"),
            {"a.jpg": [1, 1], "b.jpg": [-1, 1]},
        ),
    ],
    ids=["choice", "question", "image_manual", "photos", "suggestion"],
)
def test_an_answer_says_no_more_than_was_asked(tmp_path, tasks, names, targets):
    assert read(tmp_path, *tasks) == (names, targets)


def test_photos_inside_are_written(tmp_path):
    names, targets = read(tmp_path, {"image": GIF, "accept": ["dog"], "answer": "accept"})
    (photo,) = targets
    assert (names, photo.endswith(".gif")) == (("dog",), True)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"image": "a.jpg", "answer": "maybe"}, "expected an answer among accept, reject, ignore"),
        ({"image": "a.jpg", "accept": [], "answer": "reject"}, "tasks that were accepted, got 1"),
        ({"image": 7, "accept": [], "answer": "accept"}, "expected an object with 'answer' and"),
    ],
)
def test_tasks_without_an_answer_are_refused(tmp_path, task, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, task)
