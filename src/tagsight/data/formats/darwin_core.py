"""Darwin Core archives, of museums and GBIF: occurrences of species, and their media.

https://dwc.tdwg.org/text. ``meta.xml`` says which column of which file is what; without it the
headers of ``occurrence.txt`` and ``multimedia.txt`` do.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, is_file, photo_path, require_file
from tagsight.data.tables.named_rows import delimiter_of, header_of
from tagsight.data.tables.names import is_address, is_photo
from tagsight.data.tables.text import records
from tagsight.data.taxa import species_in
from tagsight.data.xml_files import elements, root_name
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.xml_files import Element

logger = logging.getLogger(__name__)

META, OCCURRENCES, MULTIMEDIA = "meta.xml", "occurrence.txt", "multimedia.txt"
IDS = ("gbifID", "coreid", "id", "occurrenceID")
"""Columns that join media to their occurrence, where there is no ``meta.xml``."""

NAMES = frozenset({"species", "scientificName", "specificEpithet"})
ADDRESSES = frozenset({"identifier", "accessURI"})
LARGEST_META, LARGEST_FILE = 2**20, 2**30
TERMS = frozenset({"occurrence", "multimedia", "image"})
"""Ends of the types of rows, in lower case, of which this is about."""

ABOVE_SPECIES = frozenset(
    {"kingdom", "phylum", "class", "order", "suborder", "superfamily", "family", "subfamily"}
    | {"tribe", "genus", "subgenus", "unranked"}
)


@dataclass(frozen=True)
class _Part:
    """A table of an archive.

    Attributes:
        file: The file.
        columns: Position of each term, by its name without the address.
        id: Position of the occurrence's id.
        delimiter: Delimiter of its cells.
        is_quoted: Whether quotation marks enclose them.
        headers: Lines above the rows.
    """

    file: Path
    columns: Mapping[str, int]
    id: int
    delimiter: str
    is_quoted: bool
    headers: int = 1

    def rows(self, encoding: str | None) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Yield where each row is, its id, and its cells by their terms."""
        require_file(self.file, largest=LARGEST_FILE)
        found = records(self.file, self.delimiter, encoding=encoding, is_quoted=self.is_quoted)
        last = max((self.id, *self.columns.values()))
        for line, cells in islice(found, self.headers, None):
            if len(cells) <= last:
                msg = f"{self.file}:{line}: expected {last + 1} cells or more, got {len(cells)}"
                raise DataError(msg)
            terms = {term: cells[place].strip() for term, place in self.columns.items()}
            yield f"{self.file}:{line}", cells[self.id], terms


