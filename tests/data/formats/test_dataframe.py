from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

PHOTOS = ["a.jpg", "sub/b.jpg", "c.jpg"]
LISTS = [["dog", "cat"], [], ["dog"]]
TARGETS = [[1, 1], [0, 0], [0, 1]]


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "sub").mkdir()
    for photo in PHOTOS:
        (tmp_path / photo).touch()
    return tmp_path


@pytest.mark.parametrize(
    "labels",
    [
        LISTS,
        [tuple(labels) for labels in LISTS],
        [set(labels) for labels in LISTS],
        [np.array(labels, dtype=str) for labels in LISTS],
        ["dog; cat", "", "dog"],
        ["dog|cat", None, "dog"],
        ["dog,cat", np.nan, "dog"],
        ["['dog', 'cat']", "[]", "['dog']"],
    ],
)
def test_one_column_holds_lists_or_text_with_separators(photos, labels):
    frame = pd.DataFrame({"path": PHOTOS, "tags": labels})
    rows = read_annotations(frame, images=photos)
    assert rows.names == ("cat", "dog")
    assert rows.targets.tolist() == TARGETS
    assert rows.relative_names == tuple(PHOTOS)
    assert rows.splits is None
    assert rows.format == "dataframe"


@pytest.mark.parametrize(
    ("values", "targets"),
    [
        ([1, 0, -1], [1, 0, -1]),
        ([1.0, 0.0, np.nan], [1, 0, -1]),
        ([True, False, True], [1, 0, 1]),
        (pd.array([True, False, None], dtype="boolean"), [1, 0, -1]),
        (pd.array([1, 0, None], dtype="Int8"), [1, 0, -1]),
        (["1", "0", ""], [1, 0, -1]),
        (pd.Categorical(["1", "0", None]), [1, 0, -1]),
    ],
)
def test_a_column_for_each_label_holds_targets(photos, values, targets):
    frame = pd.DataFrame({"zebra": values, "image": PHOTOS, "ape": [0, 1, 0]}, index=[7, 7, 7])
    rows = read_annotations(frame, images=photos)
    assert rows.names == ("zebra", "ape")
    assert rows.targets[:, 0].tolist() == targets
    alone = read_annotations(frame.drop(columns="ape"), images=str(photos))
    assert alone.names == ("zebra",)


def test_a_frame_means_what_its_csv_file_means(photos):
    splits = ["train", "valid", "Testing"]
    frame = pd.DataFrame({"image": PHOTOS, "split": splits, "cat": [1, 0, None], "dog": [0, 1, 1]})
    frame.to_csv(photos / "labels.csv", index=False)
    file = read_annotations(str(photos / "labels.csv"))
    rows = read_annotations(frame, images=photos)
    assert rows.splits == file.splits == ("train", "val", "test")
    assert (rows.names, rows.paths, rows.root) == (file.names, file.paths, file.root)
    assert rows.hash() == file.hash()


def test_relative_paths_start_from_the_current_folder(photos, monkeypatch):
    monkeypatch.chdir(photos)
    rows = read_annotations(pd.DataFrame({"image": map(Path, PHOTOS), "labels": LISTS}))
    assert rows.paths == tuple(photos / photo for photo in PHOTOS)


def test_absolute_paths_need_no_folder(photos):
    paths = [photos / photo for photo in PHOTOS]
    rows = read_annotations(pd.DataFrame({"image": paths, "labels": LISTS}))
    assert rows.paths == tuple(paths)
    assert rows.root == photos


def test_annotations_pass_through(photos):
    rows = read_annotations(pd.DataFrame({"image": PHOTOS, "labels": LISTS}), images=photos)
    assert read_annotations(rows) is rows
    assert read_annotations(rows, unlabelled="drop").paths == (rows.paths[0], rows.paths[2])


def test_the_format_can_be_chosen(photos):
    frame = pd.DataFrame({"image": PHOTOS, "year": ["1", "0", "1"]})
    assert read_annotations(frame, images=photos).names == ("year",)
    assert read_annotations(frame, images=photos, format="csv-list").names == ("0", "1")


def frame_of(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"image": ["a.jpg", "b.jpg"]} | columns)


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        (pd.DataFrame({"name": ["a.jpg"]}), {}, r"the DataFrame: expected .* 'image' .*\['name'\]"),
        (frame_of(), {}, "the DataFrame: expected one column of labels"),
        (frame_of(cat=[1, 0], dog=[0, 2]), {}, "the DataFrame, row 1: .*column 'dog', got '2'"),
        (frame_of(cat=[1, 0], dog=["x"] * 2), {}, "DataFrame, row 0: .*'dog', got 'x'; a list of"),
        (frame_of(labels=[["x"], [3]]), {}, "DataFrame, row 1: expected a list of .*, got 3 in it"),
        (frame_of(labels=["x", "y"], split=["train", None]), {}, "row 1: expected the split .*''"),
        (pd.DataFrame({"image": ["../a.jpg"], "labels": ["x"]}), {}, "row 0: .* inside the folder"),
        (pd.DataFrame({"image": ["/a\x1b"], "labels": ["x"]}), {}, "row 0: .* inside the folder"),
        (pd.DataFrame({"image": [None], "labels": ["x"]}), {}, "row 0: expected a photo's path"),
        (pd.DataFrame({"image": ["a"] * 2, "labels": ["x", "y"]}), {}, "row 1: .* row 0 differs"),
        (
            frame_of(labels=["x", "y"]),
            {},
            "the photos of the DataFrame, found none of 2: .*`images`",
        ),
        (
            frame_of(labels=["x", "y"]),
            {"format": "coco"},
            "`format` to be 'csv-columns' or .*'coco'",
        ),
        (["a.jpg"], {}, "labels as a path, a pandas DataFrame or Annotations, got a list"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, labels, arguments, message):
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(labels, images=tmp_path, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [{"images": "."}, {"format": "csv-list"}])
def test_annotations_are_not_read_again(arguments):
    rows = Annotations(("x",), (Path("a.jpg"),), torch.ones(1, 1), None, "csv-list")
    with pytest.raises(DataError, match="neither `images` nor `format` with Annotations"):
        read_annotations(rows, **arguments)
