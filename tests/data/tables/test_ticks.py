"""Tables in which people tick what is present, or write a digit for each label in one cell."""

import json
import logging

import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.rules.rules import LabelRules
from tagsight.errors import DataError


def table(*rows: str) -> str:
    photos = ("a.jpg", "b.jpg", "c d.jpg")
    lines = [f"{photo},{row}" for photo, row in zip(photos, rows, strict=False)]
    return "\n".join(["image,dog,cat", *lines, ""])


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        (("x,", ",x", "x,X"), [[1, 0], [0, 1], [1, 1]]),
        (("X,", ",X", ","), [[1, 0], [0, 1], [0, 0]]),
        (("\u2713,", ",\u2714\ufe0f", "\u2713,\u2713"), [[1, 0], [0, 1], [1, 1]]),
        (("\u2713,\u2717", "\u2717,\u2713", ",\u2713"), [[1, 0], [0, 1], [-1, 1]]),
        (("\u2713,x", "x,\u2713", ",\u2713"), [[1, 0], [0, 1], [-1, 1]]),
        (("\u25cb,\u00d7", "\u00d7,\u25cb", "\u25cb,\u25cb"), [[1, 0], [0, 1], [1, 1]]),
        (("\u00d7,", ",\u00d7", ","), [[1, 0], [0, 1], [0, 0]]),
        (("\u2611,\u2610", "\u2610,\u2611", ",\u2611"), [[1, 0], [0, 1], [-1, 1]]),
        (("x,-", "-,x", "x,x"), [[1, 0], [0, 1], [1, 1]]),
        (("x,?", "?,x", ","), [[1, -1], [-1, 1], [0, 0]]),
        (("yes,", ",yes", ","), [[1, 0], [0, 1], [0, 0]]),
        (("Ja,", ",ja", ","), [[1, 0], [0, 1], [0, 0]]),
        (("yes,", "no,yes", ","), [[1, -1], [0, 1], [-1, -1]]),
        (("yes,no", "no,yes", ","), [[1, 0], [0, 1], [-1, -1]]),
        (("x,1", ",0", "x,"), [[1, 1], [0, 0], [1, -1]]),
        (("1,", ",1", ","), [[1, -1], [-1, 1], [-1, -1]]),
    ],
    ids=range(16),
)
def test_a_blank_beside_ticks_is_absent_unless_others_say_no(write_csv, rows, targets):
    read = read_annotations(write_csv(table(*rows)), labels_only=True)
    assert (read.format, read.names) == ("csv-columns", ("dog", "cat"))
    assert read.targets.tolist() == targets


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        *(("T", "F"), ("t", "f"), ("Y", "N"), ("true", "FALSE"), ("positive", "Negative")),
        *(("pos", "neg"), ("present", "absent"), ("+", "-"), ("oui", "non"), ("J", "N")),
        *(("ja", "nein"), ("ja", "nee"), ("s\u00ed", "no"), ("S", "N"), ("sim", "n\u00e3o")),
        *(("\u0434\u0430", "\u043d\u0435\u0442"), ("\u662f", "\u5426"), ("vrai", "faux")),
    ],
)
def test_words_in_pairs_say_what_is_present_and_absent(write_csv, caplog, yes, no):
    caplog.set_level(logging.INFO)
    read = read_annotations(
        write_csv(table(f"{yes},{no}", f"{no},{yes.upper()}", f",{no}")), labels_only=True
    )
    assert (read.names, read.targets.tolist()) == (("dog", "cat"), [[1, 0], [0, 1], [-1, 0]])
    known = {"y", "true", "oui", "vrai"}
    is_told = f"{yes.lower()!r} read as present, {no.lower()!r} as absent" in caplog.text
    assert is_told == (yes.lower() not in known and no != "nein")


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("T", "F"), ("positive", "Negative")])
def test_words_in_records_say_what_is_present_and_absent(tmp_path, yes, no):
    rows = [{"dog": yes, "cat": no}, {"dog": no, "cat": yes}, {"dog": None, "cat": no}]
    photos = [f"{name}.jpg" for name in "abc"]
    file = tmp_path / "rows.jsonl"
    for records in (
        [{"image": photo, **row} for photo, row in zip(photos, rows, strict=True)],
        [{"image": photo, "labels": row} for photo, row in zip(photos, rows, strict=True)],
    ):
        file.write_text("\n".join(map(json.dumps, records)))
        read = read_annotations(file, labels_only=True)
        assert (read.names, read.targets.tolist()) == (("dog", "cat"), [[1, 0], [0, 1], [-1, 0]])


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [("result", "positive", "negative"), ("value", "T", "F"), ("status", "Present", "Absent")],
)
def test_words_of_pairs_say_so_of_the_label_of_a_row(write_csv, tmp_path, column, yes, no):
    rows = [("a.jpg", "flu", yes), ("a.jpg", "cold", no), ("b.jpg", "flu", no)]
    table = write_csv("\n".join(map(",".join, [("image", "label", column), *rows])))
    lines = tmp_path / "rows.jsonl"
    records = [dict(zip(("image", "label", column), row, strict=True)) for row in rows]
    lines.write_text("\n".join(map(json.dumps, records)))
    for file in (table, lines):
        read = read_annotations(file, labels_only=True)
        assert (read.names, read.targets.tolist()) == (("cold", "flu"), [[0, 1], [-1, 0]])


