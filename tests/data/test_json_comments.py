"""JSON as people write it by hand."""

import json
import random
import time

import pytest

from tagsight.data.json_comments import without_comments
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

NOTES = ('// it\'s "mine": ] }\n', "/* [ { // \n */", " ", "\n")


def commented(draw, value):
    """Write JSON with comments and commas behind last entries."""
    if isinstance(value, str | int):
        return json.dumps(value)
    is_list = isinstance(value, list)
    parts = value if is_list else value.items()
    texts = [
        commented(draw, one)
        if is_list
        else f"{json.dumps(one[0])}{note(draw)}: {commented(draw, one[1])}"
        for one in parts
    ]
    inside = f"{note(draw)},{note(draw)}".join(texts)
    more = f"{note(draw)},{note(draw)}" if texts and draw.random() < 0.5 else note(draw)
    return f"{'[' if is_list else '{'}{note(draw)}{inside}{more}{']' if is_list else '}'}"


def note(draw):
    return draw.choice(NOTES)


def drawn(draw, depth=0):
    if depth > 3 or draw.random() < 0.4:
        return draw.choice([1, "http://a/b", "/* no */", 'a",]', "\\", ",]", "// no"])
    if draw.random() < 0.5:
        return [drawn(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {f"k{key},}}": drawn(draw, depth + 1) for key in range(draw.randrange(4))}


def test_comments_and_last_commas_change_nothing_and_keep_places():
    draw = random.Random(0)
    for _ in range(500):
        value = drawn(draw)
        text = commented(draw, value)
        plain = without_comments(text)
        assert json.loads(plain) == value
        assert [len(line) for line in plain.split("\n")] == [len(line) for line in text.split("\n")]


@pytest.mark.parametrize("part", ["/*/", '"', "//", ",", '"\\', ", ", "/"])
def test_leaving_out_comments_takes_linear_time_whatever_the_text(part):
    start = time.process_time()
    without_comments(part * 2**15)
    assert time.process_time() - start < 1


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "sky"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6]]},
        {"id": 2, "image_id": 2, "category_id": 2, "segmentation": [[1, 2, 3, 4, 5, 6]]},
    ],
}
RECORDS = [{"image": "a.jpg", "labels": ["dog"]}, {"image": "b.jpg", "labels": ["sky"]}]
LINES = "// mine\n{}\n// {{\n{} // b\n".format(*map(json.dumps, RECORDS))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((f"a.json{end}", value) for end in ("", "c") for value in (RECORDS, COCO)),
        ("a.json", {"a.jpg": ["dog"], "b.jpg": ["sky"]}),
        ("a.json", {"dog": ["a.jpg"], "sky": ["b.jpg"]}),
        ("a.json", {"animals": {"a.jpg": ["dog"], "b.jpg": ["sky"]}}),
        ("a.jsonl", LINES),
    ],
)
def test_labels_with_comments_are_found_and_read(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(
        text if isinstance(text, str) else f'// "[\n{commented(random.Random(1), text)}'
    )
    read = read_annotations(file, labels_only=True)
    assert (read.names, read.targets.tolist()) == (("dog", "sky"), [[1, 0], [0, 1]])


def test_errors_name_the_place_below_comments(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('// mine\n[\n  {"image": "a.jpg", "labels": ["dog"]} /* and */ 7\n]')
    with pytest.raises(DataError, match="line 3 column"):
        read_annotations(file, labels_only=True)
