import json
import logging

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

MIN = {"annotator": 1, "annotation_id": 1, "lead_time": 3.2}


def rows_of(file):
    rows = read_annotations(file, labels_only=True)
    assert rows.format == "label-studio"
    return rows.names, rows.targets.tolist()


def test_json_min_has_labels_as_text_choices_regions_and_paths(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rows = [
        {"image": "/data/upload/1/0a1b2c3d-a.jpg", "camera": "Nikon", "id": 1, "choice": "sea"},
        {"image": "b.jpg", "camera": "Canon", "id": 2, "choice": {"choices": ["sea", "sky"]}},
        {"image": "c.jpg", "camera": "Canon", "id": 3, "box": [{"rectanglelabels": ["boat"]}]},
        {"image": "d.jpg", "camera": "Canon", "id": 4, "kind": [["animal", "dog"]]},
    ]
    file = tmp_path / "project.json"
    file.write_text(json.dumps([row | MIN for row in rows]))
    assert rows_of(file) == (
        ("animal/dog", "boat", "sea", "sky"),
        [[0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 0]],
    )
    assert "labels are in choice, box, kind; not in camera" in caplog.text


def test_a_csv_has_the_same_in_its_cells_and_rows_of_one_photo_are_united(tmp_path, caplog):
    file = tmp_path / "project.csv"
    file.write_text(
        "annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at\n"
        "1,1,sea,,1,/data/upload/1/0a1b2c3d-a.jpg,3,\n"
        '2,1,"{""choices"": [""sky"", ""sea""]}",,2,b.jpg,3,\n'
        "3,2,sky,,1,/data/upload/1/0a1b2c3d-a.jpg,3,\n"
        "4,1,,,3,c.jpg,3,\n"
    )
    assert rows_of(file) == (("sea", "sky"), [[1, 1], [1, 1], [0, 0]])
    assert "1 further entry of the same photos" in caplog.text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_may_have_been_saved_by_a_spreadsheet(tmp_path, delimiter, encoding):
    file = tmp_path / "project.csv"
    lines = (
        ("image", "id", "choice", "annotator", "annotation_id"),
        ("a.jpg", "1", "gr\u00fcn", "2", "3"),
        ("b.jpg", "2", '"{""choices"": [""gr\u00fcn"", ""sky""]}"', "2", "4"),
        ("", "", "", "", ""),
    )
    file.write_text("\r\n".join(map(delimiter.join, lines)), encoding=encoding)
    assert rows_of(file) == (("gr\u00fcn", "sky"), [[1, 0], [1, 1]])


def test_tasks_may_be_one_or_one_a_line(tmp_path):
    tasks = [
        {"id": n, "data": {"image": f"{label}.jpg"}, "annotations": [
            {"result": [{"from_name": "tags", "value": {"choices": [label]}}]}]}
        for n, label in enumerate(("sea", "sky"))
    ]  # fmt: skip
    file = tmp_path / "project.jsonl"
    file.write_text("\n".join(map(json.dumps, tasks)))
    assert rows_of(file) == (("sea", "sky"), [[1, 0], [0, 1]])
    file = tmp_path / "project.json"
    file.write_text(json.dumps(tasks[0], indent=2))
    assert rows_of(file) == (("sea",), [[1]])


@pytest.fixture
def two_questions(tmp_path):
    lines = ("annotation_id,annotator,animal,id,image,lead_time,place,comment",
             '1,1,dog,1,a.jpg,3,home,a long day',
             '2,1,"{""choices"": [""dog"", ""cat""]}",2,b.jpg,3,garden,',
             '3,1,,3,c.jpg,3,home,the first')  # fmt: skip
    file = tmp_path / "project.csv"
    file.write_text("\n".join(lines))
    return file


def test_columns_of_plain_text_are_labels_if_they_are_named(two_questions, caplog):
    assert rows_of(two_questions) == (("cat", "dog"), [[0, 1], [1, 1], [0, 0]])
    assert "not in place, comment, which may be labels or fields of the tasks" in caplog.text
    options = ReadOptions(columns=Columns(label_columns=("animal", "place")))
    rows = read_annotations(two_questions, labels_only=True, options=options)
    assert rows.names == ("cat", "dog", "garden", "home")
    assert rows.targets.tolist() == [[0, 1, 0, 1], [1, 1, 1, 0], [0, 0, 0, 1]]
    assert rows.origin.options.columns.label_columns == ("animal", "place")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"labels_column": "kind"}, "expected a column among .*'animal'.* got 'kind'"),
        ({"ignore": ("animal",)}, r"got \['place', 'comment'\]; name it with `label_columns`"),
    ],
)
def test_a_column_that_is_not_there_or_no_label_is_refused(two_questions, columns, message):
    with pytest.raises(DataError, match=message):
        read_annotations(two_questions, options=ReadOptions(columns=Columns(**columns)))


def test_answers_that_two_columns_share_are_named_with_their_column(tmp_path):
    rows = [
        {"image": "a.jpg", "indoor": {"choices": ["yes"]}, "dog": {"choices": ["no", "old"]}},
        {"image": "b.jpg", "indoor": "no", "dog": "yes"},
    ]
    file = tmp_path / "project.json"
    file.write_text(json.dumps([row | MIN for row in rows]))
    assert rows_of(file) == (
        ("dog: no", "dog: yes", "indoor: no", "indoor: yes", "old"),
        [[1, 0, 0, 1, 1], [0, 1, 1, 0, 0]],
    )


@pytest.mark.parametrize("ending", ["", ".json"])
def test_target_storage_has_a_file_for_each_annotation(tmp_path, ending, caplog):
    task = {"id": 7, "data": {"image": "/data/local-files/?d=photos/a.jpg"}}
    annotations = [("sea", task), ("sky", task), ("sea", {"id": 8, "data": {"image": "b.jpg"}})]
    for number, (label, of) in enumerate(annotations):
        given = {"id": number, "result": [{"value": {"choices": [label]}}], "task": of}
        (tmp_path / f"{number}{ending}").write_text(json.dumps(given))
    assert rows_of(tmp_path) == (("sea", "sky"), [[1, 1], [1, 0]])
    assert "1 task annotated several times" in caplog.text
    with pytest.raises(DataError, match="expected rows of labels for `labels_column`"):
        read_annotations(tmp_path, options=ReadOptions(columns=Columns(labels_column="sea")))
    (tmp_path / "9").write_text(json.dumps({"id": 9, "result": [], "task": 8}))
    with pytest.raises(DataError, match="9: expected an annotation with its task, got '8'"):
        read_annotations(tmp_path, labels_only=True)
