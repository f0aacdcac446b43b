import json
import random

import numpy as np
import pytest

from tagsight.data.boxes import read_boxes
from tagsight.data.formats import coco_instances
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def content(**changes):
    values = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "zebra"}, {"id": 2, "name": "ape"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1}] * 2,
    }
    return values | changes


@pytest.fixture
def write(tmp_path):
    def write(values=None, name="annotations/instances_train2017.json", photos="train2017"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(values if isinstance(values, str) else json.dumps(values or content()))
        for photo in ("a.jpg", "b.jpg"):
            (tmp_path / photos).mkdir(parents=True, exist_ok=True)
            (tmp_path / photos / photo).touch()
        return file

    return write


@pytest.mark.parametrize("kept", [("images", "annotations"), ("annotations",)])
def test_a_file_without_a_list_is_still_coco(write, kept):
    file = write({key: content()[key] for key in kept})
    lacking = "images" if "images" not in kept else "categories"
    with pytest.raises(
        DataError, match=f"expected a list under '{lacking}', got no such key; .* add the"
    ):
        read_annotations(file)


def test_names_and_never_ids_decide_the_order_of_labels(write):
    rows = read_annotations(write(), format="coco")
    assert (rows.names, rows.targets.tolist()) == (("ape", "zebra"), [[0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("photos", "images"),
    [
        *((place, None) for place in ("train2017", "images/train2017", "images", ".")),
        *((place, "elsewhere") for place in ("elsewhere", "elsewhere/train2017")),
    ],
)
def test_photos_are_found_in_the_usual_folders_or_in_the_one_given(write, tmp_path, photos, images):
    rows = read_annotations(
        write(photos=photos), images=images and tmp_path / images, format="coco"
    )
    assert rows.paths[0].samefile(tmp_path / photos / "a.jpg")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017.json", "train"),
        ("instances_val2014.json", "val"),
        ("validation.json", "val"),
        ("my-test.json", "test"),
        ("instances_trainval2014.json", "train"),
        ("retrieval.json", None),
        ("boxes.json", None),
    ],
)
def test_the_name_of_a_file_tells_its_split(write, name, split):
    assert read_annotations(write(name=name, photos="images"), format="coco").splits == (
        split and (split, split)
    )


def test_a_label_that_only_another_file_knows_is_unknown(write, tmp_path):
    write()
    other = content(categories=[{"id": 1, "name": "ape"}, {"id": 2, "name": "cow"}])
    write(other, name="annotations/instances_val2017.json", photos="val2017")
    rows = read_annotations(tmp_path, format="coco")
    assert rows.names == ("ape", "cow", "zebra")
    assert rows.splits == ("train", "train", "val", "val")
    assert rows.targets.tolist() == [[0, -1, 1], [0, -1, 0], [1, 0, -1], [0, 0, -1]]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("instances_train2014.json", r"one file for each of train, val and test .*2014.*2017"),
        ("instances_val2017.json", r"each photo in one part .*a.jpg in several"),
    ],
)
def test_files_that_contradict_one_another_are_refused(write, tmp_path, name, message):
    write(photos="images")
    write(name=f"annotations/{name}", photos="images")
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path, images=tmp_path / "images", format="coco")


@pytest.mark.parametrize("seed", range(2))
def test_merged_files_read_as_if_every_photo_and_every_label_had_one_id(write, caplog, seed):
    draw = random.Random(seed)
    names, photos = ["ape", "bee", "cat"], ["a.jpg", "b.jpg"]
    ids = {}
    for group in (names, photos):  # ids are unique within a list
        numbers = draw.sample(range(100), 9)
        ids |= {name: [numbers.pop() for _ in range(draw.randint(1, 3))] for name in group}
    labels = [(draw.choice(photos), draw.choice(names)) for _ in range(6)]

    def entries(kind: str, of: list[str]) -> list[dict[str, object]]:
        size = {"width": 64, "height": 48}
        listed = [{"id": f"{one}", kind: name} | size for name in of for one in ids[name]]
        return draw.sample(listed, len(listed))

    objects = [
        {"image_id": f"{draw.choice(ids[photo])}", "category_id": f"{draw.choice(ids[name])}"}
        for photo, name in labels
    ]
    file = write(
        {
            "images": entries("file_name", photos),
            "categories": entries("name", names),
            "annotations": [one | {"bbox": [draw.randrange(20), 0, 5, 5]} for one in objects],
        }
    )
    read = read_annotations(file, format="coco")
    assert read.names == tuple(names)
    assert {
        path.name: row for path, row in zip(read.paths, read.targets.tolist(), strict=True)
    } == {photo: [int((photo, name) in labels) for name in names] for photo in photos}
    for key, group in (("images", photos), ("categories", names)):
        told = [record for record in caplog.messages if f"several ids of {key!r}" in record]
        assert bool(told) == any(len(ids[name]) > 1 for name in group)
    drawn = read_boxes(file)
    assert drawn.names == tuple(names)
    assert sum(len(of) for photo in drawn.photos.values() for of in photo.boxes.values()) == 6


