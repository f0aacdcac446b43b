import logging

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.mark.parametrize(
    ("cell", "target"),
    [
        ("1", 1),
        ("0", 0),
        ("-1", -1),
        ("", -1),
        ("1.0", 1),
        ("0.0", 0),
        ("-1.0", -1),
        (" 1 ", 1),
        ("True", 1),
        ("no", 0),
        ("nan", -1),
    ],
)
def test_a_cell_is_present_absent_or_unknown(write_csv, cell, target):
    rows = read_annotations(write_csv(f"image,dog,cat\na.jpg,{cell},0\n"), format="csv-columns")
    assert (rows.names, rows.targets.tolist()) == (("dog", "cat"), [[target, 0]])


ROWS = "a.jpg  1 -1 -1\nb.jpg -1  1 -1\n"


@pytest.mark.parametrize(
    ("content", "minus"),
    [
        (f"2\ndog cat sky \n{ROWS}", 0),  # as CelebA's list
        ('"dog" "cat" "sky"\n"a.jpg" 1 -1 -1\n"b.jpg" -1 1 -1\n', 0),  # as R writes it
        ("image,dog,cat,sky\na.jpg,1,-1.0,-1\nb.jpg,-1,1,-1\n", 0),
        ("image,labels\na.jpg,1;-1;-1\nb.jpg,-1;1;-1\n", 0),
        ("image,dog,cat,sky\na.jpg,1,-1,-1\nb.jpg,-1,1,-1\nc d.jpg,-1,-1,0\n", -1),
        ("image,dog,cat,sky\na.jpg,1,-1,-1\nb.jpg,-1,1,-1\nc d.jpg,-1,,-1\n", -1),
    ],
    ids=range(6),
)
def test_minus_1_is_absent_where_all_cells_of_a_table_are_1_or_minus_1(
    write_csv, tmp_path, caplog, content, minus
):
    (tmp_path / "labels.txt").write_text("dog\ncat\nsky\n")
    with caplog.at_level(logging.INFO):
        rows = read_annotations(write_csv(content), labels_only=True)
    assert (rows.names, len(rows)) == (("dog", "cat", "sky"), 2 - minus)
    assert rows.targets[:2].tolist() == [[1, minus, minus], [minus, 1, minus]]
    assert f"-1 read as {'unknown' if minus else 'absent'}" in caplog.text


@pytest.mark.parametrize("cell", ["2", "maybe", "01"])
def test_any_other_cell_is_named_with_its_line_and_column(write_csv, cell):
    rows = "".join(f"{name},1,0\n" for name in ("a.jpg", "b.jpg"))
    file = write_csv(f"image,cat,dog\n{rows}c d.jpg,1,{cell}\n")
    with pytest.raises(DataError, match=rf"labels.csv:4: .*column 'dog', got '{cell}'"):
        read_annotations(file, format="csv-columns")
    columns = Columns(label_columns=("cat", "dog"))
    with pytest.raises(DataError, match=rf"labels.csv:4: .*column 'dog', got '{cell}'"):
        read_annotations(file, format="csv-columns", options=ReadOptions(columns=columns))


def test_columns_that_hold_something_else_are_not_labels_and_are_named(write_csv, caplog):
    chexpert = "Path,Sex,Age,cat,dog\na.jpg,Male,50,1.0,\nb.jpg,Female,61,,-1.0\nc d.jpg,,,0.0,1\n"
    with caplog.at_level(logging.INFO):
        rows = read_annotations(write_csv(chexpert))
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, -1], [-1, -1], [0, 1]])
    assert "not used as labels: 'Sex', 'Age'; `label_columns` decides" in caplog.text
    assert "3 targets blank or -1: unknown" in caplog.text


def test_names_that_a_table_lacks_are_in_a_file_beside(write_csv, tmp_path):
    (tmp_path / "image").mkdir()
    for content in ("image/a.jpg\t1,0\nimage/b.jpg\t1,1\n", "a.jpg 1 0\nb.jpg 1 1\n"):
        (tmp_path / "image" / "a.jpg").touch()
        file = write_csv(content)
        with pytest.raises(DataError, match="a header with the names of 2 labels"):
            read_annotations(file)
        (tmp_path / "labels.txt").write_text("dog\ncat\n")
        rows = read_annotations(file)
        assert (rows.names, rows.targets.tolist()) == (("dog", "cat"), [[1, 0], [1, 1]])
        (tmp_path / "labels.txt").unlink()


def test_a_single_label_is_a_column_where_it_holds_targets(write_csv):
    assert read_annotations(write_csv("image,cat\na.jpg,1\n")).format == "csv-columns"


def test_the_posters_have_the_counts_that_their_readme_states(shared_data):
    posters = read_annotations(shared_data / "movie-posters" / "labels.csv")
    # 5,043 and 800 lines, of which 6 and 1 repeat their neighbour.
    assert posters.split_sizes == {"train": 5037, "val": 799}
    assert len(posters.names) == 22
    assert (posters.targets == 1).sum() / len(posters) == pytest.approx(2.3, abs=0.05)
    assert all(path.is_file() for path in posters.paths)
