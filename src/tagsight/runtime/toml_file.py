"""TOML files: read within limits, written value by value."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE = 2**20
LONGEST_LINE = 4_000


def read_toml(path: Path) -> dict[str, Any]:
    r"""Read a TOML file.

    Raises:
        DataError: If it is not TOML, or larger than any settings file.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "recipe.toml"
        ...     _ = file.write_text("[graph]\nepsilon = 0.3\n")
        ...     read_toml(file)
        {'graph': {'epsilon': 0.3}}
    """
    if not path.is_file() or path.stat().st_size > LARGEST_FILE:
        msg = f"expected a TOML file of at most {LARGEST_FILE:,} bytes, got {path}"
        raise DataError(msg)
    try:
        text = path.read_text(encoding="utf-8")
        # The parser takes gigabytes for a dotted name of a hundred thousand parts.
        if any(len(line) > LONGEST_LINE for line in text.splitlines()):
            msg = f"a line of more than {LONGEST_LINE:,} characters"
            raise ValueError(msg)
        return tomllib.loads(text)
    # Deep nesting raises RecursionError; numbers of thousands of digits raise a plain ValueError.
    except (ValueError, RecursionError) as error:
        msg = f"{path}: expected TOML: {error}"
        raise DataError(msg) from error


def toml_value(value: Any) -> str:  # noqa: ANN401 - a string, number, bool or list of these
    """Write a value as JSON, which TOML shares for strings, numbers, booleans and lists.

    Example:
        >>> toml_value(["a", "b", 1])
        '["a", "b", 1]'
    """
    return json.dumps(value, ensure_ascii=False)
