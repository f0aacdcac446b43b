"""JSON of a table, in the forms in which ``to_json`` of pandas writes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tagsight.data.formats.record_keys import PHOTO_KEYS, first_key
from tagsight.data.json_files import outline
from tagsight.data.tables.names import SPLIT_NAMES, is_photo

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "data"
"""Key of the rows, beside which the columns are named."""


def is_frame(source: Path) -> bool:
    r"""Return whether JSON begins as a table: columns and rows, rows by number, or cells by photo.

    Example:
        >>> from pathlib import Path
        >>> file = Path("a.json")
        >>> for text in (
        ...     '{"columns": ["image", "tags"], "index": [0], "data": [["a.jpg", "dog"]]}',
        ...     '{"0": {"image": "a.jpg", "dog": 1}}',
        ...     '{"dog": {"a.jpg": 1}, "sky": {"a.jpg": 0}}',
        ...     '{"dog": {"size": 1}}',
        ... ):
        ...     _ = file.write_text(text)
        ...     print(is_frame(file))
        True
        True
        True
        False
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or not keys:
        return False
    if keys.get(ROWS) == "[":
        return keys.get("columns") == "[" or keys.get("schema") == "{"
    if set(keys.values()) != {"{"} or any(key.lower() in SPLIT_NAMES for key in keys):
        return False
    inner = outline(source, next(iter(keys))).keys
    if all(map(str.isdecimal, keys)):
        return first_key(PHOTO_KEYS, inner) is not None
    are_photos = bool(inner) and all(map(is_photo, inner)) and "{" not in inner.values()
    return are_photos and len(keys) > 1


def rows_of(content: Mapping[str, Any]) -> list[Any] | None:
    """Return the rows of a table as records, or None if an object is none.

    Example:
        >>> rows_of({"columns": ["dog"], "index": ["a.jpg"], "data": [[1]]})
        [{'dog': 1, 'image': 'a.jpg'}]
        >>> rows_of({"0": {"image": "a.jpg", "dog": 1}})
        [{'image': 'a.jpg', 'dog': 1}]
        >>> rows_of({"dog": {"a.jpg": 1, "b.jpg": 0}, "sky": {"b.jpg": 1}})
        [{'image': 'a.jpg', 'dog': 1}, {'image': 'b.jpg', 'dog': 0, 'sky': 1}]
    """
    rows, columns, values = content.get(ROWS), content.get("columns"), list(content.values())
    if isinstance(rows, list) and isinstance(columns, list):
        return _with_columns(rows, list(map(str, columns)), content.get("index"))
    if isinstance(rows, list) and isinstance(content.get("schema"), Mapping):
        return rows
    if not values or not all(isinstance(value, Mapping) for value in values):
        return None
    if all(map(str.isdecimal, content)) and first_key(PHOTO_KEYS, values[0]) is not None:
        return values
    if len(values) > 1 and all(is_photo(key) for value in values for key in value):
        return _by_photo(content)
    return None


def _with_columns(rows: list[Any], columns: list[str], index: object) -> list[Any]:
    """Return the rows with the names of their columns, and a photo that their index names."""
    numbers = index if isinstance(index, list) and len(index) == len(rows) else []
    are_photos = bool(numbers) and all(isinstance(one, str) and is_photo(one) for one in numbers)
    names = [*columns, "image"] if are_photos else columns
    return [
        dict(zip(names, [*row, *numbers[place : place + 1]], strict=False))
        if isinstance(row, list) and len(row) == len(columns)
        else row
        for place, row in enumerate(rows)
    ]


def _by_photo(content: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Return a record for each photo of columns that name their rows by photos."""
    found: dict[str, dict[str, Any]] = {}
    for name, cells in content.items():
        for photo, cell in cells.items():
            found.setdefault(photo, {"image": photo})[name] = cell
    return list(found.values())
