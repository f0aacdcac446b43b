from __future__ import annotations

import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.mark.parametrize(
    "content",
    [
        "image,split,cat,hot dog\na.jpg,train,1,0\nc d.jpg,val,0,1\n",
        "\ufeffimage,split,cat,hot dog\r\na.jpg,train,1,0\r\nc d.jpg,val,0,1\r\n",
        "image;split;cat;hot dog\na.jpg;train;1;0\nc d.jpg;val;0;1",
        "image\tsplit\tcat\thot dog\na.jpg\ttrain\t1\t0\nc d.jpg\tval\t0\t1\n",
        '"image","split","cat","hot dog"\n"a.jpg","train","1","0"\n\n"c d.jpg","val","0","1"\n',
        "FileName, Split ,cat, hot  dog\na.jpg,Training,1.0, 0\n./c d.jpg,VALID,0.0,1 \n",
        "cat,hot dog,split_name,path\n1,0,train,a.jpg\n0,1,val,c d.jpg\n",
    ],
)
def test_every_dialect_says_the_same(write_csv, content) -> None:
    rows = read_annotations(write_csv(content))
    assert rows.names == ("cat", "hot dog")
    assert rows.relative_names == ("a.jpg", "c d.jpg")
    assert rows.splits == ("train", "val")
    assert rows.targets.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("column", ["IMAGE", "path", "file_name", "Image Index", "foto"])
def test_the_column_of_the_photo_has_many_names(write_csv, column) -> None:
    assert read_annotations(write_csv(f"x,{column}\n1,a.jpg\n")).relative_names == ("a.jpg",)


def test_photos_are_found_in_the_folder_images_beside_the_file(write_csv, tmp_path) -> None:
    (tmp_path / "images").mkdir()
    for photo in tmp_path.glob("*.jpg"):
        photo.rename(tmp_path / "images" / photo.name)
    rows = read_annotations(write_csv("image,cat,dog\na.jpg,1,0\n"))
    assert rows.paths == (tmp_path / "images" / "a.jpg",)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_are_recognised(write_csv, encoding, caplog) -> None:
    rows = read_annotations(write_csv("image\tlabels\na.jpg\tgr\u00fcn\n".encode(encoding)))
    assert rows.names == ("gr\u00fcn",)
    assert ("labels.csv:2: not UTF-8, read as Windows-1252" in caplog.text) == (
        encoding == "cp1252"
    )


LABELS = (("cat", "hot dog"), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\r\nimage;cat;hot dog\r\na.jpg;1;0\r\nc d.jpg;0;1\r\n",
        "\ufeff\ufeffimage,cat,hot dog\na.jpg,1,0\n\ufeffc d.jpg,0,1\n\x1a",
        "image,cat,hot dog\na.jpg,1,0\n\ufeffimage,cat,hot dog\nc d.jpg,0,1\n",
        'image,cat,hot dog\n"a.jpg",1,0\nimage,cat,hot dog\n"c d.jpg",0,1\n',
        "image;cat;hot dog\na.jpg;1;0\n;;\n ; ;\nc d.jpg;0;1\n;;;\n",
        "Our animals;;\n;;\nimage;cat;hot dog\na.jpg;1;0\nc d.jpg;0;1\n",
        "# drawn, by hand\n#\nimage,cat,hot dog\na.jpg,1,0\nc d.jpg,0,1\n",
        "image\rcat\r".replace("\r", ",") + "hot dog\ra.jpg,1,0\rc d.jpg,0,1\r",
    ],
    ids=range(8),
)
def test_lines_that_are_no_rows_are_passed_over(write_csv, content) -> None:
    rows = read_annotations(write_csv(content))
    assert (rows.names, rows.targets.tolist()) == LABELS
    assert rows.relative_names == ("a.jpg", "c d.jpg")


