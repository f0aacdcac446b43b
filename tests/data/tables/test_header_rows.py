"""Headers of several rows, as pandas and spreadsheets write groups of columns."""

import logging

import pandas
import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

ROWS = "a.jpg,1,0,1\nb.jpg,0,1,0\n"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",animals,animals,scene\nimage,dog,cat,sky\n", ("dog", "cat", "sky")),
        (",animals,animals,scene\n,dog,cat,sky\nimage,,,\n", ("dog", "cat", "sky")),
        (",animals,,scene\nimage,dog,cat,sky\n", ("dog", "cat", "sky")),
        ("image,animals,animals,scene\n,dog,cat,sky\n", ("dog", "cat", "sky")),
        (",a,a,p\nimage,other,cat,other\n", ("a/other", "cat", "p/other")),
        ("Our photos,,,\n,animals,,scene\nimage,dog,cat,sky\n", ("dog", "cat", "sky")),
        ("Kind,red,red,blue\nimage,dog,cat,sky\n", ("dog", "cat", "sky")),
        (",x,x,y\n,k,k,k\nimage,dog,cat,sky\n", ("dog", "cat", "sky")),
    ],
    ids=range(8),
)
def test_the_lowest_row_names_the_labels(write_csv, caplog, header, names):
    caplog.set_level(logging.INFO)
    rows = read_annotations(write_csv(header + ROWS), labels_only=True)
    assert (rows.format, rows.names) == ("csv-columns", names)
    assert rows.targets.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert "header in lines " in caplog.text


@pytest.mark.parametrize("index_name", ["image", None])
def test_what_pandas_writes_of_two_levels_is_read(tmp_path, index_name):
    columns = pandas.MultiIndex.from_tuples([("animals", "dog"), ("animals", "cat")])
    index = pandas.Index(["a.jpg", "b.jpg"], name=index_name)
    file = tmp_path / "labels.csv"
    pandas.DataFrame([[1, 0], [0, 1]], index=index, columns=columns).to_csv(file)
    rows = read_annotations(file, labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("dog", "cat"), [[1, 0], [0, 1]])


def test_a_row_of_values_is_no_header(write_csv):
    for content, names in (
        ("image,dog,cat\nfoo,1,0\na.jpg,0,1\n", ("dog", "cat")),
        ("image,labels\nfoo,dog\na.jpg,cat\n", ("cat", "dog")),
        ("image,labels\nimage,labels\na.jpg,cat\n", ("cat",)),
    ):
        assert read_annotations(write_csv(content), labels_only=True).names == names


def test_groups_that_do_not_name_the_photos_are_refused(write_csv):
    with pytest.raises(DataError, match="a header of different names"):
        read_annotations(write_csv(",animals,animals\n7,1,0\n8,0,1\n"), labels_only=True)
