"""Translates arguments in library messages into flags."""

from __future__ import annotations

import re

_ARGUMENT = re.compile(
    r"(?<![^\s(])`(?P<name>[a-z]\w*(?:\.\w+)*)(?:=(?P<value>[^`\s]+))?`(?![^\s.,;:)])"
)
_FUNCTION = re.compile(r"(?<![^\s(])`tagsight\.(?P<name>[a-z_]+)\((?P<rest>[^`]*)\)`(?![^\s.,;:)])")


def as_flags(message: str) -> str:
    """Translate the arguments and functions named in a message into flags and commands.

    Errors of the library speak to Python users: an argument, an argument with its value, or a
    function of the package stands between backticks. Text quoted from a file or from the user
    stands between other quotation marks and is left alone.

    Example:
        >>> as_flags("expected a new folder, got runs/a; give `resume=True`, or another `out`")
        'expected a new folder, got runs/a; give --resume, or another --out'
        >>> as_flags("try a lower `training.batch_size` or `precision=float32`")
        'try a lower --training.batch_size or --precision float32'
        >>> as_flags("a wrong name; `tagsight.recipes()` lists them")
        "a wrong name; 'tagsight recipes' lists them"
        >>> as_flags("expected a photo, got '`out`'")
        "expected a photo, got '`out`'"
    """
    return _ARGUMENT.sub(_flag, _FUNCTION.sub(_command, message))


def _flag(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    if "." not in name:  # settings keep the spelling that files have
        name = name.replace("_", "-")
    if value in {None, "True"}:
        return f"--{name}"
    return f"--{name} {value}"


def _command(found: re.Match[str]) -> str:
    words = [found["name"].replace("_", "-"), *found["rest"].split()]
    return f"'tagsight {' '.join(words)}'"
