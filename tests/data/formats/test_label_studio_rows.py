import json
import logging

import pytest

from tagsight.data.readers import read_annotations

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