@pytest.mark.parametrize("image_id", [7, 7.0])
def test_ids_may_be_floats_which_tables_make_of_numbers(write, image_id):
    objects = [{"image_id": image_id, "category_id": 2.0}]
    rows = read_annotations(write(content(annotations=objects)), format="coco")
    assert rows.targets.tolist() == [[1, 0], [0, 0]]


SPELLINGS = {7: (7, 7.0, "7", "007", "7.0", " 7"), "07": ("07", 7, "7"), "a7": ("a7",)}


@pytest.mark.parametrize(
    ("identity", "spelled"), [(one, other) for one, all_of in SPELLINGS.items() for other in all_of]
)
@pytest.mark.parametrize("key", ["images", "categories"])
def test_an_id_is_the_same_as_text_and_as_a_number(write, caplog, key, identity, spelled):
    caplog.set_level("INFO")
    entry = {"file_name": "a.jpg"} if key == "images" else {"name": "zebra"}
    of = "image_id" if key == "images" else "category_id"
    objects = [{"image_id": 7, "category_id": 1} | {of: spelled}]
    values = content(**{key: [entry | {"id": identity}], "annotations": objects})
    rows = read_annotations(write(values), format="coco")
    assert (rows.targets == 1).sum() == 1
    assert ("joined by their numbers" in caplog.text) == (spelled != identity)


@pytest.mark.parametrize("spelled", ["007", "7.0"])
def test_an_id_that_may_be_two_photos_is_refused_and_both_are_named(write, spelled):
    images = [{"id": one, "file_name": f"{name}.jpg"} for one, name in ((7, "a"), ("7", "b"))]
    exact = content(images=images, annotations=[{"image_id": "7", "category_id": 1}])
    assert read_annotations(write(exact), format="coco").targets[:, 1].tolist() == [0, 1]
    either = content(images=images, annotations=[{"image_id": spelled, "category_id": 1}])
    with pytest.raises(DataError, match=rf"got '{spelled}', which may be 7 or '7'"):
        read_annotations(write(either), format="coco")


def test_roboflow_has_a_file_beside_the_photos_of_each_split(write, tmp_path):
    for split in ("train", "valid"):
        write(name=f"{split}/_annotations.coco.json", photos=split)
    rows = read_annotations(tmp_path)
    assert (rows.format, rows.split_sizes) == ("coco", {"train": 2, "val": 2})
    assert all(path.is_file() for path in rows.paths)
    alone = read_annotations(tmp_path / "valid" / "_annotations.coco.json")
    assert alone.split_sizes == {"val": 2}


@pytest.mark.parametrize("categories", [{}, {"categories": []}])
def test_photos_of_a_split_without_objects_have_no_labels(write, tmp_path, caplog, categories):
    write(name="train/_annotations.coco.json", photos="train")
    empty = content(annotations=[]) | categories
    write(empty, name="valid/_annotations.coco.json", photos="valid")
    write(empty | {"images": []}, name="test/_annotations.coco.json", photos="test")
    rows = read_annotations(tmp_path)
    assert (rows.names, rows.split_sizes) == (("ape", "zebra"), {"train": 2, "val": 2})
    assert rows.rows("val").targets.tolist() == [[0, 0], [0, 0]]
    assert "no objects: 2 photos without any of the labels" in caplog.text
    assert "left out, as it has no photos" in caplog.text
    write(empty, name="train/_annotations.coco.json")
    with pytest.raises(DataError, match="expected annotations, got none"):
        read_annotations(tmp_path)


