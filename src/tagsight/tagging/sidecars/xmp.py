"""Keywords in XMP sidecars, put in and taken out without touching another byte.

What photo managers read: ``dc:subject`` (the word itself), ``lr:hierarchicalSubject``,
``digiKam:TagsList`` and ``MicrosoftPhoto:LastKeywordXMP`` (the whole path of a label such as
``animal/dog``). A namespace of our own says of each keyword of ours which model found it, when, and
with which score. XMP Specification Part 1 (ISO 16684-1); Metadata Working Group, Guidelines 2.0.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Addition, Edit, check_names, leaf, same
from tagsight.tagging.sidecars.xmp_tree import RDF, check_size, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tagsight.tagging.sidecars.edit import Stamp, Tag
    from tagsight.tagging.sidecars.xmp_tree import Element


class Property(NamedTuple):
    """An array of a photo's keywords.

    Attributes:
        namespace: Its URI.
        container: The array that photo managers make, where there is none yet.
        between: What stands between the levels of a label; None for the last level alone.
        also: Another URI that some programs give it.
    """

    namespace: str
    container: str = "Bag"
    between: str | None = "/"
    also: str | None = None


SUBJECT = "dc:subject"
RECORD = "tagsight:Labels"
OURS = "urn:tagsight:xmp:1.0/"
PROPERTIES = {
    SUBJECT: Property("http://purl.org/dc/elements/1.1/", between=None),
    "lr:hierarchicalSubject": Property("http://ns.adobe.com/lightroom/1.0/", between="|"),
    "digiKam:TagsList": Property("http://www.digikam.org/ns/1.0/", container="Seq"),
    "MicrosoftPhoto:LastKeywordXMP": Property(
        "http://ns.microsoft.com/photo/1.0", also="http://ns.microsoft.com/photo/1.0/"
    ),
    RECORD: Property(OURS),
}

CONTAINERS = frozenset(RDF + kind for kind in ("Bag", "Seq", "Alt"))

_NOTES = re.compile(rb"<[!?]")
"""Comments and instructions, which somebody has put there."""

_BLANK = b"""\
<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def add_keywords(
    content: bytes | None, tags: Sequence[Tag], stamp: Stamp, *, declined: Collection[str] = ()
) -> Edit | None:
    """Put keywords into a sidecar, behind those that are there.

    A keyword that is there, whoever wrote it, stays as it is. One that our namespace knows and that
    is there no more was taken out by somebody, and is not put back.

    Args:
        content: Of the sidecar; None if there is none.
        tags: The labels.
        stamp: What is recorded of all of them.
        declined: Further labels that are not put back.

    Returns:
        The new content and what was added, or None if there is nothing to add.

    Raises:
        DataError: If the content is no XMP that can be edited.
    """
    packet = _Packet(_BLANK if content is None else content)
    there = {name: packet.values(name) for name in PROPERTIES}
    keywords = {same(word) for word in _keywords(there)}
    known = {same(name) for name in (*there[RECORD], *declined)}
    new = {
        same(tag.name): tag
        for tag in tags
        if same(leaf(tag.name)) not in keywords and same(tag.name) not in known
    }
    if not new:
        return None
    check_names(tag.name for tag in new.values())
    additions = []
    for name in PROPERTIES:
        have = {same(word) for word in there[name]}
        items = {}
        for tag in new.values():
            if same(value := _value(name, tag.name)) not in have:
                items[value] = _record(tag, stamp) if name == RECORD else escape(value)
        packet.add(name, list(items.values()))
        additions += [Addition(name, value) for value in items]
    edited = packet.edited()
    check_size(edited)  # or it could not be read again, nor taken back
    return Edit(edited, tuple(tag.name for tag in new.values()), tuple(additions))


def remove_keywords(content: bytes, additions: Collection[Addition]) -> bytes:
    """Take out what was added, and leave whatever else has come since.

    Raises:
        DataError: If the content is no XMP that can be edited.
    """
    packet = _Packet(content)
    for name in PROPERTIES:
        packet.remove(name, [added.value for added in additions if added.place == name])
    return packet.edited()


def is_blank(content: bytes) -> bool:
    """Whether nothing is there but what we begin a sidecar with."""
    return content.split() == _BLANK.split()


def keywords(content: bytes) -> list[str]:
    """The words of ``dc:subject``.

    Raises:
        DataError: If the content is no XMP that can be edited.
    """
    return _Packet(content).values(SUBJECT)


