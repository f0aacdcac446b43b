import json
import logging

import pytest

from tagsight.data.format import Columns, ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def read(tmp_path):
    def read(*records, lines=True, **columns):
        file = tmp_path / "rows.jsonl"
        text = "".join(f"{json.dumps(record)}\n" for record in records)
        file.write_text(text if lines else json.dumps(records))
        options = ReadOptions(columns=Columns(**columns))
        rows = read_annotations(file, labels_only=True, options=options)
        assert rows.format == "json-records"
        names = [path.name for path in rows.paths]
        return rows.names, dict(zip(names, rows.targets.tolist(), strict=True))

    return read


EXPECTED = ("dog", "sky"), {"a.jpg": [1, 1], "b.jpg": [0, 0]}


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"labels": ["dog", "sky"]}, {"labels": []}),
        ({"Tags": ["dog", "sky"], "text": "A day, out"}, {"Tags": [], "text": "dog"}),
        ({"labels": "dog;sky"}, {"labels": ""}),
        ({"found": ["dog", "sky"]}, {"found": []}),
        ({"objects": [{"label": "dog", "box": [1]}, {"name": "sky"}]}, {"objects": []}),
        ({"labels": {"dog": 1, "sky": True}}, {"labels": {"dog": 0, "sky": 0.0}}),
        ({"dog": 1, "sky": 1.0, "size": 7}, {"dog": False, "sky": 0, "size": 9}),
    ],
)
def test_labels_are_lists_texts_objects_or_marks(read, first, second, lines):
    assert read({"image": "a.jpg"} | first, {"image": "b.jpg"} | second, lines=lines) == EXPECTED


def test_labels_that_a_model_gave_are_told(read, caplog):
    """As ``tagsight tag --json`` writes them."""
    for label, told in (({"name": "dog", "score": 0.9}, True), ({"name": "dog"}, False)):
        caplog.clear()
        assert read({"path": "a.jpg", "labels": [label]}) == (("dog",), {"a.jpg": [1]})
        assert ("as if a person had confirmed" in caplog.text) == told


def test_unknown_is_not_absent(read, caplog):
    caplog.set_level(logging.INFO)
    found = read(
        {"path": "a.jpg", "labels": {"dog": 1}},
        {"path": "b.jpg", "labels": {"dog": None, "sky": 0}},
        {"path": "c.jpg", "labels": None},
        {"path": "d.jpg"},
    )
    assert found == (("dog", "sky"), {"a.jpg": [1, -1], "b.jpg": [-1, 0]})
    assert "2 records without labels left out" in caplog.text


FIRST = {"id": "a.jpg", "seen": ["dog", "sky"], "found": ["cat"], "fold": "train", "dog": 1}
SECOND = {"id": "b.jpg", "seen": [], "found": [], "fold": "test", "dog": 0}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"labels_column": "seen"}, EXPECTED),
        ({"labels_column": "SEEN"}, EXPECTED),
        ({"ignore": ("found", "fold", "dog")}, EXPECTED),
        ({"label_columns": ("dog",)}, (("dog",), {"a.jpg": [1], "b.jpg": [0]})),
        (
            {"label_columns": ("seen", "found")},
            (("cat", "dog", "sky"), {"a.jpg": [1, 1, 1], "b.jpg": [0, 0, 0]}),
        ),
    ],
)
def test_keys_are_named_as_columns_are(read, columns, expected):
    assert read(FIRST, SECOND, image_column="id", split_column="fold", **columns) == expected


def test_the_separator_of_texts_can_be_given(read):
    found = read({"image": "a.jpg", "labels": "dog+sky"}, {"image": "b.jpg", "labels": ""})
    assert found[0] == ("dog+sky",)
    rows = {"image": "a.jpg", "labels": "dog+sky"}, {"image": "b.jpg", "labels": ""}
    assert read(*rows, separator="+") == EXPECTED


@pytest.mark.parametrize("option", ["image_column", "labels_column", "split_column"])
def test_a_key_that_no_record_has_is_refused_with_those_there(read, option):
    with pytest.raises(DataError, match=rf"a key of the records as `{option}`, \['id', .*'none'"):
        read(FIRST, SECOND, **({"image_column": "id"} | {option: "none"}))


def test_tags_by_the_name_of_a_photo_may_lie_beside_its_caption(tmp_path):
    file = tmp_path / "meta_cap.json"
    photos = {"a.jpg": {"tags": "girl, sky", "caption": "A girl"}, "b.jpg": {"tags": "sky"}}
    file.write_text(json.dumps(photos))
    rows = read_annotations(file, labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("girl", "sky"), [[1, 1], [0, 1]])


def test_lines_of_dataturks(tmp_path):
    file = tmp_path / "a.json"
    rows = [
        {
            "content": f"http://example.org/{name}.jpg",
            "annotation": {"labels": tags},
            "extras": None,
        }
        for name, tags in {"a": ["dog"], "b": ["dog", "sky"]}.items()
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    read = read_annotations(file, labels_only=True)
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 0], [1, 1]])