def test_rows_that_contradict_each_other_are_told(write_csv, caplog):
    rows = "a.jpg,dog,1\na.jpg,dog,0\nb.jpg,dog,0\nb.jpg,cat,1\n"
    read_annotations(write_csv(f"image,label,present\n{rows}"), labels_only=True)
    assert "rows of the same photo contradict each other on 1 label: present" in caplog.text


def test_words_of_pairs_that_may_be_labels_are(write_csv):
    for content in (
        "image,label\na.jpg,positive\nb.jpg,negative\n",
        "image,mood\na.jpg,positive\nb.jpg,negative\nc d.jpg,neutral\n",
        "image,hemisphere\na.jpg,N\nb.jpg,S\n",
    ):
        assert len(read_annotations(write_csv(content), labels_only=True).names) > 1


@pytest.mark.parametrize("rows", [("positive,0", "1,1", "0,0"), ("T,F", "F,T", "1,F")])
def test_pairs_beside_other_targets_in_a_column_are_refused(write_csv, rows):
    with pytest.raises(DataError, match=r":[234]: expected .* column 'dog', .*got '.*`ignore`"):
        read_annotations(write_csv(table(*rows)), labels_only=True)


def test_a_single_column_of_ticks_is_a_label_and_no_list_of_one(write_csv, caplog):
    caplog.set_level(logging.INFO)
    read = read_annotations(write_csv("image,dog\na.jpg,x\nb.jpg,\n"), labels_only=True)
    assert (read.names, read.targets.tolist()) == (("dog",), [[1], [0]])
    assert "marks say what is present; 1 cell without one: absent" in caplog.text


def test_a_table_of_1_and_blanks_says_how_blanks_become_absent(write_csv, caplog):
    file = write_csv(table("1,", ",1"))
    read_annotations(file, labels_only=True)
    assert "no cell says 0" in caplog.text
    assert "`unlisted=absent`" in caplog.text
    rules = LabelRules(unlisted="absent")
    rows = read_annotations(file, labels_only=True, options=ReadOptions(rules=rules))
    assert rows.targets.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("x,\u2717", ",x"), "marks of one kind, got '[xX]' and '.'; write 1 and 0"),
        (("x,0", "1,x", "0,x"), "in the column 'dog', got both"),
    ],
)
def test_marks_with_two_meanings_are_refused(write_csv, rows, message):
    with pytest.raises(DataError, match=message):
        read_annotations(write_csv(table(*rows)), labels_only=True)


BITS = "image,labels\na.jpg,101\nb.jpg,010\nc d.jpg,111\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", BITS),
        (
            "labels.jsonl",
            '{"image": "a.jpg", "labels": "101"}\n{"image": "b.jpg", "labels": "010"}\n'
            '{"image": "c d.jpg", "labels": "111"}\n',
        ),
    ],
)
def test_a_digit_for_each_label_needs_their_names(tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(DataError, match="the names of 3 labels, or a file beside"):
        read_annotations(file, labels_only=True)
    (tmp_path / "classes.txt").write_text("dog\ncat\nsky\n")
    rows = read_annotations(file, labels_only=True)
    assert rows.names == ("dog", "cat", "sky")
    assert rows.targets.tolist() == [[1, 0, 1], [0, 1, 0], [1, 1, 1]]


def test_digits_without_their_first_zeros_are_refused(write_csv, tmp_path):
    (tmp_path / "classes.txt").write_text("dog\ncat\nsky\n")
    file = write_csv("image,labels\na.jpg,101\nb.jpg,10\nc d.jpg,111\n")
    with pytest.raises(DataError, match="got '10' and '111', as if a program had dropped zeros"):
        read_annotations(file, labels_only=True)
    rows = read_annotations(file, labels_only=True, format="csv-list")
    assert rows.names == ("10", "101", "111")


def test_numbers_of_classes_are_labels(write_csv):
    for cells in (("10", "11", "10"), ("1", "0", "1"), ("100", "101", "102")):
        rows = zip(("a.jpg", "b.jpg", "c d.jpg"), cells, strict=True)
        content = "".join(f"{photo},{cell}\n" for photo, cell in rows)
        read = read_annotations(write_csv(f"image,labels\n{content}"), labels_only=True)
        assert read.names == tuple(sorted(set(cells)))


def test_the_name_of_its_column_is_a_mark(write_csv):
    rows = read_annotations(write_csv("image,dog,Sky\na.jpg,dog,\nb.jpg,Dog,sky\nc d.jpg,,\n"))
    assert (rows.names, rows.targets.tolist()) == (("dog", "Sky"), [[1, 0], [1, 1], [0, 0]])


def test_scores_are_named_as_what_they_may_be(write_csv):
    with pytest.raises(DataError, match="of scores or counts, write 1 for present"):
        read_annotations(write_csv("image,dog,sky\na.jpg,0.9,0.1\nb.jpg,0.2,0.7\n"))
