"""Records in the shapes in which programs write them: what is a label, and what is none."""

import json
import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LABELS = (("cat", "dog"), [[1, 0], [0, 1]])
PAIR = ({"image": "a.jpg", "labels": ["cat"]}, {"image": "b.jpg", "labels": ["dog"]})


def records(*each: dict[str, object], **more: list[object]) -> str:
    """JSON lines, with values of further keys added to each."""
    rows = [{**row, **{key: values[place] for key, values in more.items()}}
            for place, row in enumerate(each)]  # fmt: skip
    return "\n".join(map(json.dumps, rows))


@pytest.fixture
def read(tmp_path):
    def read(text: str, name: str = "rows.jsonl", encoding: str = "utf-8"):
        (tmp_path / name).write_text(text, encoding=encoding)
        return read_annotations(tmp_path / name, labels_only=True)

    return read


MARKS = ({"image": "a.jpg", "cat": 1, "dog": 0}, {"image": "b.jpg", "cat": 0, "dog": 1})


@pytest.mark.parametrize(
    "more",
    [
        {"id": [0, 1]}, {"index": [0, 1]}, {"width": [1, 1]}, {"photo_id": [1, 0]}, {"no": [1, 2]},
        {"row": [0, 1]}, {"bbox": [[1, 2, 3, 4], [1, 2, 3, 4]]}, {"size": [[8, 8], [8, 8]]},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_beside_marks_are_no_labels(read, more):
    rows = read(records(*MARKS, **more))
    assert (rows.names, rows.targets.tolist()) == LABELS


@pytest.mark.parametrize("key", ["subset", "partition", "use", "Set"])
def test_a_split_is_recognised_by_its_values(read, key):
    for each in (PAIR, MARKS):
        rows = read(records(*each, **{key: ["train", "testing"]}))
        assert (rows.names, rows.targets.tolist()) == LABELS
        assert rows.splits == ("train", "test")


def test_lines_may_have_their_labels_as_annotations(read):
    each = [{**row, "annotations": [{"label": row["labels"][0], "bbox": []}]} for row in PAIR]
    rows = read(records(*({key: row[key] for key in ("image", "annotations")} for row in each)))
    assert (rows.names, rows.targets.tolist()) == LABELS


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bbox": [[0, 0, 9, 9]], "categories": ["cat"]}, {"bbox": [], "categories": ["dog"]}),
        ([["cat"]], [["dog"]]),
        (["cat", None], ["dog"]),
        ([{"bbox": [0, 0, 9, 9], "category": "cat"}], [{"category": "dog"}]),
    ],
)
def test_labels_may_be_nested(read, first, second):
    rows = read(records({"image": "a.jpg"}, {"image": "b.jpg"}, objects=[first, second]))
    assert (rows.names, rows.targets.tolist()) == LABELS


@pytest.mark.parametrize(
    "content",
    [
        [{"image": {"file_name": "a.jpg"}, "labels": ["cat"]}, {"image": {"path": "b.jpg"}}],
        [{"image": {"file_name": "a.jpg", "tags": ["cat"]}}, {"image": {"url": "b.jpg"}}],
        [{"image": "a.jpg", "annotation": {"label": "cat"}}, {"image": "b.jpg"}],
        [{"image": {"id": 1, "path": "a.jpg"}, "annotations": [{"label": "cat"}]}],
    ],
    ids=range(4),
)
def test_the_photo_and_its_labels_may_be_in_objects_of_their_own(read, content):
    rows = read(json.dumps(content), "rows.json")
    assert (rows.format, rows.names, rows.targets.tolist()) == ("json-records", ("cat",), [[1]])


def test_answers_to_questions_are_labels_named_with_those_that_share_them(read, caplog):
    caplog.set_level(logging.INFO)
    answers = (
        {"animal": ["cat", "dog"], "place": "home", "lamp": ["on"], "wet": True, "note": "mine"},
        {"animal": [], "place": "garden", "radio": ["on"], "wet": "no"},
    )
    rows = read(records(*PAIR, labels=answers))
    assert rows.names == ("cat", "dog", "garden", "home", "lamp: on", "radio: on", "wet")
    assert rows.targets.tolist() == [[1, 1, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 1, 0]]
    assert "labels are the answers to animal, lamp, place, radio" in caplog.text


def test_numbers_that_are_floats_are_whole(read):
    rows = read(records({"image": "a.jpg", "label": 3.0}, {"image": "b.jpg", "label": [4]}))
    assert rows.names == ("3", "4")