def test_outlines_of_objects_are_not_kept_in_memory(write):
    one = {"image_id": 7, "category_id": 1}
    file = write(content(annotations=[one | {"segmentation": [[0.0] * 1000]}]))
    assert coco_instances.read_instances(file).objects == [one | {"segmentation": None}]


def test_the_coco_photos_have_the_counts_that_their_readme_states(shared_data):
    photos = read_annotations(shared_data / "coco-256")
    present = photos.targets == 1
    assert (photos.format, photos.split_sizes) == ("coco", {"train": 128, "val": 128})
    assert (present.shape[1], present.any(0).sum()) == (80, 76)
    assert present.sum() / len(photos) == pytest.approx(2.9, abs=0.05)
    assert (~photos.rows("train").targets.eq(1).any(1)).sum() == 2
    graph = np.load(shared_data / "label-graphs" / "coco_cooccurrence.npz")
    assert photos.names == tuple(graph["names"].tolist())
    assert all(path.is_file() for path in photos.paths)


@pytest.mark.parametrize(
    "several",
    [
        {"category_ids": [1, 2]},
        {"category_id": [2, 1]},
        {"file_name": "a.png", "segments_info": [{"category_id": 2}, {"category_id": 1}]},
    ],
)
def test_an_annotation_of_a_whole_photo_gives_it_all_its_categories(write, caplog, several):
    objects = [{"image_id": 7} | several, {"image_id": 3, "category_id": 1}]
    rows = read_annotations(write(content(annotations=objects)))
    assert rows.targets.tolist() == [[1, 1], [0, 1]]
    assert "without a label" not in caplog.text


def test_what_lvis_has_not_verified_is_unknown(write):
    images = [
        {"id": 7, "file_name": "a.jpg", "neg_category_ids": [2]},
        {"id": 3, "coco_url": "http://example.org/train2017/b.jpg", "neg_category_ids": []},
    ]
    rows = read_annotations(write(content(images=images)))
    assert (rows.names, rows.targets.tolist()) == (("ape", "zebra"), [[0, 1], [-1, -1]])
    assert [path.name for path in rows.paths] == ["a.jpg", "b.jpg"]
    assert all(path.is_file() for path in rows.paths)


def test_photos_may_say_their_splits(write):
    images = [photo | {"split": word} for photo, word in zip(
        content()["images"], ("train", "Val"), strict=True)]  # fmt: skip
    rows = read_annotations(write(content(images=images), name="all.json", photos="images"))
    assert rows.splits == ("train", "val")


def test_labels_of_whole_photos_beside_the_objects_are_added(write, caplog):
    write()
    photos = [{"id": 1, "file_name": "b.jpg"}, {"id": 2, "file_name": "a.jpg"}]
    names = [{"id": 5, "name": "ape"}, {"id": 6, "name": "sky"}]
    labels = [{"image_id": 2, "category_id": 5}, {"image_id": 1, "category_id": 6}]
    values = {"images": photos, "categories": names, "annotations": labels}
    file = write(values, name="annotations/labels_train2017.json")
    with caplog.at_level("INFO"):
        rows = read_annotations(file.parent.parent)
    assert (rows.names, rows.targets.tolist()) == (("ape", "sky", "zebra"), [[1, 0, 1], [0, 1, 0]])
    assert "with 2 labels of whole photos from" in caplog.text
    (file.parent / "instances_train2017.json").unlink()
    assert read_annotations(file.parent.parent).targets.tolist() == [[0, 1], [1, 0]]


def test_an_id_that_is_a_float_too_large_to_be_exact_is_refused(write):
    images = [
        {"id": 2**53 + number, "file_name": f"{name}.jpg"} for number, name in enumerate("ab")
    ]
    objects = [{"image_id": float(2**53 + 1), "category_id": 1}]
    with pytest.raises(DataError, match=r"annotations\[0\].image_id: expected an id of images"):
        read_annotations(write(content(images=images, annotations=objects)))


def test_uploads_of_label_studio_are_found_without_what_it_puts_before_them(write):
    images = [photo | {"file_name": f"images\\0a1b2c3{photo['id']}-{photo['file_name']}"}
              for photo in content()["images"]]  # fmt: skip
    rows = read_annotations(write(content(images=images), name="result.json", photos="images"))
    assert [path.name for path in rows.paths] == ["a.jpg", "b.jpg"]
    assert all(path.is_file() for path in rows.paths)
