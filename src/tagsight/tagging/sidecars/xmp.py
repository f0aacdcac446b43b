"""Add keywords to XMP sidecars and remove them, without touching any other byte.

Photo managers look for keywords in several properties (`tagsight.data.tags.xmp`), each in the first
one that it finds. So ours stand where there are keywords already, and where there are none, in all
of them. Our own namespace records model, time and score of each keyword that we add.

The file is never serialised anew (`tagsight.tagging.sidecars.packet`): programs keep develop
settings, masks and history in the same file, with their own prefixes, order, white space and
comments, and a serialiser would change all of these.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tagsight.data.tags.authors import NONE
from tagsight.data.tags.text import leaf, levels, same
from tagsight.data.tags.xmp import (
    PATHS,
    PROPERTIES,
    RECORD,
    REPEATED,
    SUBJECT,
    record_of,
)
from tagsight.data.tags.xmp_tree import check_size
from tagsight.tagging.sidecars.edit import Addition, Edit, Stamp, Tag, check_names, is_writable
from tagsight.tagging.sidecars.packet import BLANK, Packet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tagsight.data.tags.xmp import Keywords

_ITEM = "\0"
"""Stands for an item; no XML has it."""


def add_keywords(
    content: bytes | None,
    tags: Sequence[Tag],
    stamp: Stamp,
    *,
    declined: Collection[str] = (),
    elsewhere: Collection[str] = (),
    inside: Keywords = NONE,
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
        inside: Keywords by a person inside the photo. Programs stop looking at them once there is a
            sidecar, so that a new one repeats them, in each property and as those of a person.

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
    packet = None if content is None else Packet(content)
    there = {name: [] if packet is None else packet.values(name) for name in PROPERTIES}
    words = (*_keywords(there), *elsewhere, *inside.words, *map(leaf, inside.paths))
    keywords = {same(word) for word in words}
    known = {same(name) for name in (*there[RECORD], *declined)}
    keyed = ((*_keys(tag.name), tag) for tag in tags)
    new = {key: tag for key, word, tag in keyed if word not in keywords and key not in known}
    if not new:
        return None
    check_names(tag.name for tag in new.values())
    additions: list[Addition] = []
    items = _repeated(inside) or {SUBJECT: _copies(there, elsewhere)}
    for name in _places(there, elsewhere):
        added = _items(name, new.values(), stamp, {same(word) for word in there[name]})
        items[name] = [*items.get(name, ()), *added.values()]
        additions += added
    edited = _new_sidecar(items) if packet is None else _with_items(packet, items)
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
    packet = Packet(content)
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
    packet = Packet(content)
    records = map(record_of, packet.items(RECORD))
    confirmed = [record.name for record in records if record.confirmed]
    for name in PROPERTIES:
        kept = {_value(name, label) for label in confirmed}
        added = (one.value for one in additions if one.place == name)
        packet.remove(name, [value for value in added if value not in kept])
    return packet.edited()


def has_copies_alone(content: bytes) -> bool:
    """Return whether XMP holds nothing but keywords that a new sidecar repeated, in our template.

    Raises:
        DataError: If the content is no XMP that can be edited.

    Example:
        >>> from tagsight.data.tags.xmp import Keywords
        >>> tags, inside = [Tag("dog", 0.9)], Keywords(("sky",))
        >>> edit = add_keywords(None, tags, Stamp("model", "2026"), inside=inside)
        >>> has_copies_alone(edit.content)
        False
        >>> has_copies_alone(remove_keywords(edit.content, edit.additions))
        True
    """
    packet = Packet(content)
    copies = {same(leaf(name.replace("|", "/"))) for name in packet.values(REPEATED)}
    for name in PROPERTIES:
        values = packet.values(name)
        packet.remove(
            name, [value for value in values if same(leaf(value.replace("|", "/"))) in copies]
        )
    return is_blank(packet.edited())


def is_blank(content: bytes) -> bool:
    """Return whether XMP holds nothing but our template; in a PNG exiftool changes its end.

    Example:
        >>> is_blank(BLANK), is_blank(BLANK.replace(b"RDF", b"rdf"))
        (True, False)
    """
    return content.replace(b'end="r"', b'end="w"').split() == BLANK.split()


def keywords(content: bytes) -> list[str]:
    """Return the keywords in ``dc:subject``.

    Raises:
        DataError: If the content is not XMP that can be edited.

    Example:
        >>> edit = add_keywords(None, [Tag("animal/dog", 0.9)], Stamp("model", "2026-11-25"))
        >>> keywords(edit.content)
        ['dog']
    """
    return Packet(content).values(SUBJECT)


def _items(
    name: str, tags: Iterable[Tag], stamp: Stamp, have: Collection[str]
) -> dict[Addition, str]:
    """Return what tags add to a property, and the items as they are written."""
    items = {}
    for tag in tags:
        addition, text = _written(name, tag.name)
        if not have or same(addition.value) not in have:
            items[addition] = _record(text, tag.score, stamp) if name == RECORD else text
    return items


@lru_cache(maxsize=65_536)
def _written(name: str, label: str) -> tuple[Addition, str]:
    """Return what a label adds to a property, and its text in XML."""
    value = _value(name, label)
    return Addition(name, value), escape(value)


@lru_cache(maxsize=65_536)
def _keys(label: str) -> tuple[str, str]:
    """Return what other labels and other keywords must differ from."""
    return same(label), same(leaf(label))


def _places(there: Mapping[str, Sequence[str]], elsewhere: Collection[str]) -> list[str]:
    """Return the properties that take ours: a new one would hide the keywords that others have."""
    paths = [name for name in PATHS if there[name]]
    has_none = not (paths or there[SUBJECT] or elsewhere)
    return [SUBJECT, *(PATHS if has_none else paths), RECORD]


def _with_items(packet: Packet, items: Mapping[str, Sequence[str]]) -> bytes:
    for name, added in items.items():
        packet.add(name, added)
    return packet.edited()


def _new_sidecar(items: Mapping[str, Sequence[str]]) -> bytes:
    """Write a sidecar with the properties that have items into `BLANK`."""
    names = tuple(name for name in PROPERTIES if items.get(name))
    start, *pieces = _frame(names)
    parts = [start]
    for between, behind, name in zip(pieces[::2], pieces[1::2], names, strict=True):
        parts += [between.join(items[name]), behind]
    return "".join(parts).encode()


@cache
def _frame(names: tuple[str, ...]) -> list[str]:
    """Return the text before, between and behind the items of a new sidecar, two per property."""
    items = {name: [_ITEM, _ITEM] for name in names}
    return _with_items(Packet(BLANK), items).decode().split(_ITEM)


def _keywords(there: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the keywords of a photo: those in ``dc:subject``, and the last level of each path."""
    for word in there[SUBJECT]:
        yield from (word, word.rpartition("|")[2])
    for name, values in there.items():
        if name not in {SUBJECT, RECORD}:
            yield from (leaf(value.replace("|", "/")) for value in values)


