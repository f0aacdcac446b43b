"""HTML elements that escape what they contain.

Text becomes HTML in one place: everything but `Html` is escaped, so that names of labels and photos
cannot be markup, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tagsight.runtime.escaping import printable

LONGEST_NAME = 300
"""Longest name shown, in characters."""

_VOID = {"img", "input", "meta"}
"""Elements without an end tag."""


class Html(str):
    """Text that is HTML and is not escaped again.

    Example:
        >>> element("p", Html("<b>3</b>")), element("p", "<b>3</b>")
        ('<p><b>3</b></p>', '<p>&lt;b&gt;3&lt;/b&gt;</p>')
    """

    __slots__ = ()


def element(tag: str, *content: object, **attributes: object) -> Html:
    """Write an HTML element.

    Args:
        tag: Name of the element.
        content: `Html`, which is taken as it is; iterables of content; None, which is nothing; and
            anything else, whose text is escaped, control characters included.
        attributes: Values of attributes; None and False leave one out, and True is an empty value.
            An underscore at the end of a name is dropped, others become hyphens.

    Example:
        >>> element("p", "a < b", element("b", 3), class_="note", hidden=True, title=None)
        '<p class="note" hidden="">a &lt; b<b>3</b></p>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{"" if value is True else text(value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    inner = joined(*content)
    return Html(f"<{tag}{written}>" if tag in _VOID else f"<{tag}{written}>{inner}</{tag}>")


def joined(*content: object) -> Html:
    """Join content of `element` without an element around it.

    Example:
        >>> joined("a & b", [element("br_"), None])
        'a &amp; b<br_></br_>'
    """
    return Html("".join(_written(part) for part in content))


def text(value: object) -> Html:
    r"""Escape text for HTML, and control characters so that they are seen.

    Example:
        >>> text('<b> & "c"\x00')
        '&lt;b&gt; &amp; &quot;c&quot;\\x00'
    """
    return Html(escape(printable(str(value))))


def name(value: object) -> Html:
    """Write a name from outside: on its own in a text of another direction, and shortened.

    Args:
        value: Name of a label or of a photo.

    Example:
        >>> name("<dog>")
        '<bdi>&lt;dog&gt;</bdi>'
        >>> len(name("x" * 1000))
        311
    """
    whole = str(value)
    short = whole if len(whole) <= LONGEST_NAME else f"{whole[: LONGEST_NAME - 1]}…"
    return element("bdi", short)


def _written(part: object) -> str:
    if part is None:
        return ""
    if isinstance(part, Html):
        return part
    if isinstance(part, Iterable) and not isinstance(part, str | bytes):
        return joined(*part)
    return text(part)
