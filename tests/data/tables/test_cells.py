"""Cells with labels, in the ways in which people and programs write several of them."""

import csv
import io

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def table(*cells: str, column: str = "labels") -> str:
    """A CSV with a photo for each cell."""
    text = io.StringIO()
    rows = [("image", column), *((f"{number}.jpg", cell) for number, cell in enumerate(cells))]
    csv.writer(text).writerows(rows)
    return text.getvalue()


def labels_of(file) -> list[set[str]]:
    rows = read_annotations(file, labels_only=True)
    return [
        {name for name, is_there in zip(rows.names, row, strict=True) if is_there == 1}
        for row in rows.targets.tolist()
    ]


@pytest.mark.parametrize(
    "mark",
    [*"\uff1b\uff0c\u3001\uff5c\u2022\t", " / ", " & ", " and ", "  ", " \uff1b ", "::"],
)
def test_marks_of_other_keyboards_separate_labels(write_csv, mark):
    file = write_csv(table(f"red{mark}blue", "red", f"blue{mark}green", "green"))
    assert labels_of(file) == [{"red", "blue"}, {"red"}, {"blue", "green"}, {"green"}]


@pytest.mark.parametrize("mark", ["_", "-", ":", ".", "~", "\\"])
def test_marks_that_names_have_are_told_and_do_not_separate(write_csv, caplog, mark):
    cells = f"red{mark}blue", "red", f"blue{mark}green", "green"
    file = write_csv(table(*cells))
    assert labels_of(file) == [{cell} for cell in cells]
    assert f"labels may be separated by {mark!r}" in caplog.text
    told = Columns(separator=mark)
    assert read_annotations(file, labels_only=True, options=ReadOptions(columns=told)).names == (
        "blue", "green", "red",
    )  # fmt: skip


def test_numbers_with_blanks_between_them_are_several_labels(write_csv):
    assert labels_of(write_csv(table("16 0", "7 1", "5"))) == [{"16", "0"}, {"7", "1"}, {"5"}]


def test_words_that_move_about_in_their_cells_are_told(write_csv, caplog):
    cells = "haze primary", "clear primary water", "primary clear"
    assert len(labels_of(write_csv(table(*cells)))) == 3
    assert "labels may be separated by spaces" in caplog.text


BLANKS = ("red sky", "sky red", "red sea", "red", "sea", "sky", "hill")


@pytest.mark.parametrize("name", ["", "once"])
def test_blanks_separate_words_that_are_all_labels_alone(write_csv, caplog, name):
    cells = [*BLANKS, *filter(None, [name])]
    assert labels_of(write_csv(table(*cells))) == [{*cell.split()} for cell in cells]
    assert "labels are taken to be separated by spaces, such as 'red sky'" in caplog.text
    rows = "".join(f"{number}.jpg: {cell}\n" for number, cell in enumerate(cells))
    assert labels_of(write_csv(rows)) == [{*cell.split()} for cell in cells]


@pytest.mark.parametrize("names", [["polar bear", "brown bear", "bear"], ["sea lion"]])
def test_names_of_several_words_stay_whole_if_they_are_not_all_labels_alone(write_csv, names):
    cells = ["red", "sea", "lion", *names, "hill"]
    assert labels_of(write_csv(table(*cells))) == [{cell} for cell in cells]


@pytest.mark.parametrize(
    "cell",
    [
        "{red,sea side}", "{'red', 'sea side'}", "[red, sea side]", "[u'red', u'sea side']",
        "array(['red', 'sea side'], dtype=object)", "Index(['red', 'sea side'], dtype='object')",
        "np.array(['red', 'sea side'])", "[np.str_('red'), np.str_('sea side')]",
        "frozenset({'red', 'sea side'})", "list(['red', 'sea side'])", "set(['red', 'sea side'])",
        '[""red"", ""sea side""]', "['red', nan, 'sea side']", '["red", null, "sea side"]',
        r'["red", "sea\u0020side"]', "'red', 'sea side'", '"red";"sea side"',
        "{'red': 1, 'sea side': True, 'sky': 0}", '{"red": true, "sky": false, "sea side": 1.0}',
        '[{"id": 3, "name": "red"}, {"name": "sea side"}]',
        "[{'label': 'red'}, {'label': 'sea side'}]",
    ],
)  # fmt: skip
def test_lists_are_read_in_every_notation(write_csv, cell):
    alone = cell.replace("sea side", "red").replace(r"sea\u0020side", "red")
    assert labels_of(write_csv(table(cell, alone))) == [{"red", "sea side"}, {"red"}]


