"""Edit arrays of keywords in XMP by replacing byte ranges, which keeps every other byte.

`tagsight.data.tags.xmp_tree` gives the positions of each element. They are those in UTF-8: a
sidecar in another encoding is converted to UTF-8 and back.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape, quoteattr, unescape

from tagsight.data.tags.encoding import Encoded
from tagsight.data.tags.xmp import (
    CONTAINERS,
    OURS,
    PROPERTIES,
    RECORD,
    names_of,
    rdf_of,
    record_of,
    text_of,
)
from tagsight.data.tags.xmp_tree import RDF, check_size, parse
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.tags.xmp_tree import Element


_NOTES = re.compile(rb"<[!?]")
"""Start of a comment or processing instruction."""

_ATTRIBUTE = re.compile(rb"\s++[^\s=]++\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')")

_SEVERAL = re.compile(r"[,;]")

BLANK = b"""\
<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
"""A sidecar without any property."""


class _Property(NamedTuple):
    """Place of a property in XMP, if it is there.

    Attributes:
        element: Its element.
        array: The array in it.
        value: Its only value, as written, if it has no array.
        place: Start and end of what an array replaces: that value, or an attribute.
    """

    element: Element | None = None
    array: Element | None = None
    value: bytes = b""
    place: tuple[int, int] | None = None


class Packet:
    """Parsed XMP, and the replacements to make in it.

    All positions are those in the original content, so that replacements can be collected in any
    order and made in one pass.

    Args:
        content: The XMP.

    Raises:
        DataError: If the content is not XMP that can be edited.

    Example:
        >>> packet = Packet(BLANK.decode().encode("utf-16"))
        >>> packet.add("dc:subject", ["dog"])
        >>> Packet(packet.edited()).values("dc:subject")
        ['dog']
    """

    def __init__(self, content: bytes) -> None:
        check_size(content)
        self._encoded = Encoded.of_xml(content)
        self._content = self._encoded.content
        self._rdf = rdf_of(parse(self._content))
        self._properties = {name: _property(self._content, self._rdf, name) for name in PROPERTIES}
        self._new: list[bytes] = []  # properties to create
        self._changes: list[tuple[int, int, bytes]] = []  # start, end, replacement

    def items(self, name: str) -> list[Element]:
        """Return the items of an array."""
        array = self._properties[name].array
        return [] if array is None else array.children

    def values(self, name: str) -> list[str]:
        """Return the values of a property."""
        if value := self._properties[name].value:
            return [text_of(parse(b"<li>" + value + b"</li>"))]
        return [_item_value(item, name) for item in self.items(name)]

    def add(self, name: str, items: Sequence[str]) -> None:
        """Append items to an array, which is created if needed."""
        found, array, value, place = self._properties[name]
        if not items:
            return
        if array is not None:
            texts = [_item(array.prefix, name, item) for item in items]
            # Indent as the program did that wrote the array.
            space = _space_before(self._content, array.children[0]) if array.children else b""
            self._insert(array, b"".join(space + text for text in texts))
            return
        # The file may bind RDF to any prefix; the one of its rdf:RDF is bound everywhere within.
        prefix, kind = self._rdf.prefix, PROPERTIES[name].container.encode()
        values = [value.decode(), *items] if value else items
        listed = [b"\n     " + _item(prefix, name, item) for item in values]
        within = b"\n    " + _element(prefix + kind, b"".join([*listed, b"\n    "])) + b"\n   "
        if found is not None:
            within = self._with_its_line_ends(within)
            if place is None:
                self._insert(found, within)
            else:
                self._changes.append((*place, within))
            return
        if place is not None:
            self._changes.append((*place, b""))
        declared = f'{name} xmlns:{name.partition(":")[0]}="{PROPERTIES[name].namespace}"'.encode()
        self._new.append(b"\n   " + _element(declared, within))

    def confirm(self, item: Element, date: str) -> None:
        """Add a field to an item of our record, as an element or attribute as its others are."""
        for element in item.walk():
            if element.name == OURS + "Name":
                field = _element(element.prefix + b"Confirmed", escape(date).encode())
                self._changes.append((element.end, element.end, field))
                return
            if OURS + "Name" in element.attributes:
                end = element.opened - (2 if element.end == element.opened else 1)
                attribute = f' xmlns:confirmed="{OURS}" confirmed:Confirmed={quoteattr(date)}'
                self._changes.append((end, end, attribute.encode()))
                return

    def remove(self, name: str, values: Sequence[str]) -> None:
        """Remove one item of an array for each value, and the array with its last item.

        Of equal items the first goes: it is the older one, and so is ours.
        """
        found, array, *_ = self._properties[name]
        if found is None or array is None:
            return
        wanted = Counter(values)
        leaving: list[Element] = []
        for item in array.children:
            if wanted[value := _item_value(item, name)] > 0:
                wanted[value] -= 1
                leaving.append(item)
        whole = self._content[found.start : found.end]
        # An array is removed whole, but not with a comment that somebody has put into it.
        if leaving and len(leaving) == len(array.children) and not _NOTES.search(whole):
            leaving = [found]
        for element in leaving:
            space = _space_before(self._content, element)
            self._changes.append((element.start - len(space), element.end, b""))

    def edited(self) -> bytes:
        """Return the content with all replacements made."""
        if self._new:
            lines, prefix = b"".join(self._new), self._rdf.prefix
            places = [child for child in self._rdf.children if child.name == RDF + "Description"]
            if not places:
                described = prefix + b"Description " + prefix + b'about=""'
                lines = b"\n  " + _element(described, lines + b"\n  ")
            self._insert(places[0] if places else self._rdf, self._with_its_line_ends(lines))
            self._new = []
        parts, place = [], 0
        for start, end, text in sorted(self._changes):
            parts += [self._content[place:start], text]
            place = end
        return self._encoded.encoded(b"".join([*parts, self._content[place:]]))

    def _insert(self, element: Element, text: bytes) -> None:
        """Insert text after the last child of an element."""
        if element.end == element.opened:  # open up <empty/>
            start = len(self._content[: element.end - 2].rstrip())
            text = b">" + text + b"</" + element.tag + b">"
            self._changes.append((start, element.end, text))
        else:
            place = element.children[-1].end if element.children else element.opened
            self._changes.append((place, place, text))

    def _with_its_line_ends(self, lines: bytes) -> bytes:
        return lines.replace(b"\n", b"\r\n") if b"\r\n" in self._content else lines