def _keywords(there: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The words that a photo has: those alone, and the last of each path."""
    yield from there[SUBJECT]
    for name, values in there.items():
        if between := PROPERTIES[name].between if name != RECORD else None:
            yield from (value.rpartition(between)[2] for value in values)


def _value(name: str, label: str) -> str:
    if name == RECORD:
        return label
    between = PROPERTIES[name].between
    return leaf(label) if between is None else label.replace("/", between)


def _record(tag: Tag, stamp: Stamp) -> str:
    fields = {"Name": tag.name, "Score": f"{tag.score:.4f}"} | stamp._asdict()
    return "".join(
        f"<tagsight:{field.capitalize()}>{escape(value)}</tagsight:{field.capitalize()}>"
        for field, value in fields.items()
    )


class _Packet:
    """A sidecar that is read once, and what is to be changed in it.

    Raises:
        DataError: If it is no XMP that can be edited.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._rdf = _rdf(parse(content))
        self._properties = {name: _property(self._rdf, name) for name in PROPERTIES}
        self._arrays = {name: _array(found, name) for name, found in self._properties.items()}
        self._new: list[bytes] = []  # properties that were not there
        self._changes: list[tuple[int, int, bytes]] = []  # from, to, and what takes its place

    def values(self, name: str) -> list[str]:
        """The items of an array."""
        array = self._arrays[name]
        return [] if array is None else [_item_value(item, name) for item in array.children]

    def add(self, name: str, items: Sequence[str]) -> None:
        """Put items behind those of an array, and make the array if there is none."""
        found, array = self._properties[name], self._arrays[name]
        if not items:
            return
        if array is not None:
            texts = [_item(array.prefix, name, item) for item in items]
            space = _space_before(self._content, array.children[0]) if array.children else b""
            self._insert(array, b"".join(space + text for text in texts))
            return
        prefix, kind = self._rdf.prefix, PROPERTIES[name].container.encode()
        listed = [b"\n     " + _item(prefix, name, item) for item in items]
        within = b"\n    " + _element(prefix + kind, b"".join([*listed, b"\n    "])) + b"\n   "
        if found is not None:
            self._insert(found, self._with_its_line_ends(within))
            return
        declared = f'{name} xmlns:{name.partition(":")[0]}="{PROPERTIES[name].namespace}"'.encode()
        self._new.append(b"\n   " + _element(declared, within))

    def remove(self, name: str, values: Sequence[str]) -> None:
        """Take items out of an array, one for each value, and the array with its last one."""
        found, array = self._properties[name], self._arrays[name]
        if found is None or array is None:
            return
        wanted = Counter(values)
        leaving: list[Element] = []
        for item in array.children:
            if wanted[value := _item_value(item, name)] > 0:
                wanted[value] -= 1
                leaving.append(item)
        whole = self._content[found.start : found.end]
        if leaving and len(leaving) == len(array.children) and not _NOTES.search(whole):
            leaving = [found]
        for element in leaving:
            space = _space_before(self._content, element)
            self._changes.append((element.start - len(space), element.end, b""))

    def edited(self) -> bytes:
        """The content with all changes made."""
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
        return b"".join([*parts, self._content[place:]])

    def _insert(self, element: Element, text: bytes) -> None:
        """Text behind the last child of an element."""
        if element.end == element.opened:  # <empty/>
            start = len(self._content[: element.end - 2].rstrip())
            text = b">" + text + b"</" + element.tag + b">"
            self._changes.append((start, element.end, text))
        else:
            place = element.children[-1].end if element.children else element.opened
            self._changes.append((place, place, text))

    def _with_its_line_ends(self, lines: bytes) -> bytes:
        return lines.replace(b"\n", b"\r\n") if b"\r\n" in self._content else lines


def _item_value(item: Element, name: str) -> str:
    if name != RECORD:
        return item.text.strip()
    names = (element.text.strip() for element in item.walk() if element.name == OURS + "Name")
    return next(names, "")


def _rdf(root: Element) -> Element:
    found = [element for element in root.walk() if element.name == RDF + "RDF"]
    if len(found) != 1:
        msg = f"expected XMP, XML with one rdf:RDF, got {len(found)}"
        raise DataError(msg)
    return found[0]


def _property(rdf: Element, name: str) -> Element | None:
    kind, local = PROPERTIES[name], name.partition(":")[2]
    wanted = {namespace + local for namespace in (kind.namespace, kind.also) if namespace}
    found = []
    for description in rdf.children:
        if not wanted.isdisjoint(description.attributes):
            msg = f"expected {name} as an array, got it as an attribute"
            raise DataError(msg)
        found += [child for child in description.children if child.name in wanted]
    if len(found) > 1:
        msg = f"expected {name} at most once, got it {len(found)} times"
        raise DataError(msg)
    return found[0] if found else None


def _array(found: Element | None, name: str) -> Element | None:
    """The array of a property; None if there is none, or nothing in the property."""
    if found is None or not (found.children or found.text.strip()):
        return None
    if len(found.children) != 1 or found.children[0].name not in CONTAINERS or found.text.strip():
        msg = f"expected {name} as a Bag or Seq, got something else"
        raise DataError(msg)
    return found.children[0]


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
