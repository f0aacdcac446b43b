"""Keywords in XMP: where programs keep them, and how they are read.

Photo managers use ``dc:subject`` (the keyword itself), and ``lr:hierarchicalSubject``,
``digiKam:TagsList`` and ``MicrosoftPhoto:LastKeywordXMP`` (the path of a keyword, such as
``animal/dog``). Our own namespace records which keywords we have added, and apart from them which
ones a new sidecar repeats of those inside the photo. XMP Specification Part 1
(ISO 16684-1); Metadata Working Group, Guidelines 2.0.

Reading accepts whatever programs write: any array, plain text, attributes, several descriptions,
and any encoding. Writing is stricter (`tagsight.tagging.sidecars.xmp`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.tags.encoding import Encoded
from tagsight.data.tags.xmp_tree import RDF, check_size, parse
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.data.tags.xmp_tree import Element


class Property(NamedTuple):
    """A property that holds an array of keywords.

    Attributes:
        namespace: URI of its namespace.
        container: Kind of array to create, as photo managers do.
        between: Separator of the levels of a label; None for the last level alone.
        also: Another URI that some programs use for the namespace.
    """

    namespace: str
    container: str = "Bag"
    between: str | None = "/"
    also: str | None = None


SUBJECT = "dc:subject"
RECORD = "tagsight:Labels"
REPEATED = "tagsight:Repeated"
OURS = "urn:tagsight:xmp:1.0/"
PROPERTIES = {
    SUBJECT: Property("http://purl.org/dc/elements/1.1/", between=None),
    "lr:hierarchicalSubject": Property("http://ns.adobe.com/lightroom/1.0/", between="|"),
    "digiKam:TagsList": Property("http://www.digikam.org/ns/1.0/", container="Seq"),
    "MicrosoftPhoto:LastKeywordXMP": Property(
        "http://ns.microsoft.com/photo/1.0", also="http://ns.microsoft.com/photo/1.0/"
    ),
    RECORD: Property(OURS),
    REPEATED: Property(OURS),
}
PATHS = [name for name in PROPERTIES if name not in {SUBJECT, RECORD, REPEATED}]

CONTAINERS = frozenset(RDF + kind for kind in ("Bag", "Seq", "Alt"))
VALUE = RDF + "value"

_SEPARATORS = re.compile(r"\s*[,;]\s*")
"""Separators of keywords where a property is text instead of an array."""


class Record(NamedTuple):
    """Record of a keyword that we have added.

    Attributes:
        name: The label.
        confirmed: Whether a person has confirmed it since.
    """

    name: str
    confirmed: bool


class Keywords(NamedTuple):
    """Keywords of a photo, in order.

    Attributes:
        words: Items of ``dc:subject``.
        paths: Items of the other properties; ``/`` separates levels.
        recorded: Keywords that we have added, whether or not they are still there.
        repeated: Keywords by a person inside the photo, which we have repeated in a new sidecar,
            whether or not they are still there.
    """

    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    recorded: tuple[Record, ...] = ()
    repeated: tuple[str, ...] = ()


def read_keywords(content: bytes) -> Keywords:
    """Read the keywords of a sidecar, or of the packet in a photo.

    Raises:
        DataError: If the content is not XMP, or exceeds the limits of `xmp_tree.parse`.

    Example:
        >>> packet = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description '
        >>> packet += b'xmlns:d="http://purl.org/dc/elements/1.1/" d:subject="dog"/></r:RDF>'
        >>> read_keywords(packet).words
        ('dog',)
    """
    check_size(content)
    rdf = rdf_of(parse(Encoded.of_xml(content).content))
    paths = (
        value.replace(PROPERTIES[name].between or "/", "/")
        for name in PATHS
        for value in _texts(rdf, name)
    )
    records = (record_of(item) for array in _properties(rdf, RECORD) for item in _items(array))
    return Keywords(
        tuple(filter(None, _texts(rdf, SUBJECT))),
        tuple(filter(None, paths)),
        tuple(record for record in records if record.name),
        tuple(filter(None, _texts(rdf, REPEATED))),
    )


def rdf_of(root: Element) -> Element:
    """Return the ``rdf:RDF`` of XMP.

    Raises:
        DataError: If there is not exactly one.

    Example:
        >>> document = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{RDF}"/></x:xmpmeta>'
        >>> rdf_of(parse(document.encode())).tag
        b'r:RDF'
    """
    found = [element for element in root.walk() if element.name == RDF + "RDF"]
    if len(found) != 1:
        msg = f"expected XMP, XML with one rdf:RDF, got {len(found)}"
        raise DataError(msg)
    return found[0]


def record_of(item: Element) -> Record:
    """Parse an item of our record, whose fields some programs turn into attributes.

    Example:
        >>> item = f'<li xmlns:t="{OURS}" t:Name="dog" t:Confirmed="2026-11-25"/>'
        >>> record_of(parse(item.encode()))
        Record(name='dog', confirmed=True)
    """
    fields = {
        name.removeprefix(OURS): value.strip()
        for element in item.walk()
        for name, value in ((element.name, element.text), *element.attributes.items())
        if name.startswith(OURS)
    }
    return Record(fields.get("Name", ""), "Confirmed" in fields)


def _texts(rdf: Element, name: str) -> Iterator[str]:
    """Yield the values of a property, written as an array, as text or as an attribute."""
    for description in rdf.children:
        for one in names_of(name):
            yield from _SEPARATORS.split(description.attributes.get(one, "").strip())
    for found in _properties(rdf, name):
        for item in _items(found):
            text = text_of(item)
            yield from _SEPARATORS.split(text) if item is found else [text]


def text_of(item: Element) -> str:
    """Return the text of an item of an array, without what qualifies it, such as its author.

    Example:
        >>> item = f'<li xmlns:r="{RDF}"><r:value>dog</r:value><by>me</by></li>'
        >>> text_of(parse(item.encode()))
        'dog'
    """
    parts = list(item.walk())
    for part in parts:
        if part.name == VALUE or VALUE in part.attributes:
            return part.attributes.get(VALUE, part.text).strip()
    return " ".join(part.text.strip() for part in parts).strip()


def _properties(rdf: Element, name: str) -> Iterator[Element]:
    uris = names_of(name)
    for description in rdf.children:
        yield from (child for child in description.children if child.name in uris)


def names_of(name: str) -> set[str]:
    """Return namespace and local name, joined, of the elements of a property.

    Example:
        >>> sorted(names_of("dc:subject"))
        ['http://purl.org/dc/elements/1.1/subject']
    """
    kind, local = PROPERTIES[name], name.partition(":")[2]
    return {namespace + local for namespace in (kind.namespace, kind.also) if namespace}


def _items(found: Element) -> list[Element]:
    arrays = [child for child in found.children if child.name in CONTAINERS]
    return [item for array in arrays for item in array.children] if arrays else [found]
