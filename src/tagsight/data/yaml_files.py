"""YAML of others, within bounds, with all values as text."""

from __future__ import annotations

from typing import Any

from tagsight.errors import DataError


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    r"""Parse YAML with all values as text: a class may be called ``no``, ``on`` or ``1.0``.

    Args:
        text: The YAML.
        where: Its file, for errors.

    Raises:
        DataError: If it is no YAML with keys, or has aliases.

    Example:
        >>> parse_yaml("train: images\nnames: [no, yes]", "data.yaml")
        {'train': 'images', 'names': ['no', 'yes']}
    """
    import yaml

    try:
        # An alias stands for what it repeats, so that a small file could expand without limit.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            msg = f"{where}: expected YAML without aliases (*name), got one"
            raise DataError(msg)
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        msg = f"{where}: expected YAML, got: {' '.join(str(error).split())[:200]}"
        raise DataError(msg) from error
    if not isinstance(content, dict):
        msg = f"{where}: expected settings such as 'names: [dog, cat]', got {str(content)[:80]!r}"
        raise DataError(msg)
    return content
