from __future__ import annotations

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def write(file, *entries):
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(entries))
    return file


def test_labels_are_names_or_objects_and_roboflow_has_a_file_a_split(tmp_path) -> None:
    box = {"label": "dog", "coordinates": {"x": 1, "y": 1, "width": 2, "height": 2}}
    name = "_annotations.createml.json"
    write(tmp_path / "train" / name, {"image": "a.jpg", "annotations": [box, box]})
    write(tmp_path / "valid" / name, {"image": "a.jpg", "annotations": ["cat"]})
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.format, rows.names, rows.splits) == ("createml", ("cat", "dog"), ("train", "val"))
    assert rows.targets.tolist() == [[0, 1], [1, 0]]
    assert [path.relative_to(tmp_path).parent.name for path in rows.paths] == ["train", "valid"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image": 5, "annotations": []}, r"\[1\]: expected 'image' and a list"),
        ({"image": "b.jpg", "annotations": [5]}, r"\[1\]: expected a label as text, got 5"),
        (5, r"\[1\]: expected 'image' and a list of 'annotations', got 5"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, entry, message) -> None:
    file = write(tmp_path / "a.json", {"image": "a.jpg", "annotations": ["dog"]}, entry)
    with pytest.raises(DataError, match=message):
        read_annotations(file, labels_only=True)
