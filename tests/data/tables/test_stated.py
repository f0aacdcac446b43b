"""Rows for every photo and label, in which a column of any name says what is present."""

import json
import logging

import pytest

from tagsight.data.readers import read_annotations

STATED = {("a.jpg", "dog"): 1, ("a.jpg", "sky"): 0, ("b.jpg", "dog"): 0, ("b.jpg", "sky"): 1}


def _rows(yes: str, no: str) -> str:
    return "".join(f"{photo},{name},{yes if v else no}\n" for (photo, name), v in STATED.items())


@pytest.mark.parametrize(
    ("header", "yes", "no"),
    [
        ("image,label,visible", "yes", "no"),
        ("image,label,seen", "ja", "nee"),
        ("image,variable,value", "1", "0"),  # as melt of pandas writes
        ("photo,animal,there", "True", "False"),
        ("image,species,count", "3", "0"),
        ("image,species,count", "12", "0"),
    ],
)
def test_what_says_no_makes_a_label_absent(write_csv, caplog, header, yes, no):
    caplog.set_level(logging.INFO)
    rows = read_annotations(write_csv(f"{header}\n{_rows(yes, no)}"))
    assert (rows.format, rows.names) == ("csv-long", ("dog", "sky"))
    assert rows.targets.tolist() == [[1, 0], [0, 1]]
    assert ("says what is present" in caplog.text) == (not header.endswith("value"))


def test_records_are_read_likewise(write_csv):
    records = [{"image": p, "label": n, "visible": bool(v)} for (p, n), v in STATED.items()]
    file = write_csv("").with_name("rows.json")
    file.write_text(json.dumps(records))
    assert read_annotations(file).targets.tolist() == [[1, 0], [0, 1]]


def test_a_flag_of_some_pairs_says_nothing_of_presence(write_csv):
    """Where pairs are missing, those that are stated are present: the flag may be of anything."""
    rows = read_annotations(
        write_csv("image,label,occluded\na.jpg,dog,1\na.jpg,sky,0\nb.jpg,dog,0\n")
    )
    assert rows.targets.tolist() == [[1, 1], [1, 0]]
    rows = read_annotations(write_csv(f"image,label,reviewed\n{_rows('1', '0')}"))
    assert rows.targets.tolist() == [[1, 1], [1, 1]]


def test_a_table_in_which_all_have_all_is_told(write_csv, caplog):
    read_annotations(write_csv(f"image,label,how\n{_rows('well', 'not at all')}"))
    assert "call it 'present' in the header" in caplog.text
