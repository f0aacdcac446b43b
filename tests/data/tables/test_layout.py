"""Tables as programs write them, in the shapes that docs/how-to/own-data.md lists."""

import json
import logging

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

KAGGLE = "image_name,tags\na,haze primary\nb,clear primary\nc,clear\nd,haze\ne,haze clear primary\n"
FASTAI = "fname,labels,is_valid\na.jpg,dog sky,True\nb.jpg,sky,False\nc.jpg,dog,False\n"
NIH = "Image Index,Finding Labels,Follow-up #,Age\na.png,Mass|Edema,0,60\nb.png,Edema,1,61\n"
OPEN = "ImageID,Source,LabelName,Confidence\na,human,/m/1,1\na,human,/m/2,0\nb,human,/m/2,1\n"


@pytest.mark.parametrize(
    ("content", "format_", "names", "targets", "splits"),
    [
        (
            *(KAGGLE, "csv-list", ("clear", "haze", "primary")),
            *([[0, 1, 1], [1, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1]], None),
        ),
        (
            *(FASTAI, "csv-list", ("dog", "sky"), [[1, 1], [0, 1], [1, 0]]),
            ("val", "train", "train"),
        ),
        (NIH, "csv-list", ("Edema", "Mass"), [[1, 1], [1, 0]], None),
        (OPEN, "csv-long", ("Cat", "Dog"), [[0, 1], [1, -1]], None),
        ("filename, dog, sky\na.jpg, 1, 0\n", "csv-columns", ("dog", "sky"), [[1, 0]], None),
        ("Unnamed: 0,image,dog\n0,a.jpg,1\n1,b.jpg,0\n", "csv-columns", ("dog",), [[1], [0]], None),
        (
            "TRAIN,a.jpg,dog,sky\nTEST,b.jpg,sky\n",
            "csv-list",
            ("dog", "sky"),
            None,
            ("train", "test"),
        ),
        (  # Wildlife Insights: the class is a rank
            "filename,class,order,genus,species,common_name\na.jpg,Mammalia,Carnivora,Canis,lupus,wolf\n"
            "b.jpg,Mammalia,Carnivora,Vulpes,vulpes,fox\n",
            *("csv-list", ("fox", "wolf"), [[0, 1], [1, 0]], None),
        ),
        (  # Snapshot Serengeti: season and count are all 1
            "capture,season,image_path,question__species,count\nA,1,a.jpg,zebra,1\nB,1,b.jpg,lion,1\n",
            *("csv-list", ("lion", "zebra"), [[0, 1], [1, 0]], None),
        ),
        (  # Timelapse, with the folder of photos and its own flag
            "File,RelativePath,dog,DeleteFlag\na.jpg,,true,false\nb.jpg,,false,false\n",
            *("csv-columns", ("dog",), [[1], [0]], None),
        ),
        (  # posters by their addresses, in titles with blanks
            "id,Title,Genre,Poster\n1,The End,Drama|War,https://x.org/a.jpg\n"
            "2,A Start,War,https://x.org/b.jpg\n",
            *("csv-list", ("Drama", "War"), [[1, 1], [0, 1]], None),
        ),
        (  # SuperAnnotate
            "imageName,instanceId,className,attributes\na.jpg,1,dog,\na.jpg,2,cat,\nb.jpg,1,dog,\n",
            *("csv-long", ("cat", "dog"), [[1, 1], [0, 1]], None),
        ),
        (  # Markdown
            "| image | labels |\n|---|:--|\n| a.jpg | dog, sky |\n| b.jpg | sky |\n",
            *("csv-list", ("dog", "sky"), [[1, 1], [0, 1]], None),
        ),
        (  # WILDS and CelebA number the splits
            "image,split,dog\na.jpg,0,1\nb.jpg,1,0\nc.jpg,2,1\n",
            *("csv-columns", ("dog",), [[1], [0], [1]], ("train", "val", "test")),
        ),
        ("a.jpg dog sky\nb.jpg sky\n", "csv-list", ("dog", "sky"), [[1, 1], [0, 1]], None),
        *(
            (f"{line}\nb.jpg{mark}sky\n", "csv-list", ("dog", "sky"), [[1, 1], [0, 1]], None)
            for mark, line in [
                (" -> ", "a.jpg -> dog sky"),
                (" = ", "a.jpg = dog, sky"),
                (": ", "C:\\photos\\a.jpg: dog, sky"),
                (":", "a.jpg:dog;sky"),
                (":\t", "a.jpg:\tdog\tsky"),
            ]
        ),
        ("a.jpg,9,8,70,60,dog\na.jpg,1,2,3,4,cat\n", "csv-long", ("cat", "dog"), [[1, 1]], None),
        ("dog,sky\na.jpg,b.jpg\n,a.jpg\n", "csv-long", ("dog", "sky"), [[1, 1], [0, 1]], None),
        ("image,labels\na.jpg,0\nb.jpg,1\n", "csv-list", ("0", "1"), [[1, 0], [0, 1]], None),
        ("image,labels,,\na.jpg,dog,,\n", "csv-list", ("dog",), [[1]], None),
    ],
)
def test_tables_of_other_programs_are_read(
    write_csv, tmp_path, content, format_, names, targets, splits
):
    (tmp_path / "class-descriptions.csv").write_text("/m/1,Dog\n/m/2,Cat\n")
    rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.format, set(rows.names)) == (format_, set(names))
    assert targets is None or rows.targets.tolist() == targets
    assert rows.splits == splits


