from __future__ import annotations

import json
import logging

from tagsight.data.readers import read_annotations

MIN = {"annotator": 1, "annotation_id": 1, "lead_time": 3.2}


def rows_of(file):
    rows = read_annotations(file, labels_only=True)
    assert rows.format == "label-studio"
    return rows.names, rows.targets.tolist()


def test_json_min_has_labels_as_text_choices_regions_and_paths(tmp_path, caplog) -> None:
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


def test_a_csv_has_the_same_in_its_cells_and_rows_of_one_photo_are_united(tmp_path, caplog) -> None:
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
