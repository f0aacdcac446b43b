"""Camtrap DP, the exchange format of camera traps: tables of media and of observations.

https://camtrap-dp.tdwg.org. Observations are of one photo (``observationLevel`` is ``media``), or
of an event, which is a time at one camera.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.json_files import read_json
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, is_file, photo_path
from tagsight.data.tables.named_rows import header_of, named_rows
from tagsight.data.tables.names import is_photo
from tagsight.data.taxa import RANKS, Taxa
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

PACKAGE, MEDIA, OBSERVATIONS = "datapackage.json", "media.csv", "observations.csv"
MEDIA_COLUMNS = ("mediaID", "deploymentID", "timestamp", "filePath")
OBSERVATION_COLUMNS = ("deploymentID", "mediaID", "observationType")
PROFILE = b"camtrap-dp"
"""What the address of the profile in the package contains."""

LOOK = 2**16
UNSURE, UNCLASSIFIED = "unknown", frozenset({"unclassified", ""})
"""Types of observations of something that nobody could name, and of those yet to be made."""

FEWEST_DEPLOYMENTS = 3
"""Deployments from which on each split can have its own."""


class _Media(NamedTuple):
    """A photo: how its row names it, when and where it was taken."""

    name: str
    file: str
    deployment: str
    taken: datetime | None
    row: Mapping[str, str]


@dataclass
class _Seen:
    """Labels from the observations of a photo, or of an event."""

    present: set[str] = field(default_factory=set)
    says_all: bool = True

    def add(self, row: Mapping[str, str], where: str) -> None:
        kind, name = row["observationType"], clean_name(row.get("scientificName", ""), where)
        if kind == UNSURE or (kind == "animal" and not name):
            self.says_all = False
        elif kind != "blank":
            self.present.add(name or kind)

    @property
    def says_something(self) -> bool:
        return self.says_all or bool(self.present)


def recognises(source: Path) -> bool:
    """Return whether a path is a package of Camtrap DP, or a file of one.

    Example:
        >>> from pathlib import Path
        >>> profile = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0/camtrap-dp-profile.json"
        >>> _ = Path("datapackage.json").write_text(f'{{"profile": "{profile}", "resources": []}}')
        >>> recognises(Path()), recognises(Path("datapackage.json"))
        (True, True)
    """
    if not source.is_dir() and source.name not in {PACKAGE, MEDIA, OBSERVATIONS}:
        return False
    folder = _folder(source)
    return (
        _has_profile(folder / PACKAGE)
        or set(MEDIA_COLUMNS) <= set(header_of(folder / MEDIA))
        or set(OBSERVATION_COLUMNS) <= set(header_of(folder / OBSERVATIONS))
    )


def _folder(source: Path) -> Path:
    return source if source.is_dir() else source.parent


def _has_profile(file: Path) -> bool:
    if not is_file(file):
        return False
    with file.open("rb") as handle:
        return PROFILE in handle.read(LOOK)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the species that people saw in a photo, and ``human`` or ``vehicle``, as labels.

    Others are absent, as all are where an observation is ``blank``; they are unknown beside an
    animal without a name. A family, or another group, that stands beside species is present where
    the package says so, and unknown where it may be (`Taxa`). An observation of an event is one of
    all photos of its time, other than those that have observations of their own. What a machine has
    classified and nobody confirmed is not used. Photos about which nobody has said anything are
    left out, and so are videos.

    Photos of a deployment are a group, which stays on one side of a split, if there are three or
    more; ``group`` may name another column of the media.

    Args:
        source: The folder, or one of ``datapackage.json``, ``media.csv`` and ``observations.csv``.
        options: Folder of the photos; by default that of the package, or the usual ones in it.

    Raises:
        DataError: If a table is missing or cannot be understood, or no person has observed.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("media.csv").write_text(
        ...     "mediaID,deploymentID,timestamp,filePath\nm1,d1,,a.jpg\nm2,d1,,b.jpg\n"
        ... )
        >>> _ = Path("observations.csv").write_text(
        ...     "deploymentID,mediaID,observationType,scientificName\n"
        ...     "d1,m1,animal,Vulpes vulpes\nd1,m2,blank,\n"
        ... )
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('Vulpes vulpes',), [[1], [0]])
    """
    folder = _folder(source)
    media = _media(folder, options)
    seen = _seen(folder / OBSERVATIONS, media, options)
    if left := len(media) - len(seen):
        count = amount(left, "photo")
        logger.info("%s: %s left out, about which nobody has said anything", folder, count)
    taxa = _taxa(folder, seen.values())
    photos = [
        PhotoLabels(
            media[key].name,
            taxa.present(one.present),
            taxa.unknown(one.present),
            has_nameless=not one.says_all,
        )
        for key, one in seen.items()
    ]
    folders = options.folders_around(folder)
    table = tabulate(folder, photos, folders=folders)
    by_name = {media[key].name: media[key] for key in seen}
    return [
        replace(
            table,
            groups=_groups(by_name.values(), options.columns.group_column, folder / MEDIA),
            other_names=tuple(one.file for one in by_name.values()),
        )
    ]


def _taxa(folder: Path, seen: Iterable[_Seen]) -> Taxa:
    """Return the species and groups that people saw, with what the package says is above them."""
    names = set().union(*(one.present for one in seen))
    package, above = folder / PACKAGE, dict[str, set[str]]()
    listed = read_json(package, dict, "a data package").get("taxonomic") if is_file(package) else ()
    for taxon in listed if isinstance(listed, list) else ():
        given = taxon if isinstance(taxon, dict) else {}
        groups = {given[rank] for rank in RANKS if isinstance(given.get(rank), str)}
        if groups and isinstance(given.get("scientificName"), str):
            above[given["scientificName"]] = groups - {given["scientificName"]}
    taxa = Taxa(names, above)
    if taxa.are_mixed:
        logger.info(
            "%s: labels are of several ranks, such as a species and its family: what may be meant "
            "by another is unknown",
            folder,
        )
    return taxa


