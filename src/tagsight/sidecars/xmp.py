"""Keywords in XMP sidecars, put in and taken out without touching another byte.

What photo managers read: ``dc:subject`` (the word itself), ``lr:hierarchicalSubject``,
``digiKam:TagsList`` and ``MicrosoftPhoto:LastKeywordXMP`` (the whole path of a label such as
``animal/dog``). A namespace of our own says of each keyword of ours which model found it, when, and
with which score. XMP Specification Part 1 (ISO 16684-1); Metadata Working Group, Guidelines 2.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from tagsight.errors import DataError
from tagsight.sidecars.edit import Addition, Edit, leaf, same
from tagsight.sidecars.xmp_tree import RDF, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tagsight.sidecars.edit import Stamp, Tag
    from tagsight.sidecars.xmp_tree import Element


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
    there = {name: [] if content is None else _values(content, name) for name in PROPERTIES}
    subjects = {same(word) for word in there[SUBJECT]}
    known = {same(name) for name in (*there[RECORD], *declined)}
    new = {
        same(tag.name): tag
        for tag in tags
        if same(leaf(tag.name)) not in subjects and same(tag.name) not in known
    }
    if not new:
        return None
    edited, additions = _BLANK if content is None else content, []
    for name in PROPERTIES:
        have = {same(word) for word in there[name]}
        items = {}
        for tag in new.values():
            if same(value := _value(name, tag.name)) not in have:
                items[value] = _record(tag, stamp) if name == RECORD else escape(value)
        edited = _with_items(edited, name, list(items.values()))
        additions += [Addition(name, value) for value in items]
    return Edit(edited, tuple(tag.name for tag in new.values()), tuple(additions))


def remove_keywords(content: bytes, additions: Collection[Addition]) -> bytes:
    """Take out what was added, and leave whatever else has come since.

    Raises:
        DataError: If the content is no XMP that can be edited.
    """
    for name in PROPERTIES:
        values = {added.value for added in additions if added.place == name}
        content = _without_items(content, name, values)
    return content


def is_blank(content: bytes) -> bool:
    """Whether nothing is there but what we begin a sidecar with."""
    return content.split() == _BLANK.split()


def keywords(content: bytes) -> list[str]:
    """The words of ``dc:subject``.

    Raises:
        DataError: If the content is no XMP that can be edited.
    """
    return _values(content, SUBJECT)


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


def _values(content: bytes, name: str) -> list[str]:
    array = _array(_descriptions(content), name)
    return [] if array is None else [_item_value(item, name) for item in array.children]


def _item_value(item: Element, name: str) -> str:
    if name != RECORD:
        return item.text.strip()
    names = (element.text.strip() for element in item.walk() if element.name == OURS + "Name")
    return next(names, "")


def _descriptions(content: bytes) -> Element:
    """The element ``rdf:RDF``."""
    found = [element for element in parse(content).walk() if element.name == RDF + "RDF"]
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


def _array(rdf: Element, name: str) -> Element | None:
    found = _property(rdf, name)
    if found is None:
        return None
    if len(found.children) != 1 or found.children[0].name not in CONTAINERS or found.text.strip():
        msg = f"expected {name} as a Bag or Seq, got something else"
        raise DataError(msg)
    return found.children[0]


def _with_items(content: bytes, name: str, items: Sequence[str]) -> bytes:
    if not items:
        return content
    rdf = _descriptions(content)
    array = _array(rdf, name)
    if array is None:
        return _with_array(content, rdf, name, items)
    texts = [_item(array.prefix, name, item) for item in items]
    space = _space_before(content, array.children[0]) if array.children else b""
    return _inserted(content, array, [space + text for text in texts])


def _with_array(content: bytes, rdf: Element, name: str, items: Sequence[str]) -> bytes:
    prefix, kind = rdf.prefix, PROPERTIES[name].container.encode()
    listed = [b"\n     " + _item(prefix, name, item) for item in items]
    declared = f'{name} xmlns:{name.partition(":")[0]}="{PROPERTIES[name].namespace}"'.encode()
    array = _element(prefix + kind, b"".join([*listed, b"\n    "]))
    text = _element(declared, b"\n    " + array + b"\n   ")
    places = [child for child in rdf.children if child.name == RDF + "Description"]
    lines = b"\n   " + text
    if not places:
        described = prefix + b"Description " + prefix + b'about=""'
        lines = b"\n  " + _element(described, lines + b"\n  ")
    if b"\r\n" in content:
        lines = lines.replace(b"\n", b"\r\n")
    return _inserted(content, places[0] if places else rdf, [lines])


def _item(prefix: bytes, name: str, item: str) -> bytes:
    if name != RECORD:
        return _element(prefix + b"li", item.encode())
    declared = f' xmlns:tagsight="{OURS}" '.encode() + prefix + b'parseType="Resource"'
    return _element(prefix + b"li" + declared, item.encode())


def _element(start: bytes, content: bytes) -> bytes:
    return b"<" + start + b">" + content + b"</" + start.split()[0] + b">"


def _inserted(content: bytes, element: Element, texts: Sequence[bytes]) -> bytes:
    """Texts behind the last child of an element."""
    text = b"".join(texts)
    if element.end == element.opened:  # <empty/>
        opened = content[: element.end - 2].rstrip() + b">"
        return opened + text + b"</" + element.tag + b">" + content[element.end :]
    place = element.children[-1].end if element.children else element.opened
    return content[:place] + text + content[place:]


def _without_items(content: bytes, name: str, values: Collection[str]) -> bytes:
    """Items taken out of an array, and the array with its last one."""
    rdf = _descriptions(content)
    found, array = _property(rdf, name), _array(rdf, name)
    if found is None or array is None:
        return content
    leaving = [item for item in array.children if _item_value(item, name) in values]
    if leaving and len(leaving) == len(array.children):
        leaving = [found]
    for element in reversed(leaving):
        start = element.start - len(_space_before(content, element))
        content = content[:start] + content[element.end :]
    return content


def _space_before(content: bytes, element: Element) -> bytes:
    before = content[: element.start]
    return before[len(before.rstrip(b" \t\r\n")) :]
