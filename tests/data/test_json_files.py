from __future__ import annotations

import pytest

from tagsight.data.json_files import Outline, outline, read_json_lines
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
def test_the_beginning_tells_the_form(tmp_path, text, expected) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    assert outline(file) == expected


def test_lines_are_read_until_one_is_no_object(tmp_path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n\n[2]\n')
    lines = read_json_lines(file, "an object")
    assert next(lines) == (1, {"a": 1})
    with pytest.raises(DataError, match=r"a.jsonl:3: expected an object, got \[2\]"):
        next(lines)
