from __future__ import annotations

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LABELS = {"label": {"labels": [{"name": "cat"}, {"name": "dog"}]}}
TAG = {"type": "label", "label_id": 1}


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        (LABELS, [TAG, TAG | {"type": "bbox"}, {"type": "caption", "caption": "x"}], [[0, 1]]),
        (LABELS, [TAG | {"label_id": 2}], r"items\[0\]: expected a 'label_id' among 2, got 2"),
        (LABELS, 5, r"items\[0\]: expected an item with a list of 'annotations'"),
        ({"label": {}}, [TAG], "a list under categories.label.labels, got None"),
    ],
)
def test_labels_of_annotations_of_any_type_are_labels_of_the_photo(
    tmp_path, labels, annotations, expected
) -> None:
    items = [{"id": "a", "annotations": annotations}]
    file = tmp_path / "annotations" / "default.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"categories": labels, "items": items}))
    if isinstance(expected, list):
        rows = read_annotations(tmp_path, labels_only=True)
        assert (rows.format, rows.targets.tolist(), rows.splits) == ("datumaro", expected, None)
        assert rows.paths == (tmp_path / "images" / "default" / "a.jpg",)
    else:
        with pytest.raises(DataError, match=expected):
            read_annotations(tmp_path, labels_only=True)


def test_a_subset_without_photos_is_left_out_and_told(tmp_path, caplog) -> None:
    (tmp_path / "annotations").mkdir()
    for subset, items in (("train", [{"id": "a", "annotations": [TAG]}]), ("val", [])):
        file = tmp_path / "annotations" / f"{subset}.json"
        file.write_text(json.dumps({"categories": LABELS, "items": items}))
    assert read_annotations(tmp_path, labels_only=True).split_sizes == {"train": 1}
    assert "val.json: left out, as it has no photos" in caplog.text
    with pytest.raises(DataError, match="expected 'items', a list of photos, got an empty list"):
        read_annotations(file, labels_only=True)