@pytest.mark.parametrize("cell", ["", "[]", "set()", "frozenset()", "nan", "None", "NULL", "[nan]"])
def test_an_empty_list_has_no_label(write_csv, cell):
    assert labels_of(write_csv(table("['red']", cell))) == [{"red"}, set()]


@pytest.mark.parametrize("mark", ["->", "=>", "=", "|", ":", "-", "\u2013", ";", "?", "\u2192"])
def test_what_has_no_letter_or_digit_is_no_label_and_is_told_once(write_csv, caplog, mark):
    rows = f"a.jpg {mark} red\nb.jpg {mark} \U0001f436\n"
    assert labels_of(write_csv(rows)) == [{"red"}, {"\U0001f436"}]
    assert labels_of(write_csv(f"image,label,conf\na.jpg,{mark},1\na.jpg,red,1\n")) == [{"red"}]
    assert caplog.text.count("without a letter or a digit: no label") <= 2
    with pytest.raises(DataError, match="labels with a letter or a digit, got only '\\*'"):
        labels_of(write_csv("image,labels\na.jpg,*\n"))


def test_quotation_marks_within_labels_stay(write_csv):
    cells = """["it's", "5\\" nail"]""", "['dog''s', 'cat']"
    assert labels_of(write_csv(table(*cells))) == [{"it's", '5" nail'}, {"dog's", "cat"}]


@pytest.mark.parametrize("header", ["image,labels", "'image','labels'"])
@pytest.mark.parametrize("mark", ",;")
def test_apostrophes_around_cells_are_quotation_marks(write_csv, header, mark):
    rows = [header, f"'a.jpg','red{mark} it''s'", "'b.jpg','red'", "", "'c.jpg',''"]
    assert labels_of(write_csv("\n".join(rows))) == [{"red", "it's"}, {"red"}, set()]


def test_apostrophes_elsewhere_are_part_of_names(write_csv):
    assert labels_of(write_csv("image,labels\n'tis.jpg,dog's\nb.jpg,'red'\n")) == [
        {"dog's"},
        {"'red'"},
    ]


@pytest.mark.parametrize("column", ["labels", "label"])
def test_numbers_that_a_table_made_floats_of_are_whole(write_csv, column):
    file = write_csv(table("3.0", "17.0", "", column=column))
    assert labels_of(file) == [{"3"}, {"17"}, set()]
    long = "image,label\na.jpg,3.0\na.jpg,17\nb.jpg,3\n"
    assert labels_of(write_csv(long)) == [{"3", "17"}, {"3"}]
    assert labels_of(write_csv(table("3.0", "3.5"))) == [{"3.0"}, {"3.5"}]


def test_each_column_is_separated_in_its_own_way(write_csv):
    file = write_csv("image,main,others\na.jpg,red,\"['sea', 'sky']\"\nb.jpg,sky,[]\n")
    columns = Columns(label_columns=("main", "others"))
    rows = read_annotations(file, labels_only=True, options=ReadOptions(columns=columns))
    assert (rows.names, rows.targets.tolist()) == (("red", "sea", "sky"), [[1, 1, 1], [0, 0, 1]])


