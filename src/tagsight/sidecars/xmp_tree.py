"""An XMP packet as elements that know where they lie in the file: to be edited in place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

LARGEST = 2**24
"""Bytes of a sidecar; real ones have some thousands."""

DEEPEST = 100
"""Elements within one another."""


@dataclass
class Element:
    """An element and its places in the file.

    Attributes:
        name: Namespace and local name, joined.
        start: Of its ``<``.
        opened: Behind the ``>`` of its start tag.
        closing: Of the ``<`` of its end tag, ``end`` if it has none.
        end: Behind all of it.
        tag: Its name as it is written, such as ``rdf:li``.
        attributes: By namespace and local name.
        children: Elements within, in their order.
        text: Within itself, without that of its children.
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
        """``rdf:`` of ``rdf:li``, empty if there is none."""
        return self.tag[: self.tag.rfind(b":") + 1]

    def walk(self) -> Iterator[Element]:
        """This element and all within."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(content: bytes) -> Element:
    """Read XML into elements.

    Entities and document types, which could make much of little, are refused.

    Raises:
        DataError: If it is too large or deep, not well-formed, or not in UTF-8.
    """
    if len(content) > LARGEST:
        msg = f"expected a sidecar of at most {LARGEST:,} bytes, got {len(content):,}"
        raise DataError(msg)
    builder = _Builder(content)
    try:
        builder.parser.Parse(content, True)  # noqa: FBT003 - its signature
    except expat.ExpatError as error:
        msg = f"expected well-formed XML, got: {error}"
        raise DataError(msg) from error
    assert builder.root is not None
    return builder.root


class _Builder:
    def __init__(self, content: bytes) -> None:
        self.root: Element | None = None
        self._content = content
        self._open: list[Element] = []
        # An empty separator joins namespace and local name, as RDF does.
        self.parser = parser = expat.ParserCreate(namespace_separator="")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
            msg = "expected XML in UTF-8, got something else"
            raise DataError(msg)

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
            msg = f"expected XML in UTF-8, got {encoding}"
            raise DataError(msg)

    def _document_type(self, *_: object) -> None:
        msg = "expected XMP, got XML with a document type"
        raise DataError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == DEEPEST:
            msg = f"expected at most {DEEPEST} elements within one another, got more"
            raise DataError(msg)
        start = self.parser.CurrentByteIndex
        # Well-formed up to here: a > within quotes belongs to a value.
        found = re.compile(rb"<([^\s/>]+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*>").match(
            self._content, start
        )
        assert found is not None
        element = Element(name, start, found.end(), found[1], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if self._content[element.opened - 2 : element.opened] == b"/>":
            element.closing = element.end = element.opened
        else:
            element.closing = self.parser.CurrentByteIndex
            element.end = self._content.index(b">", element.closing) + 1

    def _text(self, text: str) -> None:
        self._open[-1].text += text