def test_a_target_for_each_label_is_no_list_of_labels(read, tmp_path):
    text = records({"image": "a.jpg"}, {"image": "b.jpg"}, labels=[[1, 0, 1], [0, 1, 0]])
    with pytest.raises(DataError, match="expected a header with the names of 3 labels, or a file"):
        read(text)
    (tmp_path / "classes.txt").write_text("cat\ndog\nsky\n")
    rows = read(text)
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog", "sky"), [[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": ["cat"], "b.jpg": ["dog"]},
        {"a.jpg": "cat", "b.jpg": "dog"},
        {"a.jpg": {"cat": 1, "dog": 0}, "b.jpg": {"cat": 0, "dog": 1}},
        {"image": ["a.jpg", "b.jpg"], "labels": [["cat"], ["dog"]]},
        {"image": {"0": "a.jpg", "1": "b.jpg"}, "labels": {"0": ["cat"], "1": ["dog"]}},
        {"image": ["a.jpg", "b.jpg"], "cat": [1, 0], "dog": [0, 1]},
    ],
    ids=range(6),
)
def test_one_object_may_hold_all_photos(read, content):
    rows = read(json.dumps(content), "rows.json")
    assert (rows.format, rows.names, rows.targets.tolist()) == ("json-records", *LABELS)
    assert rows.relative_names == ("a.jpg", "b.jpg")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_of_json_are_recognised(read, encoding):
    for text, name in ((records(*PAIR), "rows.jsonl"), (json.dumps(PAIR), "rows.json")):
        rows = read(text, name, encoding)
        assert (rows.format, rows.names, rows.targets.tolist()) == ("json-records", *LABELS)


CARD = """---
dataset_info:
  features:
  - name: label
    {0}
      class_label:
        names:
          '0': dog
          '1': cat
---
Animals.
"""
INFO = {"features": {"label": {"_type": "ClassLabel", "names": ["dog", "cat"]}}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", CARD.format("dtype:")),
        ("README.md", CARD.format("sequence:")),
        ("dataset_info.json", json.dumps(INFO)),
        ("dataset_infos.json", json.dumps({"default": INFO})),
    ],
)
@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("metadata.csv", "file_name,label\na.jpg,1\nb.jpg,0\n"),
        ("metadata.jsonl", records(PAIR[0] | {"label": 1}, PAIR[1] | {"label": [0]})),
    ],
)
def test_numbers_have_the_names_that_the_data_set_states(tmp_path, name, content, table, text):
    (tmp_path / name).write_text(content)
    (tmp_path / table).write_text(text.replace('"labels"', '"old"'))
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.names, rows.targets.tolist()) == LABELS


def test_a_data_set_whose_files_are_damaged_keeps_its_numbers(tmp_path, caplog):
    (tmp_path / "README.md").write_text("---\nnames: [\n---\n")
    (tmp_path / "metadata.csv").write_text("file_name,label\na.jpg,1\nb.jpg,0\n")
    with caplog.at_level(logging.WARNING):
        assert read_annotations(tmp_path, labels_only=True).names == ("0", "1")
    assert "README.md: expected YAML" in caplog.text


PAIRS = ("a.jpg", "cat"), ("a.jpg", "dog"), ("b.jpg", "dog"), ("b.jpg", "cat")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("present", [1, 0, 1, 0]),
        ("positive", [True, False, True, False]),
        ("score", [0.9, 0, 1, 0.2]),
        ("relevance", [0.9, 0, 1, 0.2]),
    ],
)
def test_a_record_that_states_an_absence_does_not_make_a_label_present(read, key, values):
    each = [{"image": photo, "label": label} for photo, label in PAIRS]
    rows = read(records(*each, **{key: values}))
    assert (rows.names, rows.targets.tolist()) == LABELS


def test_records_of_one_photo_with_a_label_each_are_united(read):
    rows = read(records(*({"image": photo, "label": label} for photo, label in PAIRS[:3])))
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 1], [0, 1]])
    with pytest.raises(DataError, match=r"expected 'a\.jpg' once"):
        read(records(*({"image": "a.jpg", "labels": labels} for labels in (["cat"], ["dog"]))))


def test_row_numbers_of_pandas_are_no_label(read):
    rows = read(records(*MARKS, **{"Unnamed: 0": [0, 1]}))
    assert (rows.names, rows.targets.tolist()) == LABELS