def test_options_decide_where_names_and_cells_do_not(write_csv, caplog):
    file = write_csv("nr,pic,colour,part,mood\n1,a.jpg,red#dark,val,x\n2,b.jpg,dark,train,y\n")
    with pytest.raises(DataError, match=r"got 'colour', 'mood'; name it with `labels_column`"):
        read_annotations(file, format="csv-list")
    columns = Columns("pic", "colour", (), "#", "part")
    with caplog.at_level(logging.INFO):
        rows = read_annotations(file, options=ReadOptions(columns=columns))
    assert (rows.names, rows.targets.tolist()) == (("dark", "red"), [[1, 1], [1, 0]])
    assert (rows.splits, rows.unused) == (("val", "train"), ("mood",))
    assert "photos in column 'pic', labels separated by '#' in 'colour', splits in" in caplog.text
    with pytest.raises(DataError, match=r"a column of the table as `ignore`, 'nr', .*, got 'x'"):
        read_annotations(file, options=ReadOptions(columns=Columns(ignore=("x",))))
    for arguments in ({"labels_column": "a", "label_columns": ("b",)}, {"separator": ""}):
        with pytest.raises(DataError, match="expected"):
            Columns(**arguments)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            ["polar bear", "black bear", "black cat", "polar cat", "polar fox", "black fox"],
            "may be",
        ),
        (["traffic light", "hot dog", "dog", "light"], "may be"),
        (["traffic light", "hot dog", "cat", "sky"], None),
        (["red", "red#blue", "blue", "blue#red", "green#red", "green"], "are taken to be"),
    ],
)
def test_names_of_several_words_are_not_torn(write_csv, caplog, cells, told):
    rows = "".join(f"{place}.jpg,{cell}\n" for place, cell in enumerate(cells))
    names = read_annotations(write_csv(f"image,labels\n{rows}"), labels_only=True).names
    assert (set(names) == set(cells)) == (told != "are taken to be")
    assert f"labels {told} separated by" in caplog.text or (
        told is None and "separated by" not in caplog.text
    )


@pytest.mark.parametrize(
    ("table", "labels", "photos"),
    [
        ("image,species,sex\na.jpg,dog,m\nb.jpg,cat,f\n", {"dog", "cat"}, ("a.jpg", "b.jpg")),
        (
            "File,RelativePath,Species,Empty\n1.jpg,A,deer,false\n1.jpg,B,,true\n",
            {"deer"},
            ("A/1.jpg", "B/1.jpg"),
        ),
        (
            "image,species,dog,cat\na.jpg,pug,1,0\nb.jpg,tom,0,1\n",
            {"dog", "cat"},
            ("a.jpg", "b.jpg"),
        ),
        (
            "image;label;confidence\na.jpg;dog;0,9\na.jpg;cat;12 %\nb.jpg;cat;80%\n",
            {"dog", "cat"},
            ("a.jpg", "b.jpg"),
        ),
    ],
)
def test_tables_of_camera_traps_and_of_other_countries(write_csv, table, labels, photos):
    rows = read_annotations(write_csv(table), labels_only=True)
    assert (set(rows.names), rows.relative_names) == (labels, photos)
    assert rows.targets.eq(1).sum(1).max() == 1


