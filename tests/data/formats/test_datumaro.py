import json

from tagsight.data.readers import read_annotations

LABELS = {"label": {"labels": [{"name": "cat"}, {"name": "dog"}]}}
TAG = {"type": "label", "label_id": 1}


def test_labels_of_annotations_of_any_type_are_labels_of_the_photo(tmp_path):
    annotations = [TAG, TAG | {"type": "bbox"}, {"type": "caption", "caption": "x"}]
    items = [{"id": "a", "annotations": annotations}]
    file = tmp_path / "annotations" / "default.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"categories": LABELS, "items": items}))
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.format, rows.targets.tolist(), rows.splits) == ("datumaro", [[0, 1]], None)
    assert rows.paths == (tmp_path / "images" / "default" / "a.jpg",)


def test_a_subset_without_photos_is_left_out_and_told(tmp_path, caplog):
    (tmp_path / "annotations").mkdir()
    for subset, items in (("train", [{"id": "a", "annotations": [TAG]}]), ("val", [])):
        file = tmp_path / "annotations" / f"{subset}.json"
        file.write_text(json.dumps({"categories": LABELS, "items": items}))
    assert read_annotations(tmp_path, labels_only=True).split_sizes == {"train": 1}
    assert "val.json: left out, as it has no photos" in caplog.text
