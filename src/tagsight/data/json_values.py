"""Values at the beginning of JSON files, by which formats are told apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tagsight.data.json_files import beginning

if TYPE_CHECKING:
    from pathlib import Path


def first_record(file: Path) -> Any:  # noqa: ANN401 - plain-data border
    """Return the first entry of a list, or the first object, or None if it is too long.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("rows.json").write_text('[{"name": "a.jpg"}, {"name": "b.jpg"}]')
        >>> first_record(Path("rows.json"))
        {'name': 'a.jpg'}
    """
    return _decoded(beginning(file).removeprefix("["))


def value_under(file: Path, *keys: str) -> Any:  # noqa: ANN401 - plain-data border
    """Return the list or object under keys, each in the one before, or None if it is too long.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('{"dog": ["a", "b"], "sky": ["b"]}')
        >>> value_under(Path("a.json"), "dog")
        ['a', 'b']
    """
    return _decoded(beginning(file, *keys))


def _decoded(text: str) -> Any:  # noqa: ANN401 - plain-data border
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None
