"""Labelbox's first form of export."""

import csv
import json

import pytest

from tagsight.data.readers import read_annotations

NEW = {
    "objects": [{"title": "dog", "value": "dog", "bbox": {}}],
    "classifications": [
        {"title": "light", "value": "light", "answer": {"title": "day", "value": "day"}},
        {"title": "also", "answers": [{"title": "sky"}, {"title": "sea"}]},
        {"title": "remark", "answer": "A fine photo"},
    ],
}
OLD = {"dog": [{"geometry": [{"x": 1, "y": 2}]}], "light": "day", "also": ["sky", "sea"]}
OLDEST = {"dog": "MULTIPOLYGON (((1 2, 3 4, 1 2)))", "light": "day", "also": ["sky", "sea"]}


@pytest.mark.parametrize("ending", [".csv", ".json"])
@pytest.mark.parametrize("label", [NEW, OLD, OLDEST], ids=["new", "old", "oldest"])
def test_the_first_form_of_export_is_read(tmp_path, caplog, ending, label):
    caplog.set_level("INFO")
    rows = [
        {"ID": "1", "Labeled Data": "https://x/1", "Label": label, "External ID": "a.jpg"},
        {"ID": "2", "Labeled Data": "https://x/b.jpg?key=1", "Label": {}, "External ID": ""},
        {"ID": "3", "Labeled Data": "https://x/3", "Label": "Skip", "External ID": "c.jpg"},
    ]
    file = tmp_path / f"export{ending}"
    if ending == ".csv":
        with file.open("w", newline="") as opened:
            table = csv.DictWriter(opened, rows[0])
            table.writeheader()
            for row in rows:
                is_json = isinstance(row["Label"], dict)
                table.writerow(row | {"Label": json.dumps(row["Label"])} if is_json else row)
    else:
        file.write_text(json.dumps(rows))
    read = read_annotations(file, labels_only=True)
    assert (read.format, read.names) == ("labelbox", ("day", "dog", "sea", "sky"))
    assert read.targets.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]]
    assert "1 photo left out, which nobody has labelled" in caplog.text