def _item_value(item: Element, name: str) -> str:
    return record_of(item).name if name == RECORD else text_of(item)


def _property(content: bytes, rdf: Element, name: str) -> _Property:
    wanted = names_of(name)
    owners = [(one, key) for one in rdf.children for key in wanted & one.attributes.keys()]
    found = [child for one in rdf.children for child in one.children if child.name in wanted]
    if len(owners) + len(found) > 1:
        msg = (
            f"expected {name} once, got it {len(owners) + len(found)} times: join them in one array"
        )
        raise DataError(msg)
    if owners:
        return _attribute(content, *owners[0], name)
    return _within(content, found[0], name) if found else _Property()


def _attribute(content: bytes, owner: Element, key: str, name: str) -> _Property:
    """Find an attribute: the order of attributes is that in the tag, which is well-formed."""
    written = list(_ATTRIBUTE.finditer(content, owner.start, owner.opened))
    if name == RECORD or len(written) != len(owner.attributes):
        msg = f"expected {name} as an array, got it as an attribute"
        raise DataError(msg)
    place = written[list(owner.attributes).index(key)]
    return _Property(value=_single(place[1] or place[2] or b"", name), place=place.span())


def _within(content: bytes, found: Element, name: str) -> _Property:
    """Find the array, or the only value, in the element of a property."""
    text = found.text.strip()
    is_plain = not any(key.startswith(RDF) for key in found.attributes)
    if is_plain and not found.children:
        if not text:
            return _Property(found)
        if name != RECORD:
            place = found.opened, found.closing
            return _Property(found, None, _single(content[slice(*place)], name), place)
    (array, *others) = found.children or [found]
    listed = array.name in CONTAINERS and {item.name for item in array.children} <= {RDF + "li"}
    if not (is_plain and listed) or others or text:
        msg = f"expected {name} as a Bag or Seq, got something else"
        raise DataError(msg)
    return _Property(found, array)


def _single(text: bytes, name: str) -> bytes:
    value = text.strip()
    if _SEVERAL.search(unescape(value.decode())):
        msg = f"expected {name} as a Bag or Seq, got several keywords as one text"
        raise DataError(msg)
    return value


def _item(prefix: bytes, name: str, item: str) -> bytes:
    if name != RECORD:
        return _element(prefix + b"li", item.encode())
    declared = f' xmlns:tagsight="{OURS}" '.encode() + prefix + b'parseType="Resource"'
    return _element(prefix + b"li" + declared, item.encode())


def _element(start: bytes, content: bytes) -> bytes:
    return b"<" + start + b">" + content + b"</" + start.split()[0] + b">"


def _space_before(content: bytes, element: Element) -> bytes:
    start = element.start
    while start and content[start - 1] in b" \t\r\n":
        start -= 1
    return content[start : element.start]
