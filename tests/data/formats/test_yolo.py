import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LIST, TABLE = "names: [cat, 'no', dog]\n", "names:\n  0: cat\n  1: no\n  2: dog\n"


@pytest.fixture
def read(tmp_path):
    """Write files, a photo where a text has none, and read the folder."""

    def read(source=".", **files):
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        rows = read_annotations(tmp_path / source)
        assert rows.format == "yolo"
        photos = [path.relative_to(tmp_path).as_posix() for path in rows.paths]
        return rows, dict(zip(photos, rows.targets.tolist(), strict=True))

    return read


PHOTOS = {
    "images__train__a_DOT_jpg": "",
    "images__train__b_DOT_png": "",
    "images__val__c_DOT_jpg": "",
    "images__val__d_DOT_jpg": "",
    "labels__train__a_DOT_txt": "2 0.5 0.5 0.1 0.1\n2 0.2 0.2 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.2\n",
    "labels__train__b_DOT_txt": "",
    "labels__val__c_DOT_txt": "0.0 0.5 0.5 0.1 0.1\n",
}
EXPECTED = {
    "images/train/a.jpg": [0, 1, 1],
    "images/train/b.png": [0, 0, 0],
    "images/val/c.jpg": [1, 0, 0],
    "images/val/d.jpg": [0, 0, 0],
}


@pytest.mark.parametrize("names", [LIST, TABLE])
def test_the_classes_of_a_photo_are_its_labels_and_a_missing_file_has_none(read, caplog, names):
    caplog.set_level(logging.INFO)
    splits = "path: .\ntrain: images/train\nval: [images/val]\ntest:\n"
    rows, found = read(data_DOT_yaml=splits + names, **PHOTOS)
    assert rows.names == ("cat", "dog", "no")
    by_number = {photo: [row[0], row[2], row[1]] for photo, row in found.items()}
    assert by_number == EXPECTED
    assert rows.split_sizes == {"train": 2, "val": 2}
    assert "val: 1 photo without a file of objects: none of the labels" in caplog.text


@pytest.mark.parametrize(
    ("splits", "places"),
    [
        (
            "path: /home/me/set\ntrain: /home/me/set/images/train\nval: C:\\set\\images\\val\n",
            ("", ""),
        ),
        ("path: datasets/set\ntrain: train\nval: ./val/\n", ("", "")),
        ("train: set/images/train\nval: ../set/images/val\n", ("", "")),
        ("train: train\nval: ../val\n", ("train/", "val/")),  # above images and labels
    ],
)
def test_places_of_another_machine_or_above_the_photos_are_found(read, splits, places):
    of = {"train": places[0], "val": places[1]}
    if places[0]:
        files = {
            f"{split}/{kind}/{name}": text
            for kind, split, name, text in (
                (*name.split("__"), text) for name, text in PHOTOS.items()
            )
        }
    else:
        files = PHOTOS
    rows, found = read(data_DOT_yaml=splits + TABLE, **files)
    expected = {
        (f"{of[split]}images/{photo}" if of[split] else f"images/{split}/{photo}"): row
        for split, photo, row in ((*name.split("/")[1:], row) for name, row in EXPECTED.items())
    }
    assert {photo: [row[0], row[2], row[1]] for photo, row in found.items()} == expected
    assert rows.split_sizes == {"train": 2, "val": 2}


def test_lists_of_another_machine_are_found_and_a_missing_split_is_not_another(read):
    lists = {
        "train_DOT_txt": "/home/me/set/images/train/a.jpg\n/home/me/set/images/train/b.png\n",
        "val_DOT_txt": "set/images/val/c.jpg\n./images/val/d.jpg\n",
    }
    rows, found = read(data_DOT_yaml=f"train: train.txt\nval: val.txt\n{TABLE}", **lists, **PHOTOS)
    assert set(found) == set(EXPECTED)
    assert rows.split_sizes == {"train": 2, "val": 2}
    rows, _ = read(data_DOT_yaml=f"train: images/train\ntest: ../test/images\n{TABLE}")
    assert rows.split_sizes == {"train": 2}


def test_a_split_without_any_file_is_left_out(read, caplog):
    rows, _ = read(
        data_DOT_yaml=f"train: images/train\ntest: images/test\n{LIST}",
        images__test__e_DOT_jpg="",
        **PHOTOS,
    )
    assert rows.split_sizes == {"train": 2}
    assert "test: 1 photo left out, as none has a file of objects" in caplog.text


def test_roboflow_writes_folders_as_if_they_were_one_above(read):
    _, found = read(
        data_DOT_yaml=f"train: ../train/images\nval: ../valid/images\n{LIST}",
        train__images__a_DOT_jpg="",
        train__labels__a_DOT_txt="0 0 0 1 1",
        valid__images__b_DOT_jpg="",
        valid__labels__b_DOT_txt="1 0 0 1 1",
    )
    assert found == {"train/images/a.jpg": [1, 0, 0], "valid/images/b.jpg": [0, 0, 1]}


