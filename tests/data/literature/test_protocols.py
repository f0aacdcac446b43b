import json
from pathlib import Path

import pytest
import torch
from tiny_collections import PHOTOS, write_coco, write_mirflickr, write_nus_wide, write_voc

from tagsight.data.annotations import Annotations
from tagsight.data.format import ReadOptions
from tagsight.data.literature.protocols import PROTOCOLS, divided, read_protocol
from tagsight.data.readers import FORMATS, read_annotations
from tagsight.data.splits.split import complete_splits
from tagsight.errors import DataError


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_of_a_known_format_and_counts_what_it_divides(name):
    protocol = PROTOCOLS[name]
    assert protocol.format in FORMATS
    assert {"train", "test"} <= protocol.counts.keys() <= {"all", "train", "test"}
    if "all" in protocol.counts:
        parts = protocol.counts["train"].photos + protocol.counts["test"].photos
        assert protocol.counts["all"].photos == parts


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_test_photo_of_a_protocol_selects_an_epoch(name):
    """Val is drawn from train later, and what was the test stays the test."""
    splits = tuple(split for split in PROTOCOLS[name].splits or ("train",) for _ in range(20))
    paths = tuple(Path(f"/photos/{row}.jpg") for row in range(len(splits)))
    targets = torch.ones(len(splits), 1, dtype=torch.int8)
    first = divided(Annotations(("cat",), paths, targets, splits, "t"), name)
    assert set(first.splits) == {"train", "test"}
    completed = complete_splits(first, {}, seed=0)
    assert completed.rows("test").paths == first.rows("test").paths
    assert set(completed.rows("val").paths) < set(first.rows("train").paths)


def test_validation_photos_of_coco_are_the_test_and_photos_without_objects_are_dropped(tmp_path):
    source = write_coco(tmp_path, PHOTOS).source
    rows = read_protocol(source, "coco2014", labels_only=True)
    splits = dict(zip((path.name for path in rows.paths), rows.splits, strict=True))
    assert splits == {"a.jpg": "train", "b c.jpg": "train", "e.jpg": "train", "f.jpg": "test"}
    assert rows.protocol == "coco2014"
    assert len(read_protocol(source, "coco2014-all", labels_only=True)) == 5


def test_coco_2014_is_read_as_it_is_unpacked(tmp_path):
    """Captions and key points lie beside the instances; names of photos tell their split."""
    for number, split in enumerate(("train2014", "val2014")):
        name = f"COCO_{split}_{number:012}.jpg"
        content = {
            "info": {"year": 2014},
            "images": [{"id": number, "file_name": name, "width": 5, "height": 5}],
            "categories": [{"supercategory": "animal", "id": 18, "name": "dog"}],
            "annotations": [{"image_id": number, "category_id": 18, "iscrowd": 1}],
        }
        for file, text in {
            f"{split}/{name}": "",
            f"annotations/instances_{split}.json": json.dumps(content),
            f"annotations/captions_{split}.json": "{}",
            f"annotations/person_keypoints_{split}.json": "{}",
        }.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
    rows = read_protocol(tmp_path, "coco2014")
    assert rows.splits == ("train", "test")
    assert [path.parent.name for path in rows.paths] == ["train2014", "val2014"]
    assert rows.targets.tolist() == [[1], [1]]


def test_voc_2007_is_read_as_it_is_unpacked(tmp_path):
    """The development kit and the test unpack into one folder, with lists of other tasks."""
    year = tmp_path / "VOCdevkit" / "VOC2007"
    marks = {"000001": 1, "000005": 0, "000012": -1}
    parts = {"train": ["000012"], "val": ["000005"], "test": ["000001"], "trainval": marks}
    for folder in ("JPEGImages", *(f"ImageSets/{t}" for t in ("Main", "Layout", "Segmentation"))):
        (year / folder).mkdir(parents=True)
    for part, names in parts.items():
        for task in (year / "ImageSets").iterdir():
            (task / f"{part}.txt").write_text("\n".join(names) + "\n")
        lines = "".join(f"{name} {marks[name]:2}\n" for name in names)
        (year / "ImageSets" / "Main" / f"dog_{part}.txt").write_text(lines)
    for name in marks:
        (year / "JPEGImages" / f"{name}.jpg").touch()
    rows = read_protocol(tmp_path / "VOCdevkit", "voc2007")
    assert [path.stem for path in rows.paths] == ["000012", "000005", "000001"]
    assert rows.splits == ("train", "train", "test")
    assert rows.targets.tolist() == [[0], [-1], [1]]


def test_the_user_may_choose_what_a_protocol_leaves_open(tmp_path):
    source = write_voc(tmp_path, PHOTOS).source
    rows = read_protocol(
        source, "voc2007", labels_only=True, options=ReadOptions(difficult="present")
    )
    assert rows.split_sizes == {"train": 5}
    assert (rows.targets >= 0).all()
    source = write_nus_wide(tmp_path / "nus", PHOTOS).source
    rows = read_annotations(source, labels_only=True)
    assert read_protocol(source, "nus-wide", labels_only=True).splits == rows.splits
    assert len(read_protocol(source, "nus-wide-labelled", labels_only=True)) == 4


def test_contradictions_to_a_protocol_are_named(tmp_path):
    source = write_coco(tmp_path, PHOTOS).source
    dropped = {"options": ReadOptions(unlabelled="drop"), "labels_only": True}
    assert len(read_protocol(source, "coco2014", **dropped)) == 4
    file = source / "annotations" / "instances_val2017.json"

    def refused(message, place=source, name="coco2014", **options) -> None:
        with pytest.raises(DataError, match=message):
            read_protocol(place, name, labels_only=True, **options)

    refused(r"a protocol among \['voc2007', .*, got 'voc2008'", name="voc2008")
    message = r"`unlabelled=drop`, which the protocol 'coco2014' dec"
    refused(message, options=ReadOptions(unlabelled="keep"))
    file = file.rename(file.with_name("instances_test2017.json"))
    refused(r"the splits train, val, as .* got train, test")
    file = file.rename(file.with_name("instances.json"))
    refused(r"the splits train, val, as .* got none", file)


def test_halves_depend_on_their_own_seed_and_not_on_the_folder_of_the_photos(tmp_path):
    source = write_mirflickr(tmp_path, PHOTOS).source
    (tmp_path / "mine").mkdir()

    def read(**options):
        return read_protocol(source, "mirflickr25k-all", labels_only=True, **options)

    assert read().split_sizes == {"train": 25, "test": 25}
    assert read().hash() == read(images=tmp_path / "mine").hash() != read(split_seed=1).hash()
