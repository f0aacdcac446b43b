from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def noted(table, feature):
    """Note a feature of `datasets` for the column of labels."""
    note = json.dumps({"info": {"features": {"labels": feature}}})
    return table.replace_schema_metadata({"huggingface": note})


CLASSES = {"names": ["cat", "dog"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    ("labels", "feature"),
    [
        ([["dog"], ["cat", "dog"]], None),
        ([[1], [0, 1]], {"feature": CLASSES, "_type": "Sequence"}),
        ([[1], [0, 1]], [CLASSES]),
    ],
)
def test_numbers_have_the_names_that_are_noted_and_files_are_splits(
    tmp_path, labels, feature
) -> None:
    (tmp_path / "data").mkdir()
    for name, row in (("train-00000-of-00001", 0), ("validation-00000-of-00001", 1)):
        image = pa.array([{"bytes": None, "path": f"{row}.jpg"}])
        table = pa.table({"image": image, "labels": [labels[row]], "vector": [[0.5, 1.5]]})
        table = noted(table, feature) if feature else table
        pq.write_table(table, tmp_path / "data" / f"{name}.parquet")
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.format, rows.names, rows.splits) == ("parquet", ("cat", "dog"), ("train", "val"))
    assert rows.targets.tolist() == [[0, 1], [1, 1]]
    assert [path.name for path in rows.paths] == ["0.jpg", "1.jpg"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_photos_inside_are_refused_with_what_to_do(tmp_path, kind) -> None:
    image = pa.array([{"bytes": b"JPEG", "path": "a.jpg"}])
    table = pa.table({"image": image, "labels": [["dog"]]})
    if kind == "parquet":
        pq.write_table(table, tmp_path / "a.parquet")
    else:
        with pa.ipc.new_stream(tmp_path / "data-0.arrow", table.schema) as out:
            out.write_table(table)
        for name in ("dataset_info.json", "state.json"):
            (tmp_path / name).write_text("{}")
    with pytest.raises(DataError, match=r"the photos themselves in 'image'; write each to a fold"):
        read_annotations(tmp_path)
