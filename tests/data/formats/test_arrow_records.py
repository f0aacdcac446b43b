import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagsight.data.readers import read_annotations


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
def test_numbers_have_the_names_that_are_noted_and_files_are_splits(tmp_path, labels, feature):
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


def test_bytes_that_are_no_photo_are_no_labels(tmp_path):
    columns = {"image": ["a.jpg", "b.jpg"], "mask": [b"1", None], "dog": [1, 0]}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    rows = read_annotations(tmp_path / "rows.parquet", labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("dog",), [[1], [0]])
