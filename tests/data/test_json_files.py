import json
import random
import time

import pytest

from tagsight.data import json_files
from tagsight.data.json_files import Outline, outline, read_json_lines, without_values
from tagsight.errors import DataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\ufeff {"a": [1, {"no": 2}], "b": "x", "c"', Outline("{", {"a": "[", "b": '"'})),
        ('[{"a": {"no": 1}}, {"b": 2}]', Outline("[", {"a": "{"})),
        ('{"a": "{"}\n{"b": 1}', Outline("{", {"a": '"'}, lines=True)),
        ('{"a": "\\"}"}\n', Outline("{", {"a": '"'})),
        ("[[1, 2]]", Outline("[")),
        ("[]", Outline("[")),
        ("image,labels", Outline()),
        ('{"' + '\\"' * 2**19, Outline("{")),
        ("[" * 2**20, Outline("[")),
    ],
)
def test_the_beginning_tells_the_form(tmp_path, text, expected):
    file = tmp_path / "a.json"
    file.write_text(text)
    assert outline(file) == expected


def test_lines_are_read_until_one_is_no_object(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n\n[2]\n')
    lines = read_json_lines(file, "an object")
    assert next(lines) == (1, {"a": 1})
    with pytest.raises(DataError, match=r"a.jsonl:3: expected an object, got \[2\]"):
        next(lines)


def test_indented_objects_end_with_a_bracket_that_begins_a_line(tmp_path, monkeypatch):
    file = tmp_path / "a.jsonl"
    file.write_text('{\n  "a": {\n    "}": 1\n  }\n}\n\n{\n}{\n  "b": [\n    2\n')
    objects = read_json_lines(file, "an object")
    assert [next(objects), next(objects)] == [(1, {"a": {"}": 1}}), (7, {})]
    with pytest.raises(DataError, match=r"a.jsonl:8: expected JSON, got"):
        next(objects)
    monkeypatch.setattr(json_files, "LONGEST_LINE", 9)
    with pytest.raises(DataError, match=r"a.jsonl:1: expected objects of at most 9 characters"):
        next(read_json_lines(file, "an object"))


def drawn(draw: random.Random, depth: int = 0) -> object:
    kind = draw.randrange(7 if depth < 4 else 4)
    if kind < 3:
        return (draw.choice(['x"', "]", "}", '\\"key\\": [', "key"]), draw.random(), None)[kind]
    if kind == 3:
        return [[draw.random(), -1e-9, 7]] * draw.randrange(3)
    if kind == 4:
        return [drawn(draw, depth + 1) for _ in range(draw.randrange(4))]
    keys = draw.sample(["key", "other", 'a "key"', "key "], draw.randrange(4))
    return {key: drawn(draw, depth + 1) for key in keys}


def blanked(value: object) -> object:
    if isinstance(value, list):
        return [blanked(one) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = {key for key, one in value.items() if key == "key" and isinstance(one, list | dict)}
    return {key: None if key in left_out else blanked(one) for key, one in value.items()}


@pytest.mark.parametrize("indent", [None, 1])
def test_json_without_the_values_of_a_key_is_the_rest(indent):
    draw = random.Random(0)
    for _ in range(300):
        value = drawn(draw)
        text = json.dumps(value, indent=indent).encode()
        assert json.loads(without_values(text, "key")) == blanked(value)


@pytest.mark.parametrize(
    "part", ['"key": [', '"key": {', '"key":["', '"key": [ \\"', '"key": [[],']
)
def test_leaving_out_values_takes_linear_time_whatever_the_text(part):
    start = time.process_time()
    without_values(part.encode() * 2**15, "key")
    assert time.process_time() - start < 1