def test_a_column_of_text_beside_numbers_without_a_header_has_the_labels(write_csv):
    boxes = "a.jpg,1,1,2,2,dog\na.jpg,0,1,1,1,cat\nb.jpg,,,,,\n"
    rows = read_annotations(write_csv(boxes), labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 1], [0, 0]])


def test_another_column_names_the_photos_where_the_first_does_not(tmp_path):
    (tmp_path / "b").mkdir()
    for photo in ("7_left.jpg", "8_left.jpg"):
        (tmp_path / "b" / photo).touch()
    rows = "../input/1.jpg,dog,7_left.jpg\n../input/2.jpg,sky,8_left.jpg\n"
    (tmp_path / "t.csv").write_text(f"filepath,labels,filename\n{rows}")
    found = read_annotations(tmp_path / "t.csv", images=tmp_path / "b")
    assert [path.name for path in found.paths] == ["7_left.jpg", "8_left.jpg"]


def test_the_truth_decides_before_tags_that_say_something_else(tmp_path):
    rows = 'data/a.jpg,"train,seen",dog\ndata/b.jpg,"train,seen",sky\n'
    (tmp_path / "t.csv").write_text(f"filepath,tags,ground_truth\n{rows}")
    assert read_annotations(tmp_path / "t.csv", labels_only=True).names == ("dog", "sky")


@pytest.mark.parametrize("name", ["reviewed", "is_verified", "Checked", "needs_review", "geprüft"])
def test_flags_of_rows_are_no_labels_beside_others_and_are_told(write_csv, tmp_path, caplog, name):
    table = write_csv(f"image,{name},dog\na.jpg,1,0\nb.jpg,0,1\n")
    rows = read_annotations(table, labels_only=True)
    records = tmp_path / "rows.jsonl"
    records.write_text(f'{{"image": "a.jpg", "dog": 1, "{name}": 0}}\n', "utf-8")
    for found in (rows, read_annotations(records, labels_only=True)):
        assert found.names == ("dog",)
    assert caplog.text.count(f"{name!r} is taken for a flag of rows") == 2
    alone = write_csv(f"image,{name}\na.jpg,1\nb.jpg,0\n")
    assert read_annotations(alone, labels_only=True).names == (name,)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *(
            (name, cells)
            for name in ("n_labels", "Num Labels", "tag_count")
            for cells in ("10", "21")
        ),
        *(("score", "01"), ("rating", "11"), ("image_width", "11"), ("Orientation", "11")),
        *(("num_dogs", "20"), ("dog_count", "12"), ("patient_id", "01"), ("height", "11")),
    ],
)
def test_counts_scores_and_sizes_beside_targets_are_no_labels(write_csv, tmp_path, name, cells):
    records = tmp_path / "rows.jsonl"
    lines = zip("ab", "10", "01", cells, strict=True)
    rows = [
        {"image": f"{a}.jpg", name: int(n), "cat": int(x), "dog": int(y)} for a, x, y, n in lines
    ]
    records.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    table = write_csv(
        "\n".join([",".join(rows[0]), *(",".join(map(str, r.values())) for r in rows)])
    )
    for source in (table, records):
        found = read_annotations(source, labels_only=True)
        assert (found.names, found.targets.tolist()) == (("cat", "dog"), [[1, 0], [0, 1]])


@pytest.mark.parametrize("name", ["count", "score", "num_dogs", "dog_count"])
def test_what_may_be_a_count_is_a_label_if_it_holds_the_only_targets(write_csv, name):
    table = write_csv(f"image,{name}\na.jpg,1\nb.jpg,0\n")
    assert read_annotations(table, labels_only=True).names == (name,)


