"""Clarifai's inputs: people give a photo concepts, or deny them."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def concept(name, value):
    return {"id": f"id-{name}", "name": name, "value": value}


def full(name, *concepts):
    data = {"image": {"url": f"https://example.org/{name}?s=1"}, "concepts": list(concepts)}
    return {"id": name, "data": data}


def short(name, *concepts):
    named = [{"id": one["name"], "value": bool(one["value"])} for one in concepts]
    return {"url": f"https://example.org/{name}", "concepts": named}


def read(folder, content):
    (folder / "inputs.json").write_text(json.dumps(content))
    return read_annotations(folder / "inputs.json", labels_only=True)


@pytest.mark.parametrize("form", [full, short])
@pytest.mark.parametrize("wrap", [list, lambda inputs: {"status": {}, "inputs": inputs}])
def test_what_is_neither_given_nor_denied_is_unknown(tmp_path, form, wrap):
    if form is short and wrap is not list:
        return
    inputs = [form("a.jpg", concept("dog", 1), concept("sky", 0)), form("b.jpg", concept("sky", 1))]
    found = read(tmp_path, wrap([*inputs, form("c.jpg")]))
    assert (found.format, found.names) == ("clarifai", ("dog", "sky"))
    assert [path.name for path in found.paths] == ["a.jpg", "b.jpg", "c.jpg"]
    assert found.targets.tolist() == [[1, 0], [-1, 1], [-1, -1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([full("a.jpg", concept("dog", 0.93))], r"inputs\[0\]: .* got 0.93; .* are a model's"),
        ([full("a.jpg", {"value": 1})], "a concept with 'id' or 'name'"),
        ([full("a.jpg", "dog")], "a list of 'concepts', got"),
        ([{"data": {"concepts": []}}], "an image with its 'url', or an 'id'"),
    ],
)
def test_what_people_have_not_said_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)
