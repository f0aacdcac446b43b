from __future__ import annotations

import logging

import pytest

from tagsight.data.readers import read_annotations


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


def test_a_line_that_repeats_another_is_left_out_and_counted(write_csv, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        rows = read_annotations(write_csv("image,cat,dog\na.jpg,1,0\nb.jpg,0,0\na.jpg,1,0\n"))
    assert len(rows) == 2
    assert "1 line left out as repeated" in caplog.text
