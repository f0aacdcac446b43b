import json

from tagsight.data.readers import read_annotations


def test_numbers_stand_for_classes_and_unused_ones_are_known(tmp_path):
    file, listed = tmp_path / "train.json", [{"img_path": "a.jpg", "gt_label": [0, 2]}]
    meta = {"classes": ["cat", "dog", "cow"]}
    file.write_text(json.dumps({"metainfo": meta, "data_list": listed}))
    rows = read_annotations(file, labels_only=True)
    assert (rows.format, rows.names) == ("mmpretrain", ("cat", "cow", "dog"))
    assert rows.targets.tolist() == [[1, 1, 0]]
