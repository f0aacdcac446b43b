import logging

import pytest

from tagsight.data.readers import read_annotations


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
def test_lists_are_understood_whatever_separates_them(write_csv, content):
    rows = read_annotations(write_csv(content))
    assert (rows.format, rows.names, rows.splits) == ("csv-list", ("cat", "dog"), None)
    assert rows.targets.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_the_separator_is_logged_and_a_second_one_is_part_of_a_name(write_csv, caplog):
    with caplog.at_level(logging.INFO):
        read_annotations(write_csv("image,labels\na.jpg,dog|cat\n"), format="csv-list")
    assert "labels separated by '|' in 'labels'" in caplog.text
    file = write_csv('image,labels\na.jpg,"food, drink|sea"\nb.jpg,sea|sky\n')
    assert read_annotations(file, format="csv-list").names == ("food, drink", "sea", "sky")
    assert "separated by '|' (in 2 rows); ',' (in 1 row) is then part of a name" in caplog.text
