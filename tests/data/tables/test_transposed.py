"""Tables with a row for each label: a column for each photo, or a list of its photos."""

import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

TARGETS = {"a.jpg": {"dog"}, "b.jpg": {"dog", "sky"}, "c d.jpg": set()}


def present(annotations):
    rows = zip(annotations.paths, annotations.targets.tolist(), strict=True)
    return {
        path.name: {name for name, it in zip(annotations.names, row, strict=True) if it == 1}
        for path, row in rows
    }


@pytest.mark.parametrize("first", ["label", "image", "", "Labels / photos"])
@pytest.mark.parametrize(
    ("mark", "yes", "no"), [(",", "1", "0"), (";", "x", ""), ("\t", "ja", "nein")]
)
def test_a_column_for_each_photo_says_the_same_as_a_row(write_csv, first, mark, yes, no):
    rows = (
        (first, *TARGETS),
        *(
            (label, *(yes if label in it else no for it in TARGETS.values()))
            for label in ("sky", "dog")
        ),
    )
    text = "\n".join(map(mark.join, rows))
    read = read_annotations(write_csv(text))
    assert present(read) == TARGETS
    assert sorted(read.targets.unique().tolist()) == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "image,a.jpg,b.jpg,c d.jpg,\ndog,1,1,0,\n,,,,\nsky,0,1,0,\n",
        '"image","a.jpg","b.jpg","c d.jpg"\n"dog",1,1,0\n"sky",0,1,0\n',
        "# mine\nimage,a.jpg,b.jpg,c d.jpg\n\ndog,1,1,0\nsky,0,1,0\n",
        "image,a.jpg,b.jpg,c d.jpg\nlabels,dog,dog;sky,\n",
    ],
)
def test_forms_of_a_column_for_each_photo(write_csv, text):
    assert present(read_annotations(write_csv(text))) == TARGETS


def test_a_row_of_splits_and_a_column_of_totals_beside_photos(write_csv, caplog):
    caplog.set_level(logging.INFO)
    text = "x,a.jpg,b.jpg,c d.jpg,total\nsplit,train,test,val,\ndog,1,1,0,2\nsky,0,1,0,1\n"
    read = read_annotations(write_csv(text))
    assert (present(read), read.splits) == (TARGETS, ("train", "test", "val"))
    assert "1 column without a photo left out, such as 'total'" in caplog.text
    assert "a column for each photo" in caplog.text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x,a.jpg,b.jpg\ndog,1,0\nsky,1\n", r"csv:3: expected 3 cells as in the first row, got 2"),
        ("x,a.jpg,b.jpg\ndog,1,0\nsky,1,0,1\n", r"csv:3: expected 3 cells .* got 4"),
        ("x,a.jpg,b.jpg\ndog,1,0\nsky,1,maybe\n", "'maybe'"),
        ("x,a.jpg,a.jpg\ndog,1,0\nsky,1,0\n", "column 3: expected 'a.jpg' once"),
    ],
)
def test_what_is_wrong_in_columns_of_photos_is_named(write_csv, text, what):
    with pytest.raises(DataError, match=what):
        read_annotations(write_csv(text))


@pytest.mark.parametrize(
    "text",
    [
        "dog,a.jpg,b.jpg\nsky,b.jpg\n",
        "dog;a.jpg;b.jpg\nsky;b.jpg;\n",
        "dog: a.jpg, b.jpg\nsky: b.jpg\n",
        "dog: a.jpg b.jpg\nsky: b.jpg\n",
        "dog a.jpg b.jpg\nsky b.jpg\n",
        "dog\ta.jpg, b.jpg\nsky\tb.jpg\ncow\t\n",
        'dog,"a.jpg, b.jpg"\nsky,b.jpg\n',
        "label,photos\ndog,a.jpg;b.jpg\nsky,b.jpg\n",
        'photos,label\n"a.jpg, b.jpg",dog\nb.jpg,sky\n',
    ],
)
def test_a_line_with_the_photos_of_a_label(write_csv, text, caplog):
    caplog.set_level(logging.INFO)
    read = read_annotations(write_csv(text))
    assert present(read) == {name: it for name, it in TARGETS.items() if it}
    assert "each line lists the photos of a label" in caplog.text


@pytest.mark.parametrize(
    "text", ["dog,a.jpg\nsky,a.jpg\ndog,b.jpg\n", "0,a.jpg,b.jpg\n1,b.jpg,a.jpg\n"]
)
def test_pairs_are_no_lists_of_photos(write_csv, text, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(DataError) if text[0] == "0" else caplog.at_level(logging.INFO):
        read_annotations(write_csv(text))
    assert "each line lists" not in caplog.text


def test_a_line_without_a_label_is_named(write_csv):
    rows = "".join(f"l{number},a.jpg,b.jpg\n" for number in range(20_000))
    with pytest.raises(DataError, match=r"csv:20001: expected a label and its photos, got"):
        read_annotations(write_csv(f"{rows}a.jpg,b.jpg\n"))
