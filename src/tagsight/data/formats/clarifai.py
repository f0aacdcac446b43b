"""Clarifai's inputs: a JSON of photos with the concepts that people gave them, or denied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

WHAT = "a list of inputs, or one under 'inputs', each with 'data' of an image and its concepts"

INPUT = frozenset({"id", "data", "status", "created_at", "modified_at", "dataset_ids", "settings"})
"""Keys of an input; a task of Label Studio has others beside its data."""


def recognises(source: Path) -> bool:
    """Return whether a file begins as inputs with concepts.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("inputs.json").write_text('{"inputs": [{"id": "a", "data": {}}]}')
        >>> recognises(Path("inputs.json"))
        True
    """
    top, keys, lines = outline(source)
    if top == "{" and not lines:
        return outline(source, "inputs").keys.get("data") == "{"
    is_short = keys.get("concepts") == "[" and "url" in keys
    return top == "[" and (is_short or (keys.get("data") == "{" and keys.keys() <= INPUT))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read concepts with the value 1 as present and with 0 as absent; others are unknown.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If the file cannot be understood, or a concept has another value, as a model
            gives it.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> concepts = [{"id": "dog", "value": 1}, {"id": "sky", "value": 0}]
        >>> data = {"image": {"url": "https://example.org/a.jpg"}, "concepts": concepts}
        >>> _ = Path("inputs.json").write_text(json.dumps({"inputs": [{"id": "a", "data": data}]}))
        >>> (found,) = read(Path("inputs.json"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('https:/example.org/a.jpg',), ('dog', 'sky'), [[1, 0]])
    """
    if outline(source).top == "[":
        inputs = read_json(source, list, WHAT)
    else:
        inputs = read_json(source, dict, WHAT).get("inputs")
    if not isinstance(inputs, list):
        msg = f"{source}: expected {WHAT}, got {shortened(inputs)}"
        raise DataError(msg)
    stated = [_input(one, f"{source}: inputs[{number}]") for number, one in enumerate(inputs)]
    names = {name for _, values in stated for name in values}
    photos = [
        PhotoLabels(
            photo,
            {name for name, is_present in values.items() if is_present},
            names - values.keys(),
            absent=[name for name, is_present in values.items() if not is_present],
        )
        for photo, values in stated
    ]
    folders = options.folders_around(source.parent)
    return [tabulate(source, photos, names=names, folders=folders)]


def _input(one: Any, where: str) -> tuple[str, dict[str, bool]]:  # noqa: ANN401 - plain-data border
    """Return the photo of an input, and whether each concept that it states is present."""
    given = one if isinstance(one, dict) else {}
    data = given.get("data", given)
    data = data if isinstance(data, dict) else {}
    image = data.get("image", data)
    address = image.get("url") if isinstance(image, dict) else None
    concepts = data.get("concepts") or []
    if not isinstance(concepts, list) or not all(isinstance(c, dict) for c in concepts):
        msg = f"{where}: expected a list of 'concepts', got {shortened(concepts)}"
        raise DataError(msg)
    name = address if isinstance(address, str) and address else given.get("id")
    if not isinstance(name, str):
        msg = f"{where}: expected an image with its 'url', or an 'id', got {shortened(one)}"
        raise DataError(msg)
    values = {_name(concept, where): _value(concept, where) for concept in concepts}
    return photo_path(name.partition("?")[0], where), values


def _name(concept: Mapping[str, Any], where: str) -> str:
    name = concept.get("name") or concept.get("id")
    if not isinstance(name, str):
        msg = f"{where}: expected a concept with 'id' or 'name', got {shortened(concept)}"
        raise DataError(msg)
    return clean_name(name, where)


def _value(concept: Mapping[str, Any], where: str) -> bool:
    value = concept.get("value", 1)
    if value in {0, 1}:
        return bool(value)
    msg = (
        f"{where}: expected the value 1 or 0 of a concept, as people give it, got "
        f"{shortened(value)}; values between are a model's, which people have to look at first"
    )
    raise DataError(msg)


FORMAT = Format(
    "clarifai",
    "JSON of Clarifai's inputs: concepts with 1 or 0, and others unknown",
    '{"inputs": [{"id": "a", "data": {"image": {"url": "https://.../a.jpg"},\n'
    '             "concepts": [{"id": "dog", "value": 1}, {"id": "sky", "value": 0}]}}]}',
    recognises,
    read,
)
