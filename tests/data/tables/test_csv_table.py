import logging

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.rules.problems import label_problems
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
def test_every_dialect_says_the_same(write_csv, content):
    rows = read_annotations(write_csv(content))
    assert rows.names == ("cat", "hot dog")
    assert rows.relative_names == ("a.jpg", "c d.jpg")
    assert rows.splits == ("train", "val")
    assert rows.targets.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("column", ["IMAGE", "path", "file_name", "Image Index", "foto"])
def test_the_column_of_the_photo_has_many_names(write_csv, column):
    assert read_annotations(write_csv(f"x,{column}\n1,a.jpg\n")).relative_names == ("a.jpg",)


def test_photos_are_found_in_the_folder_images_beside_the_file(write_csv, tmp_path):
    (tmp_path / "images").mkdir()
    for photo in tmp_path.glob("*.jpg"):
        photo.rename(tmp_path / "images" / photo.name)
    rows = read_annotations(write_csv("image,cat,dog\na.jpg,1,0\n"))
    assert rows.paths == (tmp_path / "images" / "a.jpg",)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_are_recognised(write_csv, encoding, caplog):
    rows = read_annotations(write_csv("image\tlabels\na.jpg\tgr\u00fcn\n".encode(encoding)))
    assert rows.names == ("gr\u00fcn",)
    assert ("labels.csv:2: not UTF-8, read as Windows-1252" in caplog.text) == (
        encoding == "cp1252"
    )


DOG_SKY = "\u72d7;\u5929\u7a7a"


@pytest.mark.parametrize(
    ("encoding", "labels", "by_chance"),
    [
        ("gb18030", DOG_SKY, False),
        ("gb18030", "\u5b66\u6821;\u533b\u9662", True),  # valid UTF-8 in these bytes
        ("cp932", "\u72ac;\u7a7a", False),
        ("big5", DOG_SKY, False),
        ("euc_kr", "\uac1c;\ud558\ub298", False),
        ("cp1251", "\u043a\u043e\u0448\u043a\u0430;\u041f\u0451\u0441", False),
        ("cp1250", "\u017c\u00f3\u0142w;\u0142\u0105ka", False),
        ("cp1253", "\u03c3\u03ba\u03cd\u03bb\u03bf\u03c2", False),
        ("cp1255", "\u05db\u05dc\u05d1;\u05d7\u05ea\u05d5\u05dc", False),
        ("cp850", "gr\u00fcn;s\u00fc\u00df", False),
        ("koi8_r", "\u043a\u043e\u0448\u043a\u0430;\u041f\u0451\u0441", False),
    ],
)
def test_an_encoding_is_named_and_given_back(tmp_path, encoding, labels, by_chance):
    file = tmp_path / "labels.csv"
    file.write_bytes(f"image,labels\na.jpg,{labels}\n".encode(encoding))
    if by_chance:
        problems = label_problems(read_annotations(file, labels_only=True))
        first = labels.partition(";")[0]
        told = [one for one in problems if one.kind == "garbled"]
        assert len(told) == 2
        assert f"{first!r} in {encoding}" in told[0].message + told[1].message
        assert "`encoding`" in told[0].message
    else:
        message = rf":2: expected UTF-8 .*, perhaps of .*{encoding} \('a.jpg,{labels}'.*`encoding`"
        with pytest.raises(DataError, match=message):
            read_annotations(file, format="csv-list", labels_only=True)
    options = ReadOptions(columns=Columns(encoding=encoding))
    rows = read_annotations(file, options=options, labels_only=True)
    assert set(rows.names) == set(labels.split(";"))
    (tmp_path / "data.toml").write_text(rows.origin.toml())
    again = read_annotations(tmp_path / "data.toml", labels_only=True)
    assert again.hash() == rows.hash()


def test_a_wrong_encoding_is_refused(write_csv):
    file = write_csv("image,labels\na.jpg,caf\u00e9\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"labels.csv:2: expected GB18030 text, got other bytes"):
        read_annotations(file, options=ReadOptions(columns=Columns(encoding="gb18030")))
    with pytest.raises(DataError, match=r"labels.csv:1: expected UTF-16 text, got other bytes"):
        read_annotations(file, options=ReadOptions(columns=Columns(encoding="utf-16")))
    with pytest.raises(DataError, match=r"expected the name of an encoding, .*, got 'klingon'"):
        Columns(encoding="klingon")


def test_names_beside_are_in_the_encoding_of_the_table(tmp_path):
    (tmp_path / "train.csv").write_bytes("\u72d7.jpg,0,1\nb.jpg,1,1\n".encode("gbk"))
    options = ReadOptions(columns=Columns(encoding="gbk"))
    for encoding in ("gbk", "utf-8"):
        (tmp_path / "labels.txt").write_bytes("\u72d7\n\u5929\u7a7a\n".encode(encoding))
        rows = read_annotations(tmp_path / "train.csv", options=options, labels_only=True)
        assert rows.names == ("\u72d7", "\u5929\u7a7a")


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
def test_lines_that_are_no_rows_are_passed_over(write_csv, content):
    rows = read_annotations(write_csv(content))
    assert (rows.names, rows.targets.tolist()) == LABELS
    assert rows.relative_names == ("a.jpg", "c d.jpg")


def test_lines_above_the_header_and_repeated_headers_are_told(write_csv, caplog):
    content = "Animals\nimage,labels\na.jpg,cat\nimage,labels\nb.jpg,dog\n"
    with caplog.at_level(logging.INFO):
        assert read_annotations(write_csv(content), labels_only=True).names == ("cat", "dog")
    assert "labels.csv: header in line 2, photos in column 'image'" in caplog.text
    assert "labels.csv: repeated headers: 1 line left out" in caplog.text


def test_a_line_that_repeats_another_is_left_out_and_counted(write_csv, caplog):
    with caplog.at_level(logging.WARNING):
        rows = read_annotations(write_csv("image,cat,dog\na.jpg,1,0\nb.jpg,0,0\na.jpg,1,0\n"))
    assert len(rows) == 2
    assert "1 line left out as repeated" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "# my photos\n# of May\nimage,labels\na.jpg,dog\nb.jpg,dog;sky\n",
        "# dog, sky: as seen\nimage,dog,sky\na.jpg,1,0\n# later\nb.jpg,1,1\n",
        "image\tlabels\n# one, two, three\na.jpg\tdog\n#\nb.jpg\tdog|sky\n",
        "# my photos\na.jpg dog\nb.jpg dog sky\n# the end\n",
        "## my photos\na.jpg: dog\nb.jpg: dog, sky\n",
        '# my "photos"\nimage,labels\na.jpg,dog\nb.jpg,"dog,sky"\n',
    ],
)
def test_comments_are_no_rows_and_are_counted(write_csv, caplog, content):
    caplog.set_level("INFO")
    rows = read_annotations(write_csv(content))
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 0], [1, 1]])
    lines = sum(line.startswith("#") for line in content.splitlines())
    assert f"comments, which begin with #: {lines} line" in caplog.text


def test_a_mark_before_a_number_or_a_header_makes_no_comment(write_csv):
    numbers = write_csv("# image,labels\n#1,dog\n#2,sky\n")
    rows = read_annotations(numbers, labels_only=True)
    assert (rows.names, len(rows)) == (("dog", "sky"), 2)
