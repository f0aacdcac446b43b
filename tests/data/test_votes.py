"""Zooniverse and Amazon Mechanical Turk: what most people say of a photo."""

import csv
import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

ZOONIVERSE = ("classification_id", "user_name", "metadata", "annotations", "subject_data")


def zooniverse(*rows):
    """Rows of a subject's data, and of the tasks that a person answered."""
    cells = [(json.dumps(tasks), json.dumps(subject)) for subject, tasks in rows]
    return [ZOONIVERSE, *((i, "me", "{}", *both) for i, both in enumerate(cells))]


def survey(*choices):
    return [{"task": "T0", "value": [{"choice": one, "answers": {"N": "1"}} for one in choices]}]


def subject(number, *photos, **more):
    return {str(number): {"retired": None} | {f"#{p}": p for p in photos} | more}


def turk(header, *rows):
    return [
        ("HITId", "AssignmentStatus", "Input.image_url", *header),
        *(("h", status, f"https://x.org/{photo}?s=1", *cells) for status, photo, *cells in rows),
    ]


def read(folder, rows, format_):
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    found = read_annotations(folder / "rows.csv", labels_only=True)
    assert found.format == format_
    return found


def targets(annotations):
    rows = zip(annotations.paths, annotations.targets.tolist(), strict=True)
    return {path.name: row for path, row in rows}


def test_a_label_is_present_if_most_people_say_so_and_unknown_if_some_do(tmp_path):
    a, b = subject(7, "a.jpg"), subject(8, "b.jpg")
    rows = [
        (a, survey("DEER")),
        (a, survey("DEER", "FOX")),
        (a, survey("DEER")),
        (b, survey("FOX")),
    ]
    rows += [(b, survey("NOTHING_HERE")), (subject(9, "c.jpg"), survey("NOTHINGHERE"))]
    found = read(tmp_path, zooniverse(*rows), "zooniverse")
    assert found.names == ("DEER", "FOX")
    assert targets(found) == {"a.jpg": [1, -1], "b.jpg": [0, -1], "c.jpg": [0, 0]}


def test_answers_to_questions_are_labels_and_yes_is_the_question(tmp_path):
    def tasks(dog, *which):
        picture = "![x](https://x.org/y.png) "
        question = {"task": "T0", "task_label": "A dog?", "value": dog}
        inner = {"task": "T2", "value": [{"tool_label": "sun", "x": 1.0, "y": 2.0}]}
        several = {"task": "T1", "task_label": "Which?", "value": [picture + one for one in which]}
        return [question, {"task": "combo", "value": [several, inner]}]

    rows = [(subject(7, "a.jpg"), tasks("Yes", "sea")), (subject(8), tasks("No"))]
    found = read(tmp_path, zooniverse(*rows), "zooniverse")
    assert found.names == ("A dog?", "sea", "sun")
    assert targets(found) == {"a.jpg": [1, 1, 1], "8": [0, 0, 1]}


def test_photos_of_one_subject_share_its_labels(tmp_path, caplog):
    rows = zooniverse(
        (subject(7, "a.jpg", "b.jpg"), survey("FOX")), (subject(8, "c.jpg"), survey())
    )
    assert targets(read(tmp_path, rows, "zooniverse")) == {"a.jpg": [1], "b.jpg": [1], "c.jpg": [0]}
    assert "1 classification of subjects with several photos" in caplog.text


@pytest.mark.parametrize(
    ("header", "dog", "cat"),
    [
        (["Answer.kind"], ["dog"], ["cat"]),
        (["Answer.kind.label"], ["dog"], ["cat"]),
        (["Answer.kind.labels"], ['["dog"]'], ['["cat"]']),
        (["Answer.dog", "Answer.cat"], ["true", "false"], ["false", "true"]),
        (["Answer.dog.on", "Answer.cat.on"], ["true", ""], ["", "true"]),
        (["Answer.taskAnswers"], ['[{"kind": {"label": "dog"}}]'], ['[{"kind": "cat"}]']),
        (["Answer.taskAnswers"], ['[{"x": {"dog": true, "cat": false}}]'], ['[{"cat": true}]']),
    ],
)
def test_forms_of_the_crowd_say_the_same_in_their_ways(tmp_path, header, dog, cat):
    rows = [("Approved", "a.jpg", *dog), ("Submitted", "b.jpg", *cat), ("Rejected", "a.jpg", *cat)]
    found = read(tmp_path, turk(header, *rows), "mturk")
    assert found.names == ("cat", "dog")
    assert targets(found) == {"a.jpg": [0, 1], "b.jpg": [1, 0]}


@pytest.mark.parametrize(
    ("rows", "format_", "message"),
    [
        (zooniverse(), "zooniverse", "classifications below the header, got none"),
        (zooniverse(({}, survey("FOX"))), "zooniverse", ":2: expected a subject in 'subject_data'"),
        (zooniverse((subject(7), ["FOX"])), "zooniverse", ":2: expected tasks as objects"),
        ([ZOONIVERSE, (1, "me", "", "[", "{}")], "zooniverse", ":2: .* JSON list in 'annotations'"),
        ([ZOONIVERSE[:4], (1, "me", "", "[]")], "zooniverse", "got no subject_data"),
        (turk(["kind"], ("Approved", "a.jpg", "dog")), "mturk", r"columns Answer.\*, got none"),
        (turk(["Answer.x"], ("Rejected", "a.jpg", "")), "mturk", "were not rejected, got none"),
        (turk(["Answer.x"], ("Approved", "a", "dog")), "mturk", ":2: expected one photo among the"),
        (
            turk(["Answer.x"], ("Approved", "a.jpg", "[")),
            "mturk",
            ":2: expected JSON in 'Answer.x'",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path, rows, format_, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, rows, format_)
