from __future__ import annotations

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.mark.parametrize(
    ("cell", "target"),
    [("1", 1), ("0", 0), ("-1", -1), ("", -1), ("1.0", 1), ("0.0", 0), ("-1.0", -1), (" 1 ", 1)],
)
def test_a_cell_is_present_absent_or_unknown(write_csv, cell, target) -> None:
    rows = read_annotations(write_csv(f"image,dog,cat\na.jpg,{cell},0\n"), format="csv-columns")
    assert (rows.names, rows.targets.tolist()) == (("dog", "cat"), [[target, 0]])


@pytest.mark.parametrize("cell", ["2", "yes", "nan", "01"])
def test_any_other_cell_is_named_with_its_line_and_column(write_csv, cell) -> None:
    with pytest.raises(DataError, match=rf"labels.csv:2: .*column 'dog', got '{cell}'"):
        read_annotations(write_csv(f"image,cat,dog\na.jpg,1,{cell}\n"), format="csv-columns")


def test_a_single_label_is_a_column_where_it_holds_targets(write_csv) -> None:
    assert read_annotations(write_csv("image,cat\na.jpg,1\n")).format == "csv-columns"
    with pytest.raises(DataError, match="expected a column per label"):
        read_annotations(write_csv("image,split\na.jpg,train\n"), format="csv-columns")


def test_the_posters_have_the_counts_that_their_readme_states(shared_data) -> None:
    posters = read_annotations(shared_data / "movie-posters" / "labels.csv")
    # 5,043 and 800 lines, of which 6 and 1 repeat their neighbour.
    assert posters.split_sizes == {"train": 5037, "val": 799}
    assert len(posters.names) == 22
    assert (posters.targets == 1).sum() / len(posters) == pytest.approx(2.3, abs=0.05)
    assert all(path.is_file() for path in posters.paths)
