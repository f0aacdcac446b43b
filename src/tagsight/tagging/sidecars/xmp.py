"""Add keywords to XMP sidecars and remove them, without touching any other byte.

Each keyword is added to all properties in which photo managers look for them
(`tagsight.data.tags.xmp`). Our own namespace records model, time and score of each keyword that we
add.

An edit is a list of replacements of byte ranges, which `tagsight.data.tags.xmp_tree` gives for each
element. The file is never serialised anew: programs keep develop settings, masks and history in the
same file, with their own prefixes, order, white space and comments, and a serialiser would change
all of these.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from tagsight.data.tags.text import leaf, same
from tagsight.data.tags.xmp import (
    CONTAINERS,
    OURS,
    PROPERTIES,
    RECORD,
    SUBJECT,
    names_of,
    rdf_of,
    record_of,
)
from tagsight.data.tags.xmp_tree import RDF, check_size, parse
from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Addition, Edit, Stamp, Tag, check_names, is_writable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tagsight.data.tags.xmp_tree import Element


_NOTES = re.compile(rb"<[!?]")
"""Start of a comment or processing instruction."""

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
    content: bytes | None,
    tags: Sequence[Tag],
    stamp: Stamp,
    *,
    declined: Collection[str] = (),
    elsewhere: Collection[str] = (),
) -> Edit | None:
    """Append keywords to those of a sidecar, or of the packet in a photo.

    Existing keywords are left unchanged, whoever wrote them. A keyword that our record names but
    that is gone was removed by somebody, and is not added again.

    Args:
        content: Content of the sidecar; None if there is no file.
        tags: The labels.
        stamp: Origin to record.
        declined: Further labels that are not added.
        elsewhere: Keywords that the photo has outside its packet. Programs stop looking at them
            once ``dc:subject`` exists, so that they are copied to it, as those of a person.

    Returns:
        The new content and what is new in it, or None if there is nothing to add.

    Raises:
        DataError: If the content is not XMP that can be edited.

    Example:
        >>> tags = [Tag("animal/dog", 0.9), Tag("grass", 0.8)]
        >>> edit = add_keywords(None, tags, Stamp("model", "2026-11-25T08:00:00+00:00"))
        >>> keywords(edit.content)
        ['dog', 'grass']
        >>> keywords(remove_keywords(edit.content, edit.additions))
        []
    """
    packet = _Packet(_BLANK if content is None else content)
    there = {name: packet.values(name) for name in PROPERTIES}
    keywords = {same(word) for word in (*_keywords(there), *elsewhere)}
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
    copies = _copies(there, elsewhere)
    for name in PROPERTIES:
        have = {same(word) for word in there[name]}
        items = {}
        for tag in new.values():
            value = _value(name, tag.name)
            if not have or same(value) not in have:
                items[value] = _record(tag, stamp) if name == RECORD else escape(value)
        packet.add(name, [*(copies if name == SUBJECT else ()), *items.values()])
        additions += [Addition(name, value) for value in items]
    edited = packet.edited()
    check_size(edited)  # refuse what could not be read back and undone
    return Edit(edited, tuple(tag.name for tag in new.values()), tuple(additions))


def confirm_keywords(
    content: bytes, date: str, *, labels: Collection[str] | None = None
) -> Edit | None:
    """Record that a person has confirmed the keywords that we added and that are still there.

    Args:
        content: Content of the sidecar.
        date: Time of the confirmation, in ISO 8601.
        labels: The labels that are confirmed; by default all.

    Returns:
        The new content and the labels confirmed, or None if there is nothing to confirm.

    Raises:
        DataError: If the content is not XMP that can be edited.

    Example:
        >>> edit = add_keywords(None, [Tag("dog", 0.9)], Stamp("model", "2026-11-25"))
        >>> confirm_keywords(edit.content, "2026-11-26").names
        ('dog',)
    """
    packet = _Packet(content)
    there = {same(word) for word in packet.values(SUBJECT)}
    meant = None if labels is None else {same(label) for label in labels}
    names = []
    for item in packet.items(RECORD):
        record = record_of(item)
        is_meant = meant is None or same(record.name) in meant
        if is_meant and not record.confirmed and same(leaf(record.name)) in there:
            packet.confirm(item, date)
            names.append(record.name)
    return Edit(packet.edited(), tuple(names), ()) if names else None


def remove_keywords(content: bytes, additions: Collection[Addition]) -> bytes:
    """Remove keywords that were added and that no person has confirmed; keep everything else.

    Raises:
        DataError: If the content is no XMP that can be edited.

    Example:
        >>> edit = add_keywords(None, [Tag("dog", 0.9), Tag("sky", 0.8)], Stamp("model", "2026"))
        >>> confirmed = confirm_keywords(edit.content, "2026-11-26", labels=["dog"])
        >>> keywords(remove_keywords(confirmed.content, edit.additions))
        ['dog']
    """
    packet = _Packet(content)
    records = map(record_of, packet.items(RECORD))
    confirmed = [record.name for record in records if record.confirmed]
    for name in PROPERTIES:
        kept = {_value(name, label) for label in confirmed}
        added = (one.value for one in additions if one.place == name)
        packet.remove(name, [value for value in added if value not in kept])
    return packet.edited()


def is_blank(content: bytes) -> bool:
    """Return whether XMP holds nothing but our template; in a PNG exiftool changes its end.

    Example:
        >>> is_blank(_BLANK), is_blank(_BLANK.replace(b"RDF", b"rdf"))
        (True, False)
    """
    return content.replace(b'end="r"', b'end="w"').split() == _BLANK.split()


def keywords(content: bytes) -> list[str]:
    """Return the keywords in ``dc:subject``.

    Raises:
        DataError: If the content is not XMP that can be edited.

    Example:
        >>> edit = add_keywords(None, [Tag("animal/dog", 0.9)], Stamp("model", "2026-11-25"))
        >>> keywords(edit.content)
        ['dog']
    """
    return _Packet(content).values(SUBJECT)


def _keywords(there: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the keywords of a photo: those in ``dc:subject``, and the last level of each path."""
    yield from there[SUBJECT]
    for name, values in there.items():
        if between := PROPERTIES[name].between if name != RECORD else None:
            yield from (value.rpartition(between)[2] for value in values)


