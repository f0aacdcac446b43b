"""YAML of photos and their labels, as JSON may have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.formats.record_keys import PHOTO_KEYS
from tagsight.data.formats.records_by_name import names_photos
from tagsight.data.source import is_file
from tagsight.data.tables.names import key_of
from tagsight.data.tables.text import text_of
from tagsight.data.yaml_files import parse_yaml, yaml_beginning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDINGS = (".yaml", ".yml")
LARGEST_FILE = 2**24
LOOK = 2**16
END = object()
"""What follows the last part of a list or an object."""

MARKS: dict[str, Any] = {"1": 1, "0": 0, "-1": -1, "": None, "~": None, "null": None}
"""What text of YAML means as a value, other than in a list of names."""


def is_yaml_of_photos(source: Path) -> bool:
    r"""Return whether a file is YAML that begins with photos, or a label's photos, or records.

    Example:
        >>> from pathlib import Path
        >>> for text in ("a.jpg: [dog]\n", "dog:\n- a.jpg\n", "- image: a.jpg\n", "names: [dog]\n"):
        ...     _ = Path("a.yaml").write_text(text)
        ...     print(is_yaml_of_photos(Path("a.yaml")))
        True
        True
        True
        False
    """
    if source.suffix.lower() not in ENDINGS or not is_file(source):
        return False
    with source.open("rb") as handle:
        text = handle.read(LOOK).decode("utf-8-sig", "replace")
    return names_photos(_begun(iter(yaml_beginning(text))))


def _begun(parts: Iterator[tuple[str, str]]) -> Any:  # noqa: ANN401 - plain-data border
    """Return what the first parts of YAML hold, as far as they go."""
    kind, text = next(parts, ("", ""))
    if kind not in {"[", "{"}:
        return text if kind == "=" else END
    inside = list(iter(lambda: _begun(parts), END))
    if kind == "[":
        return inside
    return {str(key): value for key, value in zip(inside[::2], inside[1::2], strict=False)}


def read_yaml(source: Path) -> list[Any] | dict[str, Any]:
    r"""Read a YAML file of photos, with values as JSON would have them.

    Raises:
        DataError: If it is too large, or no YAML.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.yaml").write_text("a.jpg: [dog, 'no']\nb.jpg: {dog: 0}\n")
        >>> read_yaml(Path("a.yaml"))
        {'a.jpg': ['dog', 'no'], 'b.jpg': {'dog': 0}}
    """
    text = text_of(source, largest=LARGEST_FILE)
    content: list[Any] | dict[str, Any] = parse_yaml(text, str(source), (dict, list))
    if isinstance(content, list):
        return _plain_all(content)
    return {key: _plain(value) for key, value in content.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - plain-data border
    """Return a value of YAML, which is text, as JSON would have it."""
    if isinstance(value, dict):
        return {
            key: one if key_of(key) in PHOTO_KEYS else _plain(one) for key, one in value.items()
        }
    if isinstance(value, list):
        return _plain_all(value)
    return MARKS.get(value.lower(), value) if isinstance(value, str) else value


def _plain_all(values: list[Any]) -> list[Any]:
    """Return a list of YAML as JSON would have it: text in it is a name."""
    return [_plain(one) if isinstance(one, dict) else one for one in values]
