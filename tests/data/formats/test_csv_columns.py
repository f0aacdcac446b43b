from __future__ import annotations

import pytest

from tagsight.data.formats import csv_columns
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def write(tmp_path):
    (tmp_path / "a.jpg").touch()

    def write(content: str):
        file = tmp_path / "labels.csv"
        file.write_text(content)
        return file

    return write


@pytest.mark.parametrize(
    ("cell", "target"),
    [("1", 1), ("0", 0), ("-1", -1), ("", -1), ("1.0", 1), ("0.0", 0), ("-1.0", -1), (" 1 ", 1)],
)
def test_a_cell_is_present_absent_or_unknown(write, cell, target) -> None:
    annotations = csv_columns.read(write(f"image,cat,dog\na.jpg,{cell},0\n"))
    assert annotations.targets.tolist() == [[target, 0]]


@pytest.mark.parametrize("cell", ["2", "yes", "0.5", "nan", "01"])
def test_any_other_cell_is_named_with_its_line_and_column(write, cell) -> None:
    with pytest.raises(DataError, match=rf"labels.csv:2: .*column 'dog', got '{cell}'"):
        csv_columns.read(write(f"image,cat,dog\na.jpg,1,{cell}\n"))


def test_labels_keep_the_order_of_the_columns(write) -> None:
    assert csv_columns.read(write("image,zebra,ape\na.jpg,1,0\n")).names == ("zebra", "ape")


def test_a_single_label_is_a_column_where_it_holds_targets(write) -> None:
    assert read_annotations(write("image,cat\na.jpg,1\n")).format == "csv-columns"


def test_a_file_without_labels_is_refused(write) -> None:
    with pytest.raises(DataError, match="expected a column per label"):
        csv_columns.read(write("image,split\na.jpg,train\n"))


def test_the_animals_have_the_counts_that_their_readme_states(shared_data) -> None:
    folder = shared_data / "voc-animals"
    photos = folder / "VOCdevkit" / "VOC2012" / "JPEGImages"
    animals = read_annotations(folder / "labels-12.csv", images=photos)
    assert animals.format == "csv-columns"
    assert animals.split_sizes == {"train": 2000, "val": 536}
    assert len(animals.names) == 12
    assert (animals.targets == -1).any()


def test_the_posters_have_the_counts_that_their_readme_states(shared_data) -> None:
    posters = read_annotations(shared_data / "movie-posters" / "labels.csv")
    # 5,043 and 800 lines, of which 6 and 1 repeat their neighbour.
    assert posters.split_sizes == {"train": 5037, "val": 799}
    assert len(posters.names) == 22
    assert (posters.targets == 1).sum() / len(posters) == pytest.approx(2.3, abs=0.05)
    assert all(path.is_file() for path in posters.paths)
