import base64
import json
import logging

import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def result(control="tags", **value):
    return {"from_name": control, "to_name": "image", "type": "choices", "value": value}


def task(image, *annotations, **more):
    given = [one if isinstance(one, dict) else {"result": one} for one in annotations]
    return {"annotations": given, "predictions": [], "data": {"image": image}} | more


@pytest.fixture
def read(tmp_path):
    def read(tasks, *photos, name="project.json", **options):
        file = tmp_path / name
        file.write_text(tasks if isinstance(tasks, str) else json.dumps(tasks))
        for photo in photos:
            (tmp_path / photo).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / photo).touch()
        rows = read_annotations(file, labels_only=not photos, options=ReadOptions(**options))
        assert rows.format == "label-studio"
        pairs = zip(rows.paths, rows.targets.tolist(), strict=True)
        shown = tmp_path if photos else tmp_path.joinpath()
        return {
            path.relative_to(shown).as_posix(): [
                name for name, target in zip(rows.names, row, strict=True) if target == 1
            ]
            for path, row in pairs
        }

    return read


def test_choices_taxonomies_and_labels_of_regions_are_labels_of_the_photo(read):
    values = [
        result(choices=["sea", "sky"]),
        result("kind", taxonomy=[["animal", "dog"], ["plant"]]),
        result("boxes", x=1, y=2, rectanglelabels=["boat"]),
        result("notes", text=["A day out"]),
        result("stars", rating=4),
    ]
    assert read([task("a.jpg", values), task("b.jpg", [])]) == {
        "a.jpg": ["animal/dog", "boat", "plant", "sea", "sky"],
        "b.jpg": [],
    }


def test_predictions_and_skipped_tasks_are_left_out_and_counted(read, caplog):
    caplog.set_level(logging.INFO)
    skipped = {"result": [result(choices=["dog"])], "was_cancelled": True}
    guess = {"predictions": [{"result": [result(choices=["dog"])]}]}
    tasks = [
        task("a.jpg", [result(choices=["cat"])]),
        task("b.jpg", skipped),
        task("c.jpg", **guess),
    ]
    assert read(tasks) == {"a.jpg": ["cat"]}
    assert "2 tasks left out, which nobody has annotated" in caplog.text
    with pytest.raises(DataError, match="predictions become labels when somebody submits them"):
        read(tasks[2:])


def test_several_annotators_are_united_unless_one_is_the_ground_truth(read, caplog):
    first, second = [result(choices=["cat"])], [result(choices=["cat", "dog"])]
    truth = {"result": first, "ground_truth": True}
    assert read([task("a.jpg", first, second), task("b.jpg", truth, second)]) == {
        "a.jpg": ["cat", "dog"],
        "b.jpg": ["cat"],
    }
    assert "1 task annotated several times, 1 of them differently" in caplog.text


def test_labels_that_several_controls_offer_are_named_with_their_control(read):
    tasks = [
        task("a.jpg", [result("indoor", choices=["yes"]), result("people", choices=["no"])]),
        task("b.jpg", [result("indoor", choices=["no"]), result("tags", choices=["dog"])]),
    ]
    assert read(tasks) == {"a.jpg": ["indoor: yes", "people: no"], "b.jpg": ["dog", "indoor: no"]}


MASK = {"imageDataURL": "data:image/png;base64,iVBORw0KGgo="}


def test_a_region_of_any_kind_says_that_the_photo_has_its_label(read):
    polygon = {"points": [[1, 1], [9, 1], [9, 9]], "closed": True, "polygonlabels": ["dog"]}
    brush = {"format": "rle", "rle": [0, 0, 0, 4], "brushlabels": ["cat"]}
    ellipse = {"x": 5, "y": 5, "radiusX": 1, "radiusY": 2, "ellipselabels": ["dog"]}
    tasks = [
        task("a.jpg", [result("tags", choices=["dog"]), result("outlines", **polygon)]),
        task("b.jpg", [result("masks", **brush), result("ovals", **ellipse)]),
        task("c.jpg", [result("tags", choices=["cat"])]),
        task("d.jpg", [result("bits", **MASK, bitmasklabels=["dog"])]),
    ]
    found = {"a.jpg": ["dog"], "b.jpg": ["cat", "dog"], "c.jpg": ["cat"], "d.jpg": ["dog"]}
    assert read(tasks) == found


@pytest.mark.parametrize(
    "region",
    [{"x": 5, "y": 5}, {"points": [[1, 1], [9, 1], [9, 9]]}, {"rle": [0, 0, 0, 4]}, MASK],
    ids=lambda region: next(iter(region)),
)
def test_a_region_of_any_kind_without_a_label_leaves_others_unknown(read, caplog, region):
    tasks = [task("a.jpg", [result(choices=["dog"])]), task("b.jpg", [result("x", **region)])]
    assert read(tasks) == {"a.jpg": ["dog"], "b.jpg": []}
    assert "boxes without a label in 1 photo" in caplog.text


PROXY = base64.urlsafe_b64encode(b"s3://bucket/holiday/a b.jpg").decode()


@pytest.mark.parametrize(
    ("image", "photo", "options"),
    [
        ("/data/upload/1/0a1b2c3d-a.jpg", "photos/0a1b2c3d-a.jpg", {"images": "photos"}),
        ("/data/upload/1/0a1b2c3d-a.jpg", "photos/a.jpg", {"images": "photos"}),
        (
            "/data/upload/1/0a1b2c3d-a.jpg",
            "ls/media/upload/1/0a1b2c3d-a.jpg",
            {"label_studio_files": "ls"},
        ),
        ("/data/local-files/?d=x/a%20b.jpg", "root/x/a b.jpg", {"label_studio_files": "root"}),
        ("/data/local-files/?d=x/a.jpg", "photos/a.jpg", {"images": "photos"}),
        ("http://localhost:8080/data/local-files/?d=x/a.jpg", "x/a.jpg", {"images": "."}),
        ("https://example.org/p/a%20b.jpg?w=3", "photos/a b.jpg", {"images": "photos"}),
        ("s3://bucket/holiday/a.jpg", "photos/holiday/a.jpg", {"images": "photos"}),
        (f"/tasks/3/resolve/?fileuri={PROXY}", "photos/a b.jpg", {"images": "photos"}),
        ("C:\\photos\\a.jpg", "photos/a.jpg", {"images": "photos"}),
    ],
)
def test_photos_are_found_wherever_label_studio_has_them(read, tmp_path, image, photo, options):
    told = {key: tmp_path / folder for key, folder in options.items()}
    assert read([task(image, [result(choices=["dog"])])], photo, **told) == {photo: ["dog"]}
