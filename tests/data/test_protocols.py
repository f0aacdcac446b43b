from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_collections import PHOTOS, write_coco, write_mirflickr, write_nus_wide, write_voc

from tagsight.data.annotations import Annotations
from tagsight.data.formats import mirflickr
from tagsight.data.protocols import PROTOCOLS, divided, read_protocol
from tagsight.data.readers import READERS, read_annotations
from tagsight.data.split import complete_splits
from tagsight.errors import DataError


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_of_a_known_format_and_counts_what_it_divides(name) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.format in READERS
    assert {"train", "test"} <= protocol.counts.keys() <= {"all", "train", "test"}
    if "all" in protocol.counts:
        parts = protocol.counts["train"].photos + protocol.counts["test"].photos
        assert protocol.counts["all"].photos == parts


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_test_photo_of_a_protocol_selects_an_epoch(name) -> None:
    """Val is drawn from train later, and what was the test stays the test."""
    sources = tuple(PROTOCOLS[name].splits or ("train",))
    rows = 20 * len(sources)
    splits = tuple(split for split in sources for _ in range(20))
    paths = tuple(Path(f"/photos/{row}.jpg") for row in range(rows))
    targets = torch.ones(rows, 1, dtype=torch.int8)
    first = divided(Annotations(("cat",), paths, targets, splits, "t"), name)
    test = {path for path, split in zip(paths, first.splits, strict=True) if split == "test"}
    assert set(first.splits) == {"train", "test"}
    completed = complete_splits(first, {}, seed=0)
    assert set(completed.rows("test").paths) == test
    assert len(completed.rows("val")) > 0
    assert not test & set(completed.rows("val").paths)


def test_validation_photos_of_coco_are_the_test_and_photos_without_objects_are_dropped(
    tmp_path,
) -> None:
    source = write_coco(tmp_path, PHOTOS).source
    rows = read_protocol(source, "coco2014", labels_only=True)
    splits = {path.name: split for path, split in zip(rows.paths, rows.splits, strict=True)}
    assert splits == {"a.jpg": "train", "b c.jpg": "train", "e.jpg": "train", "f.jpg": "test"}
    assert rows.protocol == "coco2014"
    assert len(read_protocol(source, "coco2014-all", labels_only=True)) == 5


def test_train_and_val_of_voc_are_both_for_training(tmp_path) -> None:
    source = write_voc(tmp_path, PHOTOS).source
    rows = read_protocol(source, "voc2007", labels_only=True)
    assert rows.split_sizes == {"train": 5}


def test_coco_2014_is_read_as_it_is_unpacked(tmp_path) -> None:
    """Captions and key points lie beside the instances; names of photos tell their split."""
    lists = tmp_path / "annotations"
    lists.mkdir()
    for number, split in enumerate(("train2014", "val2014")):
        (tmp_path / split).mkdir()
        name = f"COCO_{split}_{number:012}.jpg"
        (tmp_path / split / name).touch()
        content = {
            "info": {"year": 2014},
            "images": [{"id": number, "file_name": name, "width": 5, "height": 5}],
            "categories": [{"supercategory": "animal", "id": 18, "name": "dog"}],
            "annotations": [{"image_id": number, "category_id": 18, "iscrowd": 1}],
        }
        (lists / f"instances_{split}.json").write_text(json.dumps(content))
        for other in ("captions", "person_keypoints"):
            (lists / f"{other}_{split}.json").write_text("{}")
    rows = read_protocol(tmp_path, "coco2014")
    assert rows.splits == ("train", "test")
    assert [path.parent.name for path in rows.paths] == ["train2014", "val2014"]
    assert rows.targets.tolist() == [[1], [1]]