def test_rows_of_one_photo_may_have_several_labels_each(write_csv):
    file = write_csv("image,label\na.jpg,red\na.jpg,blue|green\nb.jpg,red\n")
    rows = read_annotations(file, format="csv-long", labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("blue", "green", "red"), [[1, 1, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    "names", ["0 red\n1 sea side\n", "1: red\n2: sea side\n", "red\nsea side\n"]
)
def test_names_beside_a_table_may_be_numbered(write_csv, tmp_path, names):
    (tmp_path / "label_list.txt").write_text(names)
    rows = read_annotations(write_csv("a.jpg\t1,0\nb.jpg\t0,1\n"), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("red", "sea side"), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("red\nsea side\nsky\n", "a.jpg\t0,1\nb.jpg\t1\n"),
        ("1 red\n2 sea side\n3 sky\n", "a.jpg 1 2\nb.jpg 2\n"),
        ("red\nsea side\n", "image,label\na.jpg,1\na.jpg,2\nb.jpg,2\n"),
    ],
)
def test_numbers_are_labels_by_the_names_beside_a_table(write_csv, tmp_path, caplog, names, rows):
    caplog.set_level("INFO")
    (tmp_path / "classes.txt").write_text(names)
    found = read_annotations(write_csv(rows), labels_only=True)
    assert (found.names, found.targets.tolist()) == (("red", "sea side"), [[1, 1], [0, 1]])
    assert "names of the labels, by their numbers, from" in caplog.text


def test_numbers_without_a_file_of_their_names_stay_numbers(write_csv, tmp_path):
    (tmp_path / "classes.txt").write_text("red\nsea side\n")
    assert read_annotations(
        write_csv("image,label\na.jpg,1\nb.jpg,17\n"), labels_only=True
    ).names == ("1", "17")


@pytest.mark.parametrize("mark", [" / ", "+", " & ", " and ", " ", "#"])
def test_labels_of_a_small_collection_are_separated(write_csv, mark):
    """One label, the sofa, is in a single cell; the others recur in other company."""
    cells = (
        "dog+person+sofa",
        "dog+car",
        "car+person",
        "cat+person",
        "cat+car",
        "cat+dog",
        "dog",
        "cat",
    )
    rows = "".join(f"{n}.jpg,{cell.replace('+', mark)}\n" for n, cell in enumerate(cells))
    read = read_annotations(write_csv(f"image,labels\n{rows}"), labels_only=True)
    assert read.names == ("car", "cat", "dog", "person", "sofa")
    assert read.targets.sum(1).tolist() == [cell.count("+") + 1 for cell in cells]


@pytest.mark.parametrize("mark", ["/", "+", "&", " and "])
def test_marks_that_may_separate_are_told(write_csv, caplog, mark):
    cells = ("dog+sofa", "dog+car", "cow", "dog")
    rows = "".join(f"{n}.jpg,{cell.replace('+', mark)}\n" for n, cell in enumerate(cells))
    assert read_annotations(write_csv(f"image,labels\n{rows}"), labels_only=True).names[0] == "cow"
    assert "`separator` decides" in caplog.text


@pytest.mark.parametrize("cell", ["#dog #sky", "#dog#sky", '"#dog, #sky"', "#dog;#sky"])
def test_hashtags_are_labels_without_their_marks(write_csv, cell):
    rows = read_annotations(write_csv(f"image,labels\na.jpg,{cell}\nb.jpg,#sky\nc d.jpg,\n"))
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 1], [0, 1], [0, 0]])


def test_labels_in_brackets_follow_a_photo(write_csv):
    for text in ("a.jpg (dog, sky)\nb.jpg (sky)\n", "a.jpg [dog, sky]\nb.jpg [sky]\nc d.jpg []\n"):
        rows = read_annotations(write_csv(text))
        assert (rows.names, rows.targets.tolist()[:2]) == (("dog", "sky"), [[1, 1], [0, 1]])


def test_numbers_are_named_by_a_list_of_synsets(write_csv, tmp_path):
    """As Datumaro writes beside its lists of ImageNet's form."""
    (tmp_path / "synsets.txt").write_text("cow\ndog\nsky\n")
    rows = read_annotations(write_csv("image,label\na.jpg,0\nb.jpg,2\nc d.jpg,1\n"))
    assert rows.names == ("cow", "dog", "sky")
