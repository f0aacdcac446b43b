"""XML files of others, read element by element within bounds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from tagsight.data.source import is_file, require_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK = 2**16
"""Bytes of a file in which its root must begin."""

CHUNK = 2**16
DEEPEST = 32
MOST_ELEMENTS = 2**18
"""Elements, attributes and texts below one child of the root."""


class Element(NamedTuple):
    r"""An element of an XML file.

    Attributes:
        name: Its name.
        attributes: Its attributes.
        children: The elements in it.
        texts: Its own text, in parts.

    Example:
        >>> dog = Element("object", {}, [Element("name", {}, [], [" dog", "\n"])], [])
        >>> dog.child_text("name"), dog.child_text("pose")
        ('dog', '')
    """

    name: str
    attributes: dict[str, str]
    children: list[Element]
    texts: list[str]

    @property
    def text(self) -> str:
        """Its own text, without the white space around."""
        return "".join(self.texts).strip()

    def child_text(self, name: str) -> str:
        """Return the text of the first child of a name, or nothing."""
        return next((child.text for child in self.children if child.name == name), "")


def root_name(file: Path) -> str | None:
    """Return the name of a file's root, or None if it is no XML.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.xml")
        ...     _ = file.write_text("<annotation><object/></annotation>")
        ...     root_name(file), [element.name for element in elements(file, largest=1000)]
        ('annotation', ['object'])
    """
    if not is_file(file):
        return None
    with file.open("rb") as handle:
        start = handle.read(LOOK)
    builder = _Builder()
    with suppress(expat.ExpatError, DataError):  # what has begun is known
        builder.parser.Parse(start, False)  # noqa: FBT003 - positional only
    return builder.root


def elements(file: Path, *, largest: int) -> Iterator[Element]:
    """Yield the children of a file's root, each with all below it, as the file is read.

    Document types are refused: with entities, a small file could expand without limit.

    Args:
        file: The file.
        largest: Most bytes of the file.

    Raises:
        DataError: If the file is too large or not well-formed, has a document type, or an element
            that is too deep or has too many others in it.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.xml")
        ...     _ = file.write_text("<annotation><object><name>cat</name></object></annotation>")
        ...     [child.child_text("name") for child in elements(file, largest=1000)]
        ['cat']
    """
    builder = _Builder()
    with require_file(file, largest=largest).open("rb") as handle:
        try:
            while chunk := handle.read(CHUNK):
                builder.parser.Parse(chunk, False)  # noqa: FBT003 - positional only
                yield from builder.taken()
            builder.parser.Parse(b"", True)  # noqa: FBT003 - positional only
        except (expat.ExpatError, DataError) as error:
            msg = f"{file}: expected well-formed XML, got: {error}"
            raise DataError(msg) from error
    yield from builder.taken()


class _Builder:
    def __init__(self) -> None:
        self.root: str | None = None
        self._open: list[Element] = []
        self._complete: list[Element] = []
        self._number = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def taken(self) -> list[Element]:
        taken, self._complete = self._complete, []
        return taken

    def _document_type(self, *_: object) -> None:
        msg = "a document type, which is not read: remove the line <!DOCTYPE ...>"
        raise DataError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self.root is None:
            self.root = name
        self._count(1 + len(attributes))
        if len(self._open) == DEEPEST:
            msg = f"more than {DEEPEST} elements within one another"
            raise DataError(msg)
        element = Element(name, attributes, [], [])
        if len(self._open) > 1:
            self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if len(self._open) == 1:
            self._complete.append(element)
            self._number = 0

    def _text(self, text: str) -> None:
        if len(self._open) > 1:
            self._count(1)
            self._open[-1].texts.append(text)

    def _count(self, number: int) -> None:
        self._number += number
        if self._number > MOST_ELEMENTS:
            msg = f"more than {MOST_ELEMENTS:,} elements, attributes and texts in one element"
            raise DataError(msg)