def test_cvat_writes_darknet_and_label_studio_a_list_of_classes(read, tmp_path):
    _, found = read(
        "obj.data",
        obj_DOT_data="classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n",
        obj_DOT_names="cat\ndog\n",
        train_DOT_txt="data/obj_train_data/a.jpg\n",
        obj_train_data__a_DOT_txt="1 0 0 1 1",
        obj_train_data__a_DOT_jpg="",
    )
    assert list(found.values()) == [[0, 1]]
    rows, found = read(
        "classes.txt",
        classes_DOT_txt="cat\ndog\n",
        images__a_DOT_jpg="",
        labels__a_DOT_txt="1 0 0 1 1",
    )
    assert (rows.splits, found) == (None, {"images/a.jpg": [0, 1]})


def test_the_list_of_classes_of_darknet_lies_beside_the_photos(read):
    files = {
        f"{split}__{name}": text
        for split in ("train", "valid")
        for name, text in (
            *(("_darknet_DOT_labels", "cat\ndog\n"), ("a_DOT_jpg", ""), ("b_DOT_jpg", "")),
            *(("a_DOT_txt", "1 0.5 0.5 0.1 0.1\n"), ("b_DOT_txt", "")),
        )
    }
    rows, photos = read(**files)
    assert (rows.names, rows.splits) == (("cat", "dog"), ("train", "train", "val", "val"))
    assert photos == {
        "train/a.jpg": [0, 1], "train/b.jpg": [0, 0], "valid/a.jpg": [0, 1], "valid/b.jpg": [0, 0]
    }  # fmt: skip
    with pytest.raises(DataError, match="expected the same classes as in"):
        read(**files | {"valid___darknet_DOT_labels": "dog\ncat\n"})


def test_a_list_of_classes_and_photos_may_lie_in_one_folder(read):
    files = {"_darknet_DOT_labels": "cat\ndog\n", "a_DOT_txt": "0 0.5 0.5 0.1 0.1\n"}
    rows, photos = read(**files, a_DOT_jpg="", b_DOT_jpg="")
    assert (photos, rows.splits) == ({"a.jpg": [1, 0], "b.jpg": [0, 0]}, None)


def test_labelimg_writes_classes_and_boxes_beside_the_photos(read):
    rows, photos = read(
        classes_DOT_txt="cat\ndog\n", a_DOT_jpg="", a_DOT_txt="1 0.5 0.5 0.1 0.1\n", b_DOT_jpg=""
    )
    assert (rows.format, photos) == ("yolo", {"a.jpg": [0, 1], "b.jpg": [0, 0]})


@pytest.mark.parametrize("place", ["classes_DOT_txt", "labels__classes_DOT_txt"])
def test_a_list_of_classes_lies_above_the_boxes_or_among_them(read, place):
    notes = {"notes_DOT_json": '{"categories": [{"id": 0, "name": "cat"}]}'}  # of Label Studio
    files = {
        "images__a_DOT_jpg": "",
        "labels__a_DOT_txt": "1 0.5 0.5 0.1 0.1\n",
        place: "cat\ndog\n",
    }
    _, photos = read(**notes, **files)
    assert photos == {"images/a.jpg": [0, 1]}


def test_a_list_of_classes_above_splits_is_theirs(read, tmp_path):
    files = {}
    for split, box in (("train", "1 0.5 0.5 0.1 0.1\n"), ("valid", "0 0.5 0.5 0.1 0.1\n")):
        files |= {f"{split}__images__a_DOT_jpg": "", f"{split}__labels__a_DOT_txt": box}
    with pytest.raises(DataError, match=r"YOLO's boxes without .* write the names to classes.txt"):
        read(**files)
    rows, photos = read(**files, classes_DOT_txt="cat\ndog\n")
    assert photos == {"train/images/a.jpg": [0, 1], "valid/images/a.jpg": [1, 0]}
    assert rows.splits == ("train", "val")


def test_splits_with_the_same_photos_are_read_once_and_told(read, caplog):
    settings = "train: images\nval: images\nnames: [cat, dog]\n"
    rows, photos = read(data_DOT_yaml=settings, images__a_DOT_jpg="", labels__a_DOT_txt="1 0 0 1 1")
    assert (rows.splits, photos) == (("train",), {"images/a.jpg": [0, 1]})
    assert "train and val are the same photos: read as train" in caplog.text


@pytest.mark.parametrize("source", [".", "data.yaml"])
@pytest.mark.parametrize("count", ["nc: 3\n", ""])
def test_settings_may_name_classes_alone(read, source, count):
    """As supervision writes them, for photos in one folder or in those of splits."""
    boxes = {"labels__a_DOT_txt": "2 0.5 0.5 0.1 0.1\n", "labels__b_DOT_txt": ""}
    photos = {"images__a_DOT_jpg": "", "images__b_DOT_jpg": ""}
    rows, found = read(source, data_DOT_yaml=f"{count}{LIST}", **boxes, **photos)
    assert (rows.names, rows.splits) == (("cat", "dog", "no"), None)
    assert found == {"images/a.jpg": [0, 1, 0], "images/b.jpg": [0, 0, 0]}


def test_settings_of_classes_alone_lie_above_splits(read):
    files = {
        f"{split}__{folder}__{split}_DOT_{ending}": text
        for split in ("train", "valid")
        for folder, ending, text in (
            ("images", "jpg", ""),
            ("labels", "txt", "0 0.5 0.5 0.1 0.1\n"),
        )
    }
    rows, _ = read(data_DOT_yaml=f"nc: 3\n{LIST}", **files)
    assert rows.splits == ("train", "val")
