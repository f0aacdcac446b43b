"""Parse XMP into elements with byte positions, to edit the file in place.

XML libraries drop what they consider insignificant: positions, prefixes, quotes, white space
between attributes. Here expat checks that the file is well-formed and gives the position where each
tag starts; a regular expression then finds the end of the start tag, which is unambiguous because
the file is known to be well-formed up to there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING
from xml.parsers import expat

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

LARGEST = 2**24
"""Most bytes of a sidecar; real ones have some thousands."""

MOST_TAGS = 100_000
"""Most tags and comments; photo managers write hundreds, with drawn masks thousands."""

MOST_ATTRIBUTES = 200_000
"""Most attributes of all elements together."""

LONGEST_NAMESPACE = 256
"""Most characters of a namespace, which becomes part of the names of elements and attributes."""

DEEPEST = 100
"""Most nested elements."""

_XML = "http://www.w3.org/XML/1998/namespace"
# Possessive quantifiers never backtrack, so that matching takes linear time on any input.
_TAG = re.compile(rb"<([^\s/>]++)(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_ATTRIBUTE = re.compile(rb"=\s*+[\"']")


@dataclass(slots=True)
class Element:
    """An element and its byte positions in the file.

    Attributes:
        name: Namespace and local name, joined.
        start: Position of the ``<`` of the start tag.
        opened: Position after the ``>`` of the start tag.
        closing: Position of the ``<`` of the end tag; ``end`` for an empty-element tag.
        end: Position after the element.
        tag: Name as written, such as ``rdf:li``.
        attributes: Values of attributes by their names, namespace and local name joined.
        children: Child elements, in order.
        text: Text of the element itself, without that of its children.

    Example:
        >>> root = parse(b"<r:a xmlns:r='x'><r:b/><c>dog</c></r:a>")
        >>> root.prefix, [element.tag for element in root.walk()], root.children[1].text
        (b'r:', [b'r:a', b'r:b', b'c'], 'dog')
    """

    name: str
    start: int
    opened: int
    tag: bytes
    attributes: dict[str, str]
    closing: int = -1
    end: int = -1
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def prefix(self) -> bytes:
        """Prefix of the tag with its colon, such as ``rdf:``, or empty."""
        return self.tag[: self.tag.rfind(b":") + 1]

    def walk(self) -> Iterator[Element]:
        """Yield this element and all descendants, in document order."""
        # A stack of its own: recursion would be limited by Python's.
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


def parse(content: bytes) -> Element:
    """Parse XML into elements, in time and memory proportional to its size.

    Document types are refused: with entities, a small file could expand without limit. A stated
    encoding is ignored, and so are zeros at the end, with which programs fill space up.

    Args:
        content: The XML, in UTF-8.

    Raises:
        DataError: If the content is too large or too deeply nested, has too many elements or
            attributes, or is not well-formed UTF-8.

    Example:
        >>> root = parse(b"<a><b>text</b></a>")
        >>> [(child.name, child.start, child.end, child.text) for child in root.children]
        [('b', 3, 14, 'text')]
    """
    check_size(content)
    builder = _Builder(content)
    try:
        builder.parser.Parse(content.rstrip(b"\0"), True)  # noqa: FBT003 - its signature
    except expat.ExpatError as error:
        msg = f"expected well-formed XML, got: {error}"
        raise DataError(msg) from error
    assert builder.root is not None
    return builder.root


def check_size(content: bytes) -> None:
    """Bound the work before parsing, with upper bounds of the numbers of tags and attributes.

    Raises:
        DataError: If the content is too large, or has too many tags or attributes.

    Example:
        >>> check_size(b"<a/>")
        >>> try:
        ...     check_size(b"<a/>" * (MOST_TAGS + 1))
        ... except DataError as error:
        ...     print(error)
        expected a sidecar of at most 100,000 tags, got more
    """
    tags = content.count(b"<")
    attributes = content.count(b"=")
    if attributes > MOST_ATTRIBUTES:  # there are more of them in text
        attributes = sum(1 for _ in islice(_ATTRIBUTE.finditer(content), MOST_ATTRIBUTES + 1))
    for count, most, what in (
        (len(content), LARGEST, "bytes"),
        (tags, MOST_TAGS, "tags"),
        (attributes, MOST_ATTRIBUTES, "attributes"),
    ):
        if count > most:
            msg = f"expected a sidecar of at most {most:,} {what}, got more"
            raise DataError(msg)


class _Builder:
    def __init__(self, content: bytes) -> None:
        self.root: Element | None = None
        self._content = content
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        # Namespaces are resolved here, as expat would copy the URI into the name of every element
        # and attribute, which takes quadratic time and memory for a long URI. There is one list
        # per open element: its declarations and those around it, innermost first.
        self._namespaces: list[list[dict[str, str]]] = [[{"": "", "xml": _XML}]]
        self.parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text.startswith(b"<"):
            got = "something else" if text.strip(b"\0") else "an empty file: delete it"
            msg = f"expected XML, got {got}"
            raise DataError(msg)

    def _document_type(self, *_: object) -> None:
        msg = "expected XMP, got XML with a document type"
        raise DataError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == DEEPEST:
            msg = f"expected at most {DEEPEST} elements within one another, got more"
            raise DataError(msg)
        start = self.parser.CurrentByteIndex
        # The tag is well-formed: a > within quotes is part of a value.
        found = _TAG.match(self._content, start)
        assert found is not None
        declared = {
            attribute[6:]: _namespace(value)
            for attribute, value in attributes.items()
            if attribute.startswith("xmlns:") or attribute == "xmlns"
        }
        around = self._namespaces[-1]
        self._namespaces.append([declared, *around] if declared else around)
        values = {
            self._whole(attribute) if ":" in attribute else attribute: value
            for attribute, value in attributes.items()
        }
        element = Element(self._whole(name), start, found.end(), found[1], values)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def _whole(self, name: str) -> str:
        """Join namespace and local name, as RDF does."""
        prefix, _, local = name.rpartition(":")
        if prefix == "xmlns":
            return name
        for declared in self._namespaces[-1]:
            if prefix in declared:
                return declared[prefix] + local
        msg = f"expected well-formed XML, got the prefix {prefix!r} without a namespace"
        raise DataError(msg)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._texts.pop())
        self._namespaces.pop()
        if self._content[element.opened - 2 : element.opened] == b"/>":
            element.closing = element.end = element.opened
        else:
            element.closing = self.parser.CurrentByteIndex
            element.end = self._content.index(b">", element.closing) + 1

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)


def _namespace(uri: str) -> str:
    if len(uri) > LONGEST_NAMESPACE:
        msg = f"expected a namespace of at most {LONGEST_NAMESPACE} characters, got {len(uri):,}"
        raise DataError(msg)
    return uri
