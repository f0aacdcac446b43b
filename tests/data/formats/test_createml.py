import json

import pytest

from tagsight.data.readers import read_annotations


def write(file, *entries):
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(entries))
    return file


def test_labels_are_names_or_objects_and_roboflow_has_a_file_a_split(tmp_path):
    box = {"label": "dog", "coordinates": {"x": 1, "y": 1, "width": 2, "height": 2}}
    name = "_annotations.createml.json"
    write(tmp_path / "train" / name, {"image": "a.jpg", "annotations": [box, box]})
    write(tmp_path / "valid" / name, {"image": "a.jpg", "annotations": ["cat"]})
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.format, rows.names, rows.splits) == ("createml", ("cat", "dog"), ("train", "val"))
    assert rows.targets.tolist() == [[0, 1], [1, 0]]
    assert [path.relative_to(tmp_path).parent.name for path in rows.paths] == ["train", "valid"]


@pytest.mark.parametrize("photo", ["image", "imagefilename", "imageURL", "image_name"])
@pytest.mark.parametrize(
    "labels",
    [
        [{"label": "dog", "coordinates": {}}, {"label": "cat"}],
        [{"class": "dog"}, {"name": "cat", "coordinates": {}}],
        [{"labels": ["dog", "cat"]}],
        ["dog", "cat"],
    ],
)
def test_keys_may_have_the_names_that_other_programs_give_them(tmp_path, photo, labels):
    others = {photo: "b.jpg", "annotations": "dog"}
    file = write(tmp_path / "a.json", {photo: "a.jpg", "annotations": labels}, others)
    rows = read_annotations(file, labels_only=True)
    assert (rows.format, rows.names) == ("createml", ("cat", "dog"))
    assert rows.targets.tolist() == [[1, 1], [0, 1]]