def test_numbers_that_are_mostly_targets_are_refused_in_tables_and_records(write_csv, tmp_path):
    table = write_csv("image,cat,dog\na.jpg,1,0\nb.jpg,0,2\n")
    with pytest.raises(DataError, match=r":3: expected 1, 0, -1 or nothing, .* 'dog', got '2'"):
        read_annotations(table, labels_only=True)
    records = tmp_path / "rows.jsonl"
    rows = ({"image": "a.jpg", "cat": 1, "dog": 0}, {"image": "b.jpg", "cat": 0, "dog": 2})
    records.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(
        DataError, match=r"expected 1, 0 or null, .* under 'dog', got 2; .* `ignore`"
    ):
        read_annotations(records, labels_only=True)
    options = ReadOptions(columns=Columns(ignore=("dog",)))
    for source in (table, records):
        assert read_annotations(source, labels_only=True, options=options).names == ("cat",)


def test_what_may_be_a_flag_of_rows_is_a_label_and_is_asked_about(write_csv, caplog):
    rows = read_annotations(write_csv("image,ok,dog\na.jpg,1,0\nb.jpg,0,1\n"), labels_only=True)
    assert rows.names == ("ok", "dog")
    assert "'ok' is read as a label; if it says something of the row" in caplog.text


def test_a_flag_that_leaves_little_for_training_is_told(write_csv, caplog):
    table = "image,is_valid,dog\na.jpg,1,0\nb.jpg,1,1\nc.jpg,0,1\n"
    rows = read_annotations(write_csv(table), labels_only=True)
    assert rows.splits == ("val", "val", "train")
    assert "only 1 of 3 photos for training by 'is_valid'" in caplog.text


@pytest.mark.parametrize(
    ("table", "names", "splits"),
    [
        ("dicom_id,split,dog\na,train,1\nb,validate,0\n", ("dog",), ("train", "val")),
        ("X1,image,dog\n0,a.jpg,1\n1,b.jpg,0\n", ("dog",), None),
        ("image,dog,notes\na.jpg,1,\nb.jpg,0,\n", ("dog",), None),
        ("...1,image,dog\n0,a.jpg,1\n1,b.jpg,0\n", ("dog",), None),
        ("lfd. Nr.;Bild;Hund\n0;a.jpg;1\n1;b.jpg;0\n", ("Hund",), None),
    ],
)
def test_ids_and_numbers_of_rows_in_other_programs_are_no_labels(write_csv, table, names, splits):
    rows = read_annotations(write_csv(table), labels_only=True)
    assert (rows.names, rows.splits) == (names, splits)
    assert rows.targets.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.csv", "id,name\n0,cat\n1,dog\n2,fox\n"),
        ("class_names.csv", "cat;0\ndog;1\nfox;2\n"),
        ("id2label.json", '{"0": "cat", "1": "dog", "2": "fox"}'),
        ("class_to_idx.json", '{"fox": 2, "cat": 0, "dog": 1}'),
        ("classes.json", '["cat", "dog", "fox"]'),
    ],
)
def test_numbers_of_labels_are_named_by_tables_and_json_beside(write_csv, tmp_path, name, text):
    table = write_csv("image,labels\na.jpg,1 2\nb.jpg,2\nc.jpg,1\n")
    (tmp_path / name).write_text(text)
    assert read_annotations(table, labels_only=True).names == ("dog", "fox")
    (tmp_path / name).write_text("image,label\na,0\nb,0\n")  # of something else
    assert read_annotations(table, labels_only=True).names == ("1", "2")


def test_marks_that_join_labels_beside_another_separator_are_told(write_csv, caplog):
    cells = ["red", "blue/red", "green", "blue/green", "red;green"]
    rows = "".join(f"{place}.jpg,{cell}\n" for place, cell in enumerate(cells))
    read_annotations(write_csv(f"image,labels\n{rows}"), labels_only=True)
    assert "separated by ';', but '/' joins others, such as 'blue/red'; write one" in caplog.text
