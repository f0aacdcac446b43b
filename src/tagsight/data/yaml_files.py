"""YAML of others, within bounds, with all values as text."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Any

from tagsight.errors import DataError

MOST_EVENTS = 50


def yaml_beginning(text: str) -> list[tuple[str, str]]:
    r"""Return how YAML begins: the kind of each of its first parts, and its text if it has one.

    Kinds are ``{``, ``}``, ``[``, ``]`` and ``=`` for text. What follows may be cut off or wrong.

    Example:
        >>> yaml_beginning("dog: [a.jpg]")
        [('{', ''), ('=', 'dog'), ('[', ''), ('=', 'a.jpg'), (']', ''), ('}', '')]
        >>> yaml_beginning("dog: [a.jpg, ")
        [('{', ''), ('=', 'dog'), ('[', ''), ('=', 'a.jpg')]
    """
    import yaml

    kinds: dict[type[yaml.Event], str] = {
        yaml.MappingStartEvent: "{",
        yaml.MappingEndEvent: "}",
        yaml.SequenceStartEvent: "[",
        yaml.SequenceEndEvent: "]",
        yaml.ScalarEvent: "=",
    }
    found: list[tuple[str, str]] = []
    events = islice(yaml.parse(text, _loader()), MOST_EVENTS)
    with suppress(yaml.YAMLError, RecursionError, ValueError):  # what has begun is known
        found.extend((kinds[type(e)], getattr(e, "value", "")) for e in events if type(e) in kinds)
    return found


def _loader() -> Any:  # noqa: ANN401 - of a library without types
    import yaml

    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # in C it is four times as quick


def parse_yaml(
    text: str,
    where: str,
    kinds: type[Any] | tuple[type[Any], ...] = dict,
) -> Any:  # noqa: ANN401 - plain-data border
    r"""Parse YAML with all values as text: a class may be called ``no``, ``on`` or ``1.0``.

    Args:
        text: The YAML.
        where: Its file, for errors.
        kinds: What it must hold: ``dict``, ``list`` or both.

    Raises:
        DataError: If it is no YAML of these kinds, or has aliases.

    Example:
        >>> parse_yaml("train: images\nnames: [no, yes]", "data.yaml")
        {'train': 'images', 'names': ['no', 'yes']}
    """
    import yaml

    try:
        # An alias stands for what it repeats, so that a small file could expand without limit.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, _loader())):
            msg = f"{where}: expected YAML without aliases (*name), got one"
            raise DataError(msg)
        content = yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        msg = f"{where}: expected YAML, got: {' '.join(str(error).split())[:200]}"
        raise DataError(msg) from error
    if not isinstance(content, kinds):
        msg = f"{where}: expected keys such as 'names: [dog, cat]', got {str(content)[:80]!r}"
        raise DataError(msg)
    return content