def _repeated(inside: Keywords) -> dict[str, list[str]]:
    """Return the keywords inside a photo as items of each property of a new sidecar.

    Programs take the first property that they know, so that each has all of them.
    """
    if not inside.words and not inside.paths:
        return {}
    words, paths = (list(filter(is_writable, some)) for some in inside[:2])
    known = {same(part) for path in paths for part in (*levels(path), *path.split("/"))}
    subject: dict[str, str] = {}
    for word in (*words, *map(leaf, paths)):
        subject.setdefault(same(word), word)
    flat = [word for word in words if same(word.replace("|", "/")) not in known]
    items = {SUBJECT: [*subject.values()], REPEATED: [*dict.fromkeys((*paths, *words))]}
    for name in PATHS:
        between = PROPERTIES[name].between or ""
        items[name] = [path.replace("/", between) for path in paths]
        items[name] += flat if between == "|" else [word.replace("|", between) for word in flat]
    return {name: list(map(escape, values)) for name, values in items.items()}


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


def _record(name: str, score: float, stamp: Stamp) -> str:
    """Write an item of our record; the name is escaped already."""
    return f"{_field('Name', name)}{_field('Score', f'{score:.4f}')}{_origin(stamp)}"


@lru_cache(maxsize=8)
def _origin(stamp: Stamp) -> str:
    """Write the fields that all records of a run share."""
    return _field("Model", escape(stamp.model)) + _field("Date", escape(stamp.date))


def _field(name: str, text: str) -> str:
    return f"<tagsight:{name}>{text}</tagsight:{name}>"
