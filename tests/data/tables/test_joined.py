"""Tables whose first column joins photo and label."""

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

PHOTOS, LABELS = ("0a.jpg", "b_1.jpg"), ("x", "y", "z")
IDS = [f"{photo}_{label}" for photo in PHOTOS for label in LABELS]


def read(folder, header, cells, ids=IDS):
    lines = [f"{one},{cell}" for one, cell in zip(ids, cells, strict=True)]
    (folder / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    return read_annotations(folder / "rows.csv", labels_only=True)


def targets(annotations):
    return dict(zip(annotations.relative_names, annotations.targets.tolist(), strict=True))


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("ID,Label", "100110"),
        ("Image_Label,Label", ["1.0", "0.0", "0", "1", "1", "0"]),
        ("Image_Label,EncodedPixels", ["1 2", "", "", "7 8", "1 3", ""]),
        ("ImageId_ClassId,EncodedPixels", ["1 2", "", "", "7 8", "1 3", ""]),
    ],
)
def test_photo_and_label_are_told_apart_and_found_again(tmp_path, caplog, header, cells):
    with caplog.at_level("INFO"):
        found = read(tmp_path, header, cells)
    assert targets(found) == {"0a.jpg": [1, 0, 0], "b_1.jpg": [1, 1, 0]}
    assert (found.format, found.names) == ("csv-long", LABELS)
    assert f"photos and labels joined in {header.partition(',')[0]!r}" in caplog.text
    (tmp_path / "data.toml").write_text(found.origin.toml())
    again = read_annotations(tmp_path / "data.toml", labels_only=True)
    assert targets(again) == targets(found)


def test_rows_and_cells_may_be_missing_which_says_nothing(tmp_path):
    ids = [*IDS[:2], *IDS[4:]]
    found = read(tmp_path, "ID,Label", ["1", "", "0", "1"], ids)
    assert (found.format, found.names) == ("csv-long", LABELS)
    assert targets(found) == {"0a.jpg": [1, -1, -1], "b_1.jpg": [-1, 0, 1]}


def test_half_of_the_rows_may_be_missing_and_labels_may_have_the_mark(tmp_path):
    labels = ("any", "no_bleed", "x_bleed")
    every = [f"ID_{photo}_{label}" for photo in "abcde" for label in labels]
    found = read(tmp_path, "ID,Label", "10" * 4, every[::2])
    assert (found.names, found.relative_names[0]) == (labels, "ID_a")
    assert targets(found)["ID_a"] == [1, -1, 0]
    ids = [f"a_{photo}.jpg_{label}" for photo in "abc" for label in labels]
    assert read(tmp_path, "Image_Label,Present", "1" * 9, ids).names == labels


def test_rows_may_be_sorted_by_label(tmp_path):
    ids = [f"ID_{number:05}_{label}" for label in LABELS for number in range(12_000)]
    found = read(tmp_path, "ID,Label", "1" * len(ids), ids)
    assert (found.names, len(found)) == (LABELS, 12_000)


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("image,label", IDS),  # perhaps views of one photo
        ("ID,Label", [f"{photo}_{side}" for photo in PHOTOS for side in ("left", "right")]),
        ("ID,Label", [f"film_{number}" for number in range(6)]),
        ("ID,Label", [*IDS[:2], "0a.jpg_u", "b_1.jpg_v"]),
    ],
)
def test_names_of_photos_are_not_taken_apart(tmp_path, header, ids):
    names = read(tmp_path, header, ("1001101"[: len(ids)]), ids).paths
    assert [path.name for path in names] == ids


def test_the_pixels_of_objects_are_no_labels(tmp_path):
    rows = [f"0a.jpg,1 2,{label}" for label in ("6", "9")]
    (tmp_path / "rows.csv").write_text("\n".join(["ImageId,EncodedPixels,ClassId", *rows]))
    assert read_annotations(tmp_path / "rows.csv", labels_only=True).names == ("6", "9")
    (tmp_path / "rows.csv").write_text("ImageId,EncodedPixels\n0a.jpg,1 2\nb.jpg,\n")
    with pytest.raises(DataError, match=r"one column of labels .* got 'EncodedPixels'; name it"):
        read_annotations(tmp_path / "rows.csv", labels_only=True)
