from __future__ import annotations

import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.mark.parametrize(
    "content",
    [
        "image,labels\na.jpg,dog;cat\nb.jpg,\nc d.jpg,dog\n",
        "image,labels\na.jpg,dog|cat\nb.jpg,\nc d.jpg,dog\n",
        'image,labels\na.jpg,"dog,cat"\nb.jpg,\nc d.jpg,dog\n',
        'image,labels\na.jpg," dog , cat,"\nb.jpg," "\nc d.jpg,dog \n',
        "image;labels\na.jpg;dog,cat\nb.jpg;\nc d.jpg;dog\n",
        "photo\ttags\na.jpg\tdog, cat\nb.jpg\t\nc d.jpg\tdog\n",
        "filepath,label\na.jpg,\"['dog', 'cat']\"\nb.jpg,\nc d.jpg,\"[ 'dog' , ]\"\n",
        'filename,label\na.jpg,"[\'dog\', ""cat""]"\nb.jpg,[]\nc d.jpg,[\'dog\']\n',
    ],
)
def test_lists_are_understood_whatever_separates_them(write_csv, content) -> None:
    rows = read_annotations(write_csv(content))
    assert (rows.format, rows.names, rows.splits) == ("csv-list", ("cat", "dog"), None)
    assert rows.targets.tolist() == [[1, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    "cell",
    [
        "['a', __import__('os')]",
        "['a' 'b', 'c']",
        "['a'",
        "['a\\'b']",
        "[x]",
        "['a'], 'b'",
        "sea",
        "[[",
    ],
)
def test_malicious_or_broken_lists_are_named_and_never_run(write_csv, cell) -> None:
    content = f"image,labels\na.jpg,['a']\nb.jpg,\"{cell}\"\n"
    with pytest.raises(DataError, match=r"labels.csv:3: expected a list such as \['sea', 'sky'\]"):
        read_annotations(write_csv(content), format="csv-list")


def test_the_separator_is_logged_and_a_second_one_is_part_of_a_name(write_csv, caplog) -> None:
    with caplog.at_level(logging.INFO):
        read_annotations(write_csv("image,labels\na.jpg,dog|cat\n"), format="csv-list")
    assert "labels separated by '|' in 'labels'" in caplog.text
    file = write_csv('image,labels\na.jpg,"food, drink|sea"\nb.jpg,sea|sky\n')
    assert read_annotations(file, format="csv-list").names == ("food, drink", "sea", "sky")
    assert "separated by '|' (in 2 rows); ',' (in 1 row) is then part of a name" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,labels\na.jpg,dog,cat\n", r"labels.csv:2: expected 2 cells .* unquoted"),
        ("image,cat,dog\na.jpg,1,0\n", "one column of labels .* got 'cat', 'dog'"),
        ("image,labels\na.jpg,\nb.jpg,\n", "got 2 photos and 0 labels"),
        ("image,labels\na.jpg,One\nb.jpg,Two\n", "2 photos with 2 labels; are these labels, or"),
    ],
)
def test_what_is_no_list_is_refused(write_csv, monkeypatch, content, message) -> None:
    monkeypatch.setattr("tagsight.data.annotations.LARGEST_TABLE", 3)
    with pytest.raises(DataError, match=message):
        read_annotations(write_csv(content), format="csv-list")
