"""JSON as people write it in editors: with comments, and commas behind the last entry."""

from __future__ import annotations

import re

COMMENT = "//"
"""Beginning of a comment to the end of the line."""

_STRING = r'"(?:[^"\\]++|\\.)*+"?'
_COMMENT = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
_EXTRA = re.compile(rf"{_STRING}|({_COMMENT}|,(?=(?:\s|{_COMMENT})*+[\]}}]))", re.DOTALL)
"""A text, or what JSON does not have: a comment, or a comma before a bracket."""

_ABOVE = re.compile(rf"(?:\s|{_COMMENT})*+", re.DOTALL)
_BODY = re.compile(r"[^\n]")


def without_comments(text: str) -> str:
    r"""Return JSON with blanks in place of comments, and of commas behind the last entry.

    Lines and columns of the rest, which errors name, stay as they are.

    Example:
        >>> without_comments('[ // mine\n"http://a", /* b */ 1,\n]')
        '[        \n"http://a",         1 \n]'
    """
    return _EXTRA.sub(lambda found: _blank(found[0]) if found[1] else found[0], text)


def behind_comments(text: str) -> str:
    r"""Return JSON without the blanks and comments at its beginning.

    Example:
        >>> behind_comments("// mine\n/* b */ [1]")
        '[1]'
    """
    return text[match.end() :] if (match := _ABOVE.match(text)) else text


def _blank(text: str) -> str:
    return _BODY.sub(" ", text)