def test_lines_above_the_header_and_repeated_headers_are_told(write_csv, caplog) -> None:
    content = "Animals\nimage,labels\na.jpg,cat\nimage,labels\nb.jpg,dog\n"
    with caplog.at_level(logging.INFO):
        assert read_annotations(write_csv(content), labels_only=True).names == ("cat", "dog")
    assert "labels.csv: header in line 2, photos in column 'image'" in caplog.text
    assert "labels.csv: repeated headers: 1 line left out" in caplog.text


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        *(("\u72ac", "shift-jis"), ("\u72d7", "gbk"), ("\u017c\u00f3\u0142w", "cp1250")),
        ("\u043a\u043e\u0448\u043a\u0430", "cp1251"),
    ],
)
def test_text_of_other_alphabets_is_not_taken_for_western_text(write_csv, label, encoding) -> None:
    with pytest.raises(DataError, match=r"labels.csv:2: expected UTF-8 text, got other bytes"):
        read_annotations(
            write_csv(f"image,labels\na.jpg,{label}\n".encode(encoding)), format="csv-list"
        )


def test_lines_in_different_encodings_are_refused(write_csv) -> None:
    content = "image,labels\na.jpg,gr\u00fcn\n".encode() + "c d.jpg,bla\u00fc\n".encode("cp1252")
    with pytest.raises(DataError, match=r"labels.csv:3: expected UTF-8 text, got other bytes"):
        read_annotations(write_csv(content), format="csv-list")


MANY = ",".join(f"l{i}" for i in range(100_001))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,cat\na,1\n", r"labels.csv:1: expected a header with a column 'image'"),
        ("image,cat,cat \na.jpg,1,1\n", r"labels.csv:1: .*\['cat'\] empty or repeated"),
        ("image,cat,\na.jpg,1,1\n", r"labels.csv:1: .*\[''\] empty or repeated"),
        ("image,cat,dog\n", "rows below the header, got none"),
        ("image,cat,dog\na.jpg,1,0\nb.jpg,1\n", r"labels.csv:3: expected 3 cells .* got 2"),
        ("image,split,cat\na.jpg,half,1\n", "labels.csv:2: expected the split .* got 'half'"),
        ("image,cat,dog\n,1,0\n", "labels.csv:2: expected a photo's path .* got ''"),
        ("image,cat,dog\na.jpg,1,0\na.jpg,0,0\n", "labels.csv:3: .* but line 2 differs"),
        ('image,cat,dog\n"a.jpg"x,1,0\n', "labels.csv:2: expected a well-formed CSV"),
        ('image,cat,dog\n"a.jpg,1,0\n' + 200_000 * "b", "labels.csv:3: expected a well-formed CSV"),
        (b"image,cat,\x81\na.jpg,1,0\n", "labels.csv:1: expected UTF-8"),
        (b"image,cat,dog\na.jpg,1,0\n\xcf\xf0\xe8\xe2.jpg,1,0\n", "labels.csv:3: expected UTF-8"),
        ("image,cat,dog".encode("utf-16") + b"\n", "labels.csv:1: expected UTF-16"),
        (f"image,{MANY}\na.jpg\n", "at most 100,000 cells"),
        ("image,cat,dog\na.jpg" + "," * 100_001, "at most 100,000 cells"),
        ("image,cat,dog\n" + "\n" * 10_001 + "a.jpg,1,0\n", "got 10,000 blank lines"),
        ("image,cat,dog\n" + "a.jpg,1,0\n" * 200_000, "at most 1,900,000 bytes .*, got 2,000,014"),
    ],
    ids=range(17),
)
def test_a_line_that_cannot_be_understood_is_named(
    write_csv, monkeypatch, content, message
) -> None:
    monkeypatch.setattr("tagsight.data.tables.csv_table.LARGEST_FILE", 1_900_000)
    with pytest.raises(DataError, match=message):
        read_annotations(write_csv(content), format="csv-columns")


def test_a_line_that_repeats_another_is_left_out_and_counted(write_csv, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        rows = read_annotations(write_csv("image,cat,dog\na.jpg,1,0\nb.jpg,0,0\na.jpg,1,0\n"))
    assert len(rows) == 2
    assert "1 line left out as repeated" in caplog.text
