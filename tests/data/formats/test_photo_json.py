import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def labelme(photo: str, *labels: str, **flags: bool) -> str:
    shapes = [{"label": label, "points": [[1, 1], [9, 9]]} for label in labels]
    return json.dumps({"flags": flags, "shapes": shapes, "imagePath": photo, "imageData": None})


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "img").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "img" / name).touch()
    return tmp_path


@pytest.mark.parametrize("path", ["..\\img\\a.jpg", "../img/a.jpg", "/home/me/img/a.jpg", "a.jpg"])
def test_photos_are_where_the_files_say(photos, path):
    (photos / "notes").mkdir()
    (photos / "notes" / "a.json").write_text(labelme(path, "dog", "dog", "cat"))
    rows = read_annotations(photos)
    assert (rows.format, rows.names) == ("photo-json", ("cat", "dog"))
    assert rows.paths == (photos / "img" / "a.jpg",)


def test_flags_are_labels_where_they_are_true(photos):
    (photos / "img" / "a.json").write_text(labelme("a.jpg", "dog", night=True, rain=False))
    (photos / "img" / "b.json").write_text(labelme("b.jpg", night=False, rain=True))
    rows = read_annotations(photos)
    assert rows.names == ("dog", "night", "rain")
    assert rows.targets.tolist() == [[1, 1, 0], [0, 0, 1]]


def test_folders_called_so_are_the_splits(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{name}.json").write_text(labelme(f"{name}.jpg", "dog"))
        (tmp_path / split / f"{name}.jpg").touch()
    rows = read_annotations(tmp_path)
    assert (rows.relative_names, rows.splits) == (("train/a.jpg", "val/b.jpg"), ("train", "val"))


def test_a_shape_without_a_label_leaves_others_unknown(photos, caplog):
    (photos / "img" / "a.json").write_text(labelme("a.jpg", "dog"))
    (photos / "img" / "b.json").write_text(labelme("b.jpg", ""))
    assert read_annotations(photos).targets.tolist() == [[1], [-1]]
    assert "boxes without a label in 1 photo" in caplog.text


SUPERVISELY = {"size": {}, "objects": []}
SUPERANNOTATE = {"metadata": {"name": "a.jpg", "status": "Completed"}, "tags": []}


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (SUPERVISELY | {"tags": [{"name": "sky", "value": "grey"}]}, ("sky: grey",)),
        (
            SUPERVISELY | {"tags": [{"name": "wet", "value": "yes"}, {"name": "dry"}]},
            ("dry", "wet"),
        ),
        (SUPERVISELY | {"tags": [{"name": "cows", "value": 3}]}, ("cows",)),
        (SUPERVISELY | {"tags": [{"name": "wet", "value": "no"}, {"name": "cows"}]}, ("cows",)),
        (
            SUPERANNOTATE
            | {
                "instances": [{"type": "tag", "className": "sky", "attributes": [{"name": "grey"}]}]
            },
            ("sky: grey",),
        ),
        (
            {"image": {"filename": "a.jpg", "path": "/"}, "annotations": [{"name": "dog"}]},
            ("dog",),
        ),
        ({"tags": ["dog", "sky"], "rating": 5}, ("dog", "sky")),
    ],
)
def test_tags_of_photos_are_labels_with_their_values(photos, content, labels):
    name = "a.jpg.json" if "size" in content or "rating" in content else "a.json"
    (photos / "img" / name).write_text(json.dumps(content))
    rows = read_annotations(photos / "img")
    assert (rows.format, rows.names) == ("photo-json", labels)
    assert rows.paths == (photos / "img" / "a.jpg",)


def test_a_shape_that_a_program_hides_is_in_the_photo(photos):
    shapes = [
        {"type": "bbox", "className": "dog", "points": {"x1": 1, "x2": 9}, "visible": False},
        {"type": "tag", "className": "sky", "attributes": [], "visible": False},
    ]
    (photos / "img" / "a.json").write_text(json.dumps(SUPERANNOTATE | {"instances": shapes}))
    assert read_annotations(photos / "img").names == ("dog", "sky")


def test_a_photo_that_nobody_has_finished_is_left_out(photos, caplog):
    caplog.set_level("INFO")
    todo = {"metadata": {"name": "b.jpg", "status": "NotStarted"}, "instances": []}
    done = SUPERANNOTATE | {"instances": [{"className": "dog"}]}
    (photos / "img" / "a.json").write_text(json.dumps(done))
    (photos / "img" / "b.json").write_text(json.dumps(todo))
    assert len(read_annotations(photos / "img")) == 1
    assert "1 photo left out that nobody has finished" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"shapes": ["dog"], "imagePath": "x/../../a.jpg"}, "inside the folder of the photos"),
        ({"shapes": [5], "imagePath": "a.jpg"}, "a list of objects under 'shapes'"),
        ({"item": {"name": ""}, "annotations": []}, "a photo's path"),
        ({"labels": []}, "a JSON file for each photo, as of LabelMe"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_annotations(file, format="photo-json")


@pytest.mark.parametrize("ending", [".json", ".jpg.json"])
@pytest.mark.parametrize(
    "form",
    [
        lambda labels: labels,
        lambda labels: [{"SourceFile": "/x/a.jpg", "IPTC:Keywords": labels, "XMP:Title": "x"}],
        lambda labels: [{"Keywords": labels[0] if len(labels) == 1 else labels, "FileName": "x"}],
    ],
)
def test_a_list_beside_its_photo(tmp_path, form, ending):
    given = {"a": ["dog"], "b": ["dog", "sky"], "c": []}
    for name, labels in given.items():
        (tmp_path / f"{name}.jpg").touch()
        (tmp_path / f"{name}{ending}").write_text(json.dumps(form(labels)))
    read = read_annotations(tmp_path)
    assert (read.format, read.names) == ("photo-json", ("dog", "sky"))
    assert read.targets.tolist() == [[1, 0], [1, 1], [0, 0]]
    (tmp_path / f"a{ending}").write_text(json.dumps([{"tags": ["dog"]}, {"tags": ["sky"]}]))
    with pytest.raises(DataError, match="expected a list of labels, or of one object with some"):
        read_annotations(tmp_path)


@pytest.mark.parametrize("source", [".", "images"])
def test_a_library_of_eagle(tmp_path, source):
    for name, tags in {"a b": ["dog"], "c": ["dog", "sky"]}.items():
        item = tmp_path / "images" / f"K{name}.info"
        item.mkdir(parents=True)
        (item / f"{name}.jpg").touch()
        content = {"id": "K", "name": name, "ext": "jpg", "tags": tags, "folders": []}
        (item / "metadata.json").write_text(json.dumps(content))
    (tmp_path / "metadata.json").write_text('{"folders": [], "applicationVersion": "4.0"}')
    read = read_annotations(tmp_path / source)
    assert [path.name for path in read.paths] == ["a b.jpg", "c.jpg"]
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 0], [1, 1]])
