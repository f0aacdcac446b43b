"""Hasty's export: tags of photos and labels of objects."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def image(name: str, status: str = "DONE", data_set: str = "one", **more: object):
    return {"image_name": name, "image_status": status, "dataset_name": data_set, **more}


def read(folder, *images):
    content = {"label_classes": [{"class_name": "bird"}], "images": list(images)}
    (folder / "export.json").write_text(json.dumps(content))
    return read_annotations(folder / "export.json", labels_only=True)


@pytest.mark.parametrize(
    "tags", [{"tags": ["sky"]}, {"tags": [{"tag_name": "sky"}]}, {"image_classes": ["sky"]}]
)
def test_tags_and_labels_count_and_unfinished_photos_do_not(tmp_path, tags):
    rows = read(
        tmp_path,
        image("a.jpg", labels=[{"class_name": "dog"}], **tags),
        image("b.jpg", "To review", labels=[]),
        image("c.jpg", "New", labels=[]),
        image("d.jpg", "Skipped"),
    )
    assert rows.names == ("bird", "dog", "sky")
    assert rows.relative_names == ("a.jpg", "b.jpg")
    assert rows.targets.tolist() == [[0, 1, 1], [0, 0, 0]]


def test_photos_of_one_name_are_told_apart_by_their_data_sets(tmp_path):
    rows = read(tmp_path, image("a.jpg", tags=["x"]), image("a.jpg", data_set="two", tags=["y"]))
    assert rows.relative_names == ("one/a.jpg", "two/a.jpg")
    with pytest.raises(DataError, match="1 photo that nobody has finished"):
        read(tmp_path, image("a.jpg", "NEW"))
