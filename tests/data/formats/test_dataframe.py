from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

PHOTOS = ["a.jpg", "sub/b.jpg", "c.jpg"]
LISTS = [["dog", "cat"], [], ["dog"]]


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
    rows = read_annotations(pd.DataFrame({"path": PHOTOS, "tags": labels}), images=photos)
    assert (rows.format, rows.names, rows.splits) == ("dataframe", ("cat", "dog"), None)
    assert rows.targets.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert rows.relative_names == tuple(PHOTOS)


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
    assert (rows.names, rows.targets[:, 0].tolist()) == (("zebra", "ape"), targets)
    alone = read_annotations(frame.drop(columns="ape"), images=str(photos))
    assert alone.names == ("zebra",)


def test_a_frame_means_what_its_csv_file_means(photos):
    splits = ["train", "valid", "Testing"]
    frame = pd.DataFrame({"image": PHOTOS, "split": splits, "cat": [1, 0, None], "dog": [0, 1, 1]})
    frame.to_csv(photos / "labels.csv", index=False)
    file = read_annotations(str(photos / "labels.csv"))
    rows = read_annotations(frame, images=photos)
    assert rows.splits == file.splits == ("train", "val", "test")
    assert (rows.paths, rows.root, rows.hash()) == (file.paths, file.root, file.hash())


def test_relative_paths_start_from_the_current_folder_and_absolute_ones_need_none(
    photos, monkeypatch
):
    paths = tuple(photos / photo for photo in PHOTOS)
    rows = read_annotations(pd.DataFrame({"image": paths, "labels": LISTS}))
    assert (rows.paths, rows.root) == (paths, photos)
    monkeypatch.chdir(photos)
    frame = pd.DataFrame({"image": map(Path, PHOTOS), "labels": LISTS})
    assert read_annotations(frame).paths == paths


def test_annotations_pass_through(photos):
    rows = read_annotations(pd.DataFrame({"image": PHOTOS, "labels": LISTS}), images=photos)
    assert read_annotations(rows) is rows
    assert read_annotations(rows, options=ReadOptions(unlabelled="drop")).paths == (
        rows.paths[0],
        rows.paths[2],
    )
    for arguments in ({"images": "."}, {"format": "csv-list"}):
        with pytest.raises(DataError, match="neither `images` nor `format` with Annotations"):
            read_annotations(rows, **arguments)


def test_the_format_can_be_chosen(photos):
    frame = pd.DataFrame({"image": PHOTOS, "year": ["1", "0", "1"]})
    assert read_annotations(frame, images=photos).names == ("year",)
    assert read_annotations(frame, images=photos, format="csv-list").names == ("0", "1")


TWO = {"image": ["a.jpg", "b.jpg"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": ["a"]}, "the DataFrame: expected .* 'image' .* got 'x'"),
        (TWO, "the DataFrame: expected one column of labels"),
        (TWO | {"cat": [1, 0], "dog": [0, 2]}, "DataFrame, row 1: .*column 'dog', got '2'"),
        (TWO | {"cat": ["p", "q"], "dog": ["p", "p"]}, "got 'cat', 'dog'; name it with `labels_"),
        (TWO | {"labels": [["x"], [3]]}, "DataFrame, row 1: expected a list of .*, got 3 in it"),
        (TWO | {"labels": ["x", "y"], "split": ["train", None]}, "row 1: expected the split .*''"),
        ({"image": ["b/../a.jpg"], "labels": ["x"]}, "row 0: .* inside the folder"),
        ({"image": ["/a\x1b"], "labels": ["x"]}, "row 0: .* without control characters, .* rename"),
        ({"image": [None], "labels": ["x"]}, "row 0: expected a photo"),
        ({"image": ["a", "a"], "labels": ["x;y", "y"]}, "row 1: .* row 0 differs"),
        (TWO | {"labels": ["x", "y"]}, "photos of the DataFrame, found none of 2: .*`images`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, columns, message):
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(pd.DataFrame(columns), images=tmp_path)
    assert "\n" not in str(caught.value)


def test_other_formats_and_kinds_of_labels_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"`format` to be one of \['csv-columns', .*'coco'"):
        read_annotations(pd.DataFrame(TWO), images=tmp_path, format="coco")
    with pytest.raises(DataError, match="a path, a pandas DataFrame or Annotations, got a list"):
        read_annotations(["a.jpg"], images=tmp_path)


def test_photos_may_be_the_index_and_columns_have_several_levels():
    frame = pd.DataFrame({"cat": [1, 0], "dog": [0, 1]}, index=["a.jpg", "b.jpg"])
    levels = pd.MultiIndex.from_tuples([("image", ""), ("label", "cat"), ("label", "dog")])
    deep = frame.reset_index().set_axis(levels, axis=1)
    for one in (frame, deep):
        rows = read_annotations(one, labels_only=True)
        assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 0], [0, 1]])
        assert rows.relative_names == ("a.jpg", "b.jpg")