def test_voc_2007_is_read_as_it_is_unpacked(tmp_path) -> None:
    """The development kit and the test unpack into one folder, with lists of other tasks."""
    sets = tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets"
    photos = {"train": "000012", "val": "000005", "test": "000001"}
    marks = {"000012": -1, "000005": 0, "000001": 1}
    (tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages").mkdir(parents=True)
    for task in ("Main", "Layout", "Segmentation"):
        (sets / task).mkdir(parents=True)
    for part, names in {**{k: [v] for k, v in photos.items()}, "trainval": sorted(marks)}.items():
        for task in ("Main", "Layout", "Segmentation"):
            (sets / task / f"{part}.txt").write_text("\n".join(names) + "\n")
        lines = "".join(f"{name} {marks[name]:2}\n" for name in names)
        (sets / "Main" / f"dog_{part}.txt").write_text(lines)
    for name in marks:
        (tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages" / f"{name}.jpg").touch()
    rows = read_protocol(tmp_path / "VOCdevkit", "voc2007")
    assert [path.stem for path in rows.paths] == ["000012", "000005", "000001"]
    assert rows.splits == ("train", "train", "test")
    assert rows.targets.tolist() == [[0], [-1], [1]]


def test_what_a_protocol_leaves_open_the_user_may_say(tmp_path) -> None:
    source = write_voc(tmp_path, PHOTOS).source
    rows = read_protocol(source, "voc2007", labels_only=True, meaning={"difficult": "present"})
    assert (rows.targets >= 0).all()


def test_what_a_protocol_decides_the_user_may_not_say_otherwise(tmp_path) -> None:
    source = write_coco(tmp_path, PHOTOS).source
    same = read_protocol(source, "coco2014", labels_only=True, meaning={"unlabelled": "drop"})
    assert len(same) == 4
    with pytest.raises(DataError, match=r"`unlabelled=drop`, which the protocol 'coco2014' dec"):
        read_protocol(source, "coco2014", labels_only=True, meaning={"unlabelled": "keep"})


def test_an_unknown_protocol_is_named_with_the_known_ones(tmp_path) -> None:
    with pytest.raises(DataError, match=r"a protocol among \['voc2007', .*, got 'voc2008'"):
        read_protocol(tmp_path, "voc2008")


def test_splits_that_a_protocol_does_not_know_are_named(tmp_path) -> None:
    source = write_coco(tmp_path, PHOTOS).source
    folder = source / "annotations"
    (folder / "instances_val2017.json").rename(folder / "instances_test2017.json")
    with pytest.raises(DataError, match=r"the splits train, val, as .* got train, test"):
        read_protocol(source, "coco2014", labels_only=True)
    file = (folder / "instances_test2017.json").rename(folder / "instances.json")
    with pytest.raises(DataError, match=r"the splits train, val, as .* got none"):
        read_protocol(file, "coco2014", labels_only=True)


def test_photos_of_no_label_at_all_are_nothing_to_train_on(tmp_path) -> None:
    source = write_coco(tmp_path, PHOTOS).source
    for file in source.rglob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    with pytest.raises(DataError, match="expected annotations, got none"):
        read_protocol(source, "coco2014", labels_only=True)


def test_halves_are_drawn_once_for_all_runs_and_by_their_own_seed(tmp_path) -> None:
    source = write_mirflickr(tmp_path, PHOTOS).source
    first, again, other = (
        read_protocol(source, "mirflickr25k-all", labels_only=True, split_seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.split_sizes == {"train": 12_500, "test": 12_500}
    assert first.splits == again.splits != other.splits


def test_halves_do_not_depend_on_the_folder_of_the_photos(tmp_path) -> None:
    source = write_mirflickr(tmp_path, PHOTOS).source
    (tmp_path / "photos" / "of" / "mine").mkdir(parents=True)
    here = read_protocol(source, "mirflickr25k-all", labels_only=True)
    there = read_protocol(
        source, "mirflickr25k-all", labels_only=True, images=tmp_path / "photos" / "of" / "mine"
    )
    assert here.hash() == there.hash()


def test_official_lists_stay_as_they_are(tmp_path) -> None:
    source = write_nus_wide(tmp_path, PHOTOS).source
    rows = read_annotations(source, labels_only=True)
    assert read_protocol(source, "nus-wide", labels_only=True).splits == rows.splits
    assert len(read_protocol(source, "nus-wide-labelled", labels_only=True)) == 4


@pytest.mark.parametrize(
    ("name", "labels_per_photo"), [("mirflickr25k", 3.78), ("mirflickr25k-38", 4.80)]
)
def test_the_protocols_of_mirflickr_count_what_the_annotations_hold(
    shared_data, name, labels_per_photo
) -> None:
    rows = read_protocol(shared_data / "mirflickr25k", name, labels_only=True)
    present = rows.targets == 1
    assert rows.split_sizes == {"train": 12_291, "test": 12_290}
    assert present.sum() / len(rows) == pytest.approx(labels_per_photo, abs=0.005)
    assert mirflickr.PHOTOS - len(rows) == 419