def recognises(source: Path) -> bool:
    r"""Return whether a path is the folder of an archive, or one of its files.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("occurrence.txt").write_text("gbifID\tspecies\n1\tAglais io\n")
        >>> recognises(Path()), recognises(Path("occurrence.txt"))
        (True, True)
    """
    if not source.is_dir() and source.name not in {META, OCCURRENCES, MULTIMEDIA}:
        return False
    folder = source if source.is_dir() else source.parent
    if root_name(folder / META) == "archive":
        return True
    tables = ((OCCURRENCES, NAMES), (MULTIMEDIA, ADDRESSES))
    headers = ((set(header_of(folder / name)), columns) for name, columns in tables)
    return any(header & columns and header & {*IDS} for header, columns in headers)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the species of the occurrences that a photo is of as its labels; others are absent.

    The name of a species is without its authors and what is below a species. Photos of which only
    a genus or the like is known are left out; beside a species, they make other labels unknown.

    Args:
        source: The folder, or ``meta.xml``, ``occurrence.txt`` or ``multimedia.txt`` in it.
        options: Folder of the photos; by default that of the archive, or the usual ones in it. They
            have the names at the end of their addresses, or the ids of occurrences.

    Raises:
        DataError: If the archive names no photos, or cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("occurrence.txt").write_text("gbifID\tspecies\n1\tAglais io\n")
        >>> _ = Path("multimedia.txt").write_text(
        ...     "gbifID\ttype\tidentifier\n1\tStillImage\thttps://example.org/a.jpg\n"
        ... )
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.names
        (('https:/example.org/a.jpg',), ('Aglais io',))
    """
    folder = source if source.is_dir() else source.parent
    parts, encoding = _parts(folder), options.columns.encoding
    species, addresses = _occurrences(parts["occurrence"], encoding)
    media = parts.get("multimedia") or parts.get("image")
    if media is not None:
        addresses = list(_media(media, encoding))
    photos, ids = _photos(species, addresses)
    if not photos:
        msg = (
            f"{folder}: expected photos of species in {MULTIMEDIA}, or under associatedMedia, got "
            "none; export the archive with its multimedia, and occurrences with their species"
        )
        raise DataError(msg)
    folders = options.folders_around(folder)
    return [replace(tabulate(folder, photos, folders=folders), other_names=ids)]


def _parts(folder: Path) -> dict[str, _Part]:
    """Return the tables of an archive by what their rows are."""
    found: dict[str, _Part] = {}
    if is_file(folder / META):
        for element in elements(folder / META, largest=LARGEST_META):
            kind = element.attributes.get("rowType", "").rpartition("/")[2].lower()
            if kind in TERMS:
                found.setdefault(kind, _described(folder, element))
    for kind, name in (("occurrence", OCCURRENCES), ("multimedia", MULTIMEDIA)):
        if kind not in found and (header := header_of(folder / name)):
            found[kind] = _headed(folder / name, header)
    if "occurrence" not in found:
        msg = f"{folder}: expected a table of occurrences in {META}, or {OCCURRENCES}, got none"
        raise DataError(msg)
    if not NAMES & found["occurrence"].columns.keys():
        msg = f"{folder}: expected species or scientificName among the columns, got neither"
        raise DataError(msg)
    return found


def _described(folder: Path, element: Element) -> _Part:
    """Return a table as ``meta.xml`` describes it."""
    where = folder / META
    files = [child for child in element.children if child.name == "files"]
    name = files[0].child_text("location") if files else ""
    ids = [child.attributes for child in element.children if child.name in {"id", "coreid"}]
    fields = [child.attributes for child in element.children if child.name == "field"]
    written = element.attributes
    delimiter = written.get("fieldsTerminatedBy", ",").replace("\\t", "\t")
    try:
        columns = {
            one["term"].rstrip("/").rpartition("/")[2]: int(one["index"])
            for one in fields
            if one.get("index")
        }
        place, headers = int(ids[0]["index"]), int(written.get("ignoreHeaderLines") or 0)
    except (KeyError, ValueError, IndexError):
        msg = f"{where}: expected a term and an index of each field, and an index of the id"
        raise DataError(msg) from None
    if min((place, headers, *columns.values())) < 0 or len(delimiter) != 1:
        msg = f"{where}: expected a delimiter and positions from 0, got others for {name!r}"
        raise DataError(msg)
    file = folder / photo_path(name, str(where))
    return _Part(
        file, columns, place, delimiter, bool(written.get("fieldsEnclosedBy", '"')), headers
    )


def _headed(file: Path, header: list[str]) -> _Part:
    """Return a table as its header names its columns."""
    columns = {name.rpartition(":")[2]: place for place, name in enumerate(header)}
    ids = [columns[name] for name in IDS if name in columns]
    if not ids:
        msg = f"{file}: expected a column of ids, {' or '.join(IDS)}, got {', '.join(header[:5])}"
        raise DataError(msg)
    with file.open(encoding="utf-8-sig", errors="replace") as handle:
        delimiter = delimiter_of(handle.readline(2**16))
    return _Part(file, columns, ids[0], delimiter, is_quoted=delimiter != "\t")


def _occurrences(
    part: _Part, encoding: str | None
) -> tuple[dict[str, str | None], list[tuple[str, str, str]]]:
    """Return the species of each occurrence, None if it is not known, and media beside them."""
    species: dict[str, str | None] = {}
    media: list[tuple[str, str, str]] = []
    for where, key, row in part.rows(encoding):
        if row.get("occurrenceStatus", "").lower() != "absent":
            species[key] = _species(row, where)
            listed = row.get("associatedMedia", "").split("|")
            media += [(where, key, one.strip()) for one in listed if one.strip()]
    return species, media


def _species(row: Mapping[str, str], where: str) -> str | None:
    genus, epithet = row.get("genus", ""), row.get("specificEpithet", "")
    name = row.get("species") or (f"{genus} {epithet}" if genus and epithet else "")
    if not name and "species" not in row and row.get("taxonRank", "").lower() not in ABOVE_SPECIES:
        name = row.get("scientificName", "")
        name = species_in(name) or (name if "taxonRank" in row else "")
    return clean_name(name, where) or None


def _media(part: _Part, encoding: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield where each photo is named, the id of its occurrence, and its address."""
    others = 0
    for where, key, row in part.rows(encoding):
        address = row.get("identifier") or row.get("accessURI") or ""
        kind = row.get("format", "").lower() or row.get("type", "").rpartition("/")[2].lower()
        is_image = kind.startswith(("image", "stillimage"))
        if address and (is_image or (not kind and (is_photo(address) or is_address(address)))):
            yield where, key, address
        else:
            others += 1
    if others:
        logger.info("%s: %s left out that are no photos", part.file, amount(others, "row"))


def _photos(
    species: Mapping[str, str | None], media: list[tuple[str, str, str]]
) -> tuple[list[PhotoLabels], tuple[str, ...]]:
    """Return the photos, and a name of each by its occurrence, if each has only one."""
    present: dict[str, set[str | None]] = {}
    occurrence: dict[str, str] = {}
    for where, key, address in media:
        if key in species:
            photo = photo_path(address.partition("?")[0], where)
            present.setdefault(photo, set()).add(species[key])
            occurrence.setdefault(photo, key)
    known = {photo: names for photo, names in present.items() if names != {None}}
    if left := len(present) - len(known):
        logger.info("%s left out of which no species is known", amount(left, "photo"))
    photos = [
        PhotoLabels(photo, {n for n in names if n is not None}, has_nameless=None in names)
        for photo, names in known.items()
    ]
    most = max(Counter(occurrence[photo] for photo in known).values(), default=0)
    ids = tuple(photo_path(f"{occurrence[photo]}.jpg", "") for photo in known)
    return photos, ids if most == 1 else ()


FORMAT = Format(
    "darwin-core",
    "a Darwin Core archive, of museums and GBIF: a folder with occurrence.txt and multimedia.txt",
    "occurrence.txt   gbifID  species      multimedia.txt   gbifID  type        identifier\n"
    "                 1       Aglais io                     1       StillImage  https://.../a.jpg",
    recognises,
    read,
    (OCCURRENCES, MULTIMEDIA),
    certain=True,
    is_text=True,
)
