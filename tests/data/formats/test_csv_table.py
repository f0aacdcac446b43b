from __future__ import annotations

import logging

import pytest

from tagsight.data.formats.csv_table import CsvTable
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def write(tmp_path):
    for name in ("a.jpg", "b.jpg", "c d.jpg"):
        (tmp_path / name).touch()

    def write(content: str | bytes):
        file = tmp_path / "labels.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


@pytest.mark.parametrize(
    "content",
    [
        "image,split,cat,hot dog\na.jpg,train,1,0\nc d.jpg,val,0,1\n",
        "\ufeffimage,split,cat,hot dog\r\na.jpg,train,1,0\r\nc d.jpg,val,0,1\r\n",
        "image;split;cat;hot dog\na.jpg;train;1;0\nc d.jpg;val;0;1",
        "image\tsplit\tcat\thot dog\na.jpg\ttrain\t1\t0\nc d.jpg\tval\t0\t1\n",
        '"image","split","cat","hot dog"\n"a.jpg","train","1","0"\n\n"c d.jpg","val","0","1"\n',
        "FileName, Split ,cat, hot  dog\na.jpg,Training,1.0, 0\n./c d.jpg,VALID,0.0,1 \n",
        "cat,hot dog,split,path\n1,0,train,a.jpg\n0,1,val,c d.jpg\n",
    ],
)
def test_every_dialect_says_the_same(write, content) -> None:
    annotations = read_annotations(write(content))
    assert annotations.names == ("cat", "hot dog")
    assert annotations.relative_names == ("a.jpg", "c d.jpg")
    assert annotations.splits == ("train", "val")
    assert annotations.targets.tolist() == [[1, 0], [0, 1]]


def test_the_column_of_the_photo_has_many_names(write, monkeypatch) -> None:
    for column in ("image", "path", "file", "filename", "photo", "file_name"):
        assert CsvTable(write(f"x,{column.upper()}\n1,a.jpg\n")).image == 1
    monkeypatch.setattr("tagsight.data.formats.csv_table.LARGEST_FILE", 10)
    with pytest.raises(DataError, match=r"at most 10 bytes in .*labels.csv, got 22"):
        CsvTable(write("image,cat\nabcdef.jpg,1"))


def test_photos_are_found_in_the_folder_images_beside_the_file(write, tmp_path) -> None:
    (tmp_path / "images").mkdir()
    for photo in tmp_path.glob("*.jpg"):
        photo.rename(tmp_path / "images" / photo.name)
    annotations = read_annotations(write("image,cat,dog\na.jpg,1,0\n"))
    assert annotations.paths == (tmp_path / "images" / "a.jpg",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("picture,cat\na.jpg,1\n", r"labels.csv:1: expected a header with a column 'image'"),
        ("image,cat,cat \na.jpg,1,1\n", r"labels.csv:1: .*\['cat'\] empty or repeated"),
        ("image,cat,\na.jpg,1,1\n", r"labels.csv:1: .*\[''\] empty or repeated"),
        ("image,cat,dog\n", "rows below the header, got none"),
        ("image,cat,dog\na.jpg,1,0\nb.jpg,1\n", r"labels.csv:3: expected 3 cells .* got 2"),
        ("image,split,cat\na.jpg,dev,1\n", "labels.csv:2: expected the split .* got 'dev'"),
        ("image,cat,dog\n,1,0\n", "labels.csv:2: expected a photo's path .* got ''"),
        ("image,cat,dog\na.jpg,1,0\na.jpg,0,0\n", "labels.csv:3: .* but line 2 differs"),
        ('image,cat,dog\n"a.jpg"x,1,0\n', "labels.csv:2: expected a well-formed CSV"),
        ('image,cat,dog\n"a.jpg,1,0\n' + 200_000 * "b", "expected a well-formed CSV, got: field"),
        ("image,cat,d\u00e9j\u00e0\na.jpg,1,0\n".encode("latin-1"), "labels.csv:1: expected UTF-8"),
        (
            "image,cat,dog\na.jpg,1,0\n\u00e9.jpg,1,0\n".encode("latin-1"),
            "labels.csv:3: expected UTF",
        ),
    ],
)
def test_a_line_that_cannot_be_understood_is_named(write, content, message) -> None:
    with pytest.raises(DataError, match=message):
        read_annotations(write(content), format="csv-columns")


def test_a_line_that_repeats_another_is_left_out_and_counted(write, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        annotations = read_annotations(write("image,cat,dog\na.jpg,1,0\nb.jpg,0,0\na.jpg,1,0\n"))
    assert len(annotations) == 2
    assert "1 line left out as repeated" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "image," + ",".join(f"l{i}" for i in range(100_001)) + "\na.jpg\n",
            "at most 100,000 cells",
        ),
        ("image,labels\na.jpg" + "," * 100_001, "at most 100,000 cells"),
        ("image,labels\n" + "\n" * 10_001 + "a.jpg,cat\n", "got 10,000 blank lines"),
    ],
)
def test_rows_without_end_are_refused_before_they_are_taken_apart(write, content, message) -> None:
    with pytest.raises(DataError, match=message):
        read_annotations(write(content), format="csv-list")