def _media(folder: Path, options: ReadOptions) -> dict[str, _Media]:
    """Return the photos by their ids."""
    found: dict[str, _Media] = {}
    others = 0
    for where, row in named_rows(folder / MEDIA, MEDIA_COLUMNS, encoding=options.columns.encoding):
        path = row["filePath"].partition("?")[0]
        file = row.get("fileName", "").strip() or path.rpartition("/")[2]
        kind = row.get("fileMediatype") or ("image/" if is_photo(file) else "")
        if not kind.startswith("image/"):
            others += 1
            continue
        if row["mediaID"] in found:
            msg = f"{where}: expected each mediaID once, got {row['mediaID']!r} again"
            raise DataError(msg)
        found[row["mediaID"]] = _Media(
            photo_path(f"{row['deploymentID']}/{file}" if "://" in path else path or file, where),
            photo_path(file, where),
            row["deploymentID"],
            _time(row["timestamp"], where),
            row,
        )
    if others:
        logger.info("%s: %s left out that are no photos", folder / MEDIA, amount(others, "row"))
    return found


def _seen(file: Path, media: Mapping[str, _Media], options: ReadOptions) -> dict[str, _Seen]:
    """Return what people say of photos, by their ids and in their order."""
    of_media: dict[str, _Seen] = defaultdict(_Seen)
    of_events: list[tuple[str, Mapping[str, str], _Seen]] = []
    machine = unknown = 0
    for where, row in named_rows(file, OBSERVATION_COLUMNS, encoding=options.columns.encoding):
        key = row["mediaID"]
        if row.get("classificationMethod") == "machine":
            machine += 1
        elif row["observationType"] in UNCLASSIFIED:
            continue
        elif key in media:
            of_media[key].add(row, where)
        elif key:
            unknown += 1
        else:
            event = _Seen()
            event.add(row, where)
            of_events.append((where, row, event))
    if machine:
        logger.warning(
            "%s: %s by a machine, which nobody has confirmed: not used",
            *(file, amount(machine, "observation")),
        )
    if unknown:
        logger.warning("%s: %s of media that are no photos", file, amount(unknown, "observation"))
    _add_events(file, of_media, of_events, media)
    seen = {key: of_media[key] for key in media if key in of_media}
    seen = {key: one for key, one in seen.items() if one.says_something}
    if not seen:
        msg = (
            f"{file}: expected observations by people of photos in {MEDIA}, got none"
            f"{f' and {machine:,} by a machine: confirm them and export again' if machine else ''}"
        )
        raise DataError(msg)
    return seen


def _add_events(
    file: Path,
    seen: dict[str, _Seen],
    events: Iterable[tuple[str, Mapping[str, str], _Seen]],
    media: Mapping[str, _Media],
) -> None:
    """Add what observations of events say to their photos that have none of their own."""
    own = frozenset(seen)
    times = _Times(media)
    without = 0
    for where, row, event in events:
        keys = list(times.within(row, where))
        without += not keys
        for key in keys:
            if key not in own:
                seen[key].present |= event.present
                seen[key].says_all &= event.says_all
    if added := len(seen) - len(own):
        logger.warning(
            "%s: %s without observations of their own have those of their event, although not "
            "each of them need show what was seen",
            *(file, amount(added, "photo")),
        )
    if without:
        count = amount(without, "observation")
        logger.warning("%s: %s of events without a photo of that time", file, count)


class _Times:
    """The photos of each deployment by the time when they were taken."""

    def __init__(self, media: Mapping[str, _Media]) -> None:
        found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for key, one in media.items():
            if one.taken is not None:
                found[one.deployment].append((one.taken, key))
        self._photos = {deployment: sorted(photos) for deployment, photos in found.items()}

    def within(self, row: Mapping[str, str], where: str) -> Iterator[str]:
        """Yield the ids of the photos that were taken during an event."""
        start = _time(row.get("eventStart", ""), where)
        end = _time(row.get("eventEnd", ""), where)
        photos = self._photos.get(row["deploymentID"], [])
        if start is None or end is None:
            return
        first = bisect_left(photos, start, key=lambda one: one[0])
        last = bisect_right(photos, end, key=lambda one: one[0])
        for _, key in photos[first:last]:
            yield key


def _time(text: str, where: str) -> datetime | None:
    """Return a time, in the zone of the camera if it has none."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        msg = f"{where}: expected a time such as 2020-03-01T22:00:00Z, got {text[:80]!r}"
        raise DataError(msg) from None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _groups(media: Collection[_Media], column: str | None, file: Path) -> tuple[str, ...] | None:
    if column is not None:
        columns = next(iter(media)).row.keys()
        if column not in columns:
            msg = f"{file}: expected a column as `group`, {', '.join(columns)}, got {column!r}"
            raise DataError(msg)
        return tuple(one.row[column] for one in media)
    groups = tuple(one.deployment for one in media)
    return groups if len(set(groups)) >= FEWEST_DEPLOYMENTS else None


FORMAT = Format(
    "camtrap-dp",
    "Camtrap DP, of camera traps: a folder with datapackage.json, media.csv and observations.csv",
    "media.csv          mediaID,deploymentID,timestamp,filePath\n"
    "                   m1,d1,2024-05-01T10:00:00Z,media/a.jpg\n"
    "observations.csv   observationID,deploymentID,mediaID,observationType,scientificName\n"
    "                   o1,d1,m1,animal,Vulpes vulpes",
    recognises,
    read,
    (PACKAGE,),
    certain=True,
    is_text=True,
)
