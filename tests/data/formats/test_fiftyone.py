import json
import logging

import pytest

from tagsight.data.readers import read_annotations


def write(folder, content, name="labels.json"):
    file = folder / name
    file.write_text(json.dumps(content))
    return file


def labels(values, classes=("cat", "dog")):
    return {"classes": list(classes), "labels": values}


def read(source):
    rows = read_annotations(source, labels_only=True)
    assert rows.format == "fiftyone"
    return rows


def test_labels_are_names_numbers_or_objects_and_null_is_left_out(tmp_path):
    boxes = [{"label": "cat", "bounding_box": [0, 0, 1, 1]}] * 2
    values = {"a": [0, 1], "b": ["dog"], "c": 0, "d": boxes, "e": None, "f": []}
    write(tmp_path, labels(values))
    rows = read(tmp_path)
    assert [path.name for path in rows.paths] == ["a", "b", "c", "d", "f"]
    assert rows.targets.tolist() == [[1, 1], [0, 1], [1, 0], [1, 0], [0, 0]]


def sample(path, tags=(), **fields):
    return {"filepath": path, "tags": list(tags), "metadata": {"width": 3}} | fields


def classified(*names):
    listed = [{"_cls": "Classification", "label": name} for name in names]
    return {"_cls": "Classifications", "classifications": listed}


def test_the_ground_truth_of_samples_is_read_and_predictions_are_not(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    samples = [
        sample("data/a.jpg", ["train"], ground_truth=classified("cat"), guess=classified("dog")),
        sample("data/b.jpg", ["test"], ground_truth={"_cls": "Classification", "label": "cow"}),
        sample("data/c.jpg", ["test", "x"], guess=classified("dog")),
    ]
    write(tmp_path, {"samples": samples}, "samples.json")
    rows = read(tmp_path)
    assert (rows.names, rows.splits) == (("cat", "cow"), ("train", "test"))
    assert "labels are those of 'ground_truth', not of guess" in caplog.text
    assert "1 sample left out, without 'ground_truth'" in caplog.text


@pytest.mark.parametrize(("field", "more"), [("predictions", {}), ("tagged", {"confidence": 0.7})])
def test_labels_of_a_model_are_told(tmp_path, caplog, field, more):
    label = {"_cls": "Classification", "label": "dog"} | more
    write(tmp_path, {"samples": [sample("data/a.jpg", **{field: label})]}, "samples.json")
    assert read(tmp_path).names == ("dog",)
    assert f"labels of '{field}' have a confidence, as a model gives it" in caplog.text


def test_confidences_of_labels_of_photos_are_told(tmp_path, caplog):
    write(tmp_path, labels({"a": {"label": "dog", "confidence": 0.7}}))
    assert read(tmp_path).targets.tolist() == [[0, 1]]
    assert "labels have a confidence, as a model gives it" in caplog.text
