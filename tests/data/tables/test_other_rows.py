"""Rows that are no photos, and headers as people write them by hand."""

import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

ROWS = "a.jpg,1,0\nb.jpg,1,0\nc d.jpg,1,1\n"
TARGETS = [[1, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    "row",
    [
        "Total,3,1",
        "Summe,3,1",
        ",3,1",
        "sum of all,3,1",
        "Total,1,1",
        "by Ann in 2024",
        "1 = yes,,",
    ],
)
@pytest.mark.parametrize("place", ["above", "below"])
def test_totals_and_remarks_are_no_photos_and_are_told(write_csv, caplog, row, place):
    rows = f"{row}\n{ROWS}" if place == "above" else f"{ROWS}\n{row}\n"
    read = read_annotations(write_csv(f"image,dog,sky\n{rows}"))
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), TARGETS)
    assert f"1 line without a photo left out, such as '{row}'" in caplog.text


def test_the_same_where_photos_have_no_ending(write_csv):
    rows = ROWS.replace(".jpg", "")
    read = read_annotations(write_csv(f"photo;dog;sky\n{rows}Total,3,1\n".replace(",", ";")))
    assert read.targets.tolist() == TARGETS


@pytest.mark.parametrize("row", ["tot", "Total.jpg,1,0,1", "x.jpg,2,0", "old,dog,1"])
def test_other_rows_are_refused_as_before(write_csv, row):
    with pytest.raises(DataError, match=r"labels\.csv:5: expected"):
        read_annotations(write_csv(f"image,dog,sky\n{ROWS}{row}\n"), format="csv-columns")


def test_a_photo_that_is_called_as_a_total_stays(write_csv):
    write_csv("").with_name("total.jpg").touch()
    read = read_annotations(write_csv(f"image,dog,sky\n{ROWS}total.jpg,0,0\n"))
    assert read.targets.tolist() == [*TARGETS, [0, 0]]


@pytest.mark.parametrize(
    "header",
    [
        *("# x,dog,sky", "#,dog,sky", "# by Ann, in May\n# id,dog,sky", "# image,dog,sky"),
        *("Our photos, 2024\n\nimage,dog,sky", "Bild,dog,sky", "ファイル名,dog,sky"),
    ],
)
def test_headers_by_hand_name_the_labels(write_csv, header):
    read = read_annotations(write_csv(f"{header}\n{ROWS}"))
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), TARGETS)


@pytest.mark.parametrize("header", ["Bild", "nom du fichier", "имя файла", "文件名", "thing", ""])
def test_photos_without_endings_are_in_a_column_of_any_name(write_csv, header):
    rows = ROWS.replace(".jpg", "")
    read = read_annotations(write_csv(f"{header},dog,sky\n{rows}"))
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), TARGETS)


def test_a_comment_is_no_header_where_there_is_one(write_csv):
    read = read_annotations(write_csv(f"# Ann, Bob, and Cy\nimage,dog,sky\n{ROWS}"))
    assert read.names == ("dog", "sky")


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("image,labels", "a.jpg,dog,sky\nb.jpg,sky\nc d.jpg\n"),
        ("image,labels,", "a.jpg,dog,sky\nb.jpg,sky,\nc d.jpg,,\n"),
        ("image,labels,,", "a.jpg,dog,sky,\nb.jpg,sky,,\nc d.jpg,,,\n"),
        ("image,label,label", "a.jpg,dog,sky\nb.jpg,sky,\nc d.jpg,,\n"),
        ("image,label,label.1", "a.jpg,dog,sky\nb.jpg,sky,\nc d.jpg,,\n"),
        ("image,tag,tag 2", "a.jpg,dog,sky\nb.jpg,sky,\nc d.jpg,,\n"),
    ],
)
def test_labels_go_on_in_further_cells(write_csv, header, rows):
    read = read_annotations(write_csv(f"{header}\n{rows}"))
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 1], [0, 1], [0, 0]])


def test_a_row_that_goes_on_is_told(write_csv, caplog):
    caplog.set_level(logging.WARNING)
    read_annotations(write_csv("image,labels\na.jpg,dog,sky\nb.jpg,sky\n"))
    assert "1 line with more cells than the header: all from 'labels' on are labels" in caplog.text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("image,label\na.jpg,dog\n,sky\n", "got a blank cell: write the name in each row"),
        ("image,dog,sky\n,y/n,y/n\na.jpg,1,0\nb.jpg,0,1\nc d.jpg,0,0\n", "got 'y/n'"),
    ],
)
def test_what_a_person_can_mend_is_named(write_csv, content, what):
    with pytest.raises(DataError, match=what):
        read_annotations(write_csv(content))


def test_remarks_are_no_labels_beside_a_column_of_any_name(write_csv):
    read = read_annotations(
        write_csv("Bild,Was,Bemerkung\na.jpg,dog;sky,dark\nb.jpg,sky,blurred\n")
    )
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 1], [0, 1]])
