"""MegaDetector's results are what a model says."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

CATEGORIES = {"1": "animal", "2": "person"}
CLASSES = {"7": "fox", "8": "wolf"}


def found(category, conf, *classes):
    return {"category": category, "conf": conf, "bbox": [0, 0, 1, 1], "classifications": classes}


def photo(name, *detections):
    return {"file": name, "detections": list(detections)}


IMAGES = [
    photo("a.jpg", found("1", 0.9, ["8", 0.1], ["7", 0.8])),
    photo("b.jpg", found("1", 0.3, ["7", 0.4], ["8", 0.3]), found("2", 0.1)),
    photo("c.jpg"),
    photo("d.jpg", found("3", 0.9)),
    {"file": "e.jpg", "failure": "Failure image access", "detections": None},
    photo("f.mp4", found("1", 0.9)),
]


def results(**more):
    content = {"images": IMAGES, "detection_categories": CATEGORIES}
    return content | {"classification_categories": CLASSES} | more


def written(folder, content):
    file = folder / "md.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("content", [results(), [photo("a.jpg", found("animal", 0.9))]])
def test_what_a_model_says_is_only_read_if_the_user_chooses_it(tmp_path, caplog, content):
    file = written(tmp_path, content)
    with pytest.raises(DataError, match=r"labels by people, .*`format=megadetector` reads it"):
        read_annotations(file, labels_only=True)
    names = read_annotations(file, labels_only=True, format="megadetector").names
    assert "animal" in names
    assert "which nobody has confirmed" in caplog.text


@pytest.mark.parametrize(
    ("typical", "animal"),
    [({}, [1, 1, 0, 0]), ({"typical_detection_threshold": 0.5}, [1, 0, 0, 0])],
)
def test_a_detection_counts_from_the_confidence_on_that_the_file_calls_typical(
    tmp_path, typical, animal
):
    file = written(tmp_path, results(info={"detector_metadata": typical}))
    rows = read_annotations(file, labels_only=True, format="megadetector")
    assert list(rows.relative_names) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert rows.matched_to(["animal"]).targets[:, 0].tolist() == animal


def test_classes_without_enough_confidence_are_unknown(tmp_path):
    rows = read_annotations(
        written(tmp_path, results()), labels_only=True, format="megadetector"
    ).matched_to(["fox", "wolf"])
    assert rows.targets.tolist() == [[1, 0], [-1, -1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (results(detection_categories=None), "got None under 'detection_categories'"),
        (results(images={}), "got {} under 'images'"),
        (results(images=[{"file": "a.jpg"}]), r"images\[0\]: expected an object with 'file' and"),
        (results(images=[photo("a.jpg", found("1", 1.5))]), r"detections\[0\]: .* in \[0, 1\]"),
        (results(images=[photo("a.jpg", found("1", 0.9, "7"))]), "a class and its confidence"),
        (results(images=IMAGES[4:]), "with 'detections', got 2 files that the model could not"),
    ],
)
def test_what_is_missing_is_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_annotations(written(tmp_path, content), labels_only=True, format="megadetector")
