from __future__ import annotations

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

META = {"classes": ["cat", "dog", "cow"]}


@pytest.mark.parametrize(
    ("meta", "entry", "message"),
    [
        (META, {"img_path": "a.jpg", "gt_label": [0, 2]}, None),
        (META, {"img_path": "a.jpg", "gt_label": [0, 3]}, r"data_list\[0\].gt_label: .* \[0, 3\]"),
        (META, {"img_path": "a.jpg", "gt_label": [True]}, "numbers of classes, got"),
        (META, {"gt_label": [0]}, "an object with 'img_path'"),
        ({}, {"img_path": "a.jpg", "gt_label": [0]}, "'metainfo.classes', a list of names"),
        (META, None, "'data_list', a list of photos, got None"),
    ],
)
def test_numbers_stand_for_classes_and_unused_ones_are_known(
    tmp_path, meta, entry, message
) -> None:
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"metainfo": meta, "data_list": entry and [entry]}))
    if message is None:
        rows = read_annotations(file, labels_only=True)
        assert (rows.format, rows.names) == ("mmpretrain", ("cat", "cow", "dog"))
        assert rows.targets.tolist() == [[1, 1, 0]]
    else:
        with pytest.raises(DataError, match=message):
            read_annotations(file, labels_only=True)