def _copies(there: Mapping[str, Sequence[str]], elsewhere: Collection[str]) -> list[str]:
    """Return the keywords outside the packet that it lacks, without those that we have added."""
    known = {same(word) for word in there[SUBJECT]} | {same(leaf(n)) for n in there[RECORD]}
    words = {same(word): escape(word) for word in elsewhere if is_writable(word)}
    return [word for key, word in words.items() if key not in known]


def _value(name: str, label: str) -> str:
    if name == RECORD:
        return label
    between = PROPERTIES[name].between
    return leaf(label) if between is None else label.replace("/", between)


def _record(tag: Tag, stamp: Stamp) -> str:
    return _fields(Name=tag.name, Score=f"{tag.score:.4f}") + _origin(stamp)


@lru_cache(maxsize=8)
def _origin(stamp: Stamp) -> str:
    """Write the fields that all records of a run share."""
    return _fields(**stamp._asdict())


def _fields(**values: str) -> str:
    return "".join(
        f"<tagsight:{field.capitalize()}>{escape(value)}</tagsight:{field.capitalize()}>"
        for field, value in values.items()
    )


@cache
def _blank_rdf() -> Element:
    return rdf_of(parse(_BLANK))


class _Packet:
    """A parsed sidecar and the replacements to make in it.

    All positions are those in the original content, so that replacements can be collected in any
    order and made in one pass.

    Raises:
        DataError: If the content is not XMP that can be edited.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._rdf = _blank_rdf() if content is _BLANK else rdf_of(parse(content))
        self._properties = {name: _property(self._rdf, name) for name in PROPERTIES}
        self._arrays = {name: _array(found, name) for name, found in self._properties.items()}
        self._new: list[bytes] = []  # properties to create
        self._changes: list[tuple[int, int, bytes]] = []  # start, end, replacement

    def items(self, name: str) -> list[Element]:
        """Return the items of an array."""
        array = self._arrays[name]
        return [] if array is None else array.children

    def values(self, name: str) -> list[str]:
        """Return the values of the items of an array."""
        return [_item_value(item, name) for item in self.items(name)]

    def add(self, name: str, items: Sequence[str]) -> None:
        """Append items to an array, which is created if needed."""
        found, array = self._properties[name], self._arrays[name]
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
        listed = [b"\n     " + _item(prefix, name, item) for item in items]
        within = b"\n    " + _element(prefix + kind, b"".join([*listed, b"\n    "])) + b"\n   "
        if found is not None:
            self._insert(found, self._with_its_line_ends(within))
            return
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
        return b"".join([*parts, self._content[place:]])

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
    return record_of(item).name if name == RECORD else item.text.strip()


def _property(rdf: Element, name: str) -> Element | None:
    wanted = names_of(name)
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
    """Return the array of a property; None if the property is missing or empty."""
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
