"""Photos in folders, found by names that differ from theirs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from tagsight.data.photos.finding import find_photos
from tagsight.data.source import is_folder
from tagsight.data.tables.names import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MOST_LISTED = 1_000_000
"""Photos in the folders; more are not looked at."""

MOST_ALIKE = 100
"""Photos of one name in different folders that a name is compared with."""

PATH, CASE, UNICODE, ENDING, FOLDER, SPELLING, NUMBER = (
    "the end of their path",
    "another case",
    "another Unicode form",
    "another ending",
    "their name in another folder",
    "another spelling",
    "their number",
)

INVISIBLE = re.compile("[\\u200b-\\u200f\\u2060\\ufeff]")
"""Characters that nobody sees, which copying brings into names."""

_NUMBERED = re.compile(r"0*(\d{1,18})(?:\.0*)?", re.ASCII)


class Found(NamedTuple):
    """A photo, and in what its path differs from the name, in words."""

    path: Path
    kind: str


class _Photo(NamedTuple):
    path: Path
    parts: tuple[str, ...]  # below the folder


class Listing:
    """All photos in some folders and in the folders inside.

    Args:
        folders: The folders; those inside another one are listed once.

    Attributes:
        ambiguous: Names for which several photos may be meant.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "IMG_1.JPG").touch()
        ...     found = Listing([Path(folder)]).find(["img_1.jpg", "b.jpg"])
        >>> {name: (photo.path.name, photo.kind) for name, photo in found.items()}
        {'img_1.jpg': ('IMG_1.JPG', 'another case')}
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.ambiguous: set[str] = set()
        self._by_stem: dict[str, list[_Photo]] = {}
        self._by_two: dict[tuple[str, str], list[_Photo]] = {}
        self._by_number: dict[str, list[_Photo]] = {}
        for photo in islice(_photos(folders), MOST_LISTED):
            stem = _stem(photo.parts[-1])
            self._by_stem.setdefault(stem, []).append(photo)
            if len(photo.parts) > 1:
                self._by_two.setdefault((_folded(photo.parts[-2]), stem), []).append(photo)
            if number := _NUMBERED.fullmatch(stem):
                self._by_number.setdefault(number[1], []).append(photo)

    def names(self) -> Iterator[str]:
        """Yield the names of the photos, without their folders."""
        return (photo.parts[-1] for photos in self._by_stem.values() for photo in photos)

    def find(self, names: Sequence[str]) -> dict[str, Found]:
        """Find the one photo that each name can mean; a photo that two names mean is left out."""
        if not self._by_stem:
            return {}
        found = {name: match for name in names if (match := self._best(name)) is not None}
        uses = Counter(match.path for match in found.values())
        self.ambiguous |= {name for name, match in found.items() if uses[match.path] > 1}
        return {name: match for name, match in found.items() if uses[match.path] == 1}

    def _best(self, name: str) -> Found | None:
        found = self._alike(name)
        if found is None and name not in self.ambiguous and (other := _respelled(name)) != name:
            found = self._alike(other)
            found = found and found._replace(kind=SPELLING)
        number = _NUMBERED.fullmatch(_stem(name))
        if found is None and number and name not in self.ambiguous:
            photos = self._by_number.get(number[1], [])
            if len(photos) > 1:
                self.ambiguous.add(name)
            elif photos:
                return Found(photos[0].path, NUMBER)
        return found

    def _alike(self, name: str) -> Found | None:
        parts = tuple(name.split("/"))
        photos = self._candidates(parts)
        ranks = [rank for photo in photos if (rank := _rank(photo, parts)) is not None]
        if not ranks:
            return None
        best = max(ranks, key=lambda rank: rank[:2])
        if sum(rank[:2] == best[:2] for rank in ranks) > 1:
            self.ambiguous.add(name)
            return None
        return best.found

    def _candidates(self, parts: tuple[str, ...]) -> Sequence[_Photo]:
        stem = _stem(parts[-1])
        two = self._by_two.get((_folded(parts[-2]), stem), ()) if len(parts) > 1 else ()
        photos = two or self._by_stem.get(stem, ())
        if len(photos) > MOST_ALIKE:
            self.ambiguous.add("/".join(parts))
            return ()
        return photos


class _Rank(NamedTuple):
    folders: int
    likeness: int
    found: Found


def _rank(photo: _Photo, parts: tuple[str, ...]) -> _Rank | None:
    """Compare a photo with a name; None if folders and name both differ."""
    pairs = zip(reversed(photo.parts[:-1]), reversed(parts[:-1]), strict=False)
    shared = len(list(takewhile(lambda pair: _folded(pair[0]) == _folded(pair[1]), pairs)))
    in_place = shared == min(len(parts), len(photo.parts)) - 1
    likeness, kind = _likeness(photo.parts[-1], parts[-1])
    if kind is None:
        kind = PATH if in_place and len(photo.parts) < len(parts) else FOLDER
    elif not in_place:
        return None
    return _Rank(shared, likeness, Found(photo.path, kind))


def _likeness(photo: str, name: str) -> tuple[int, str | None]:
    if photo == name:
        return 3, None
    if _composed(photo) == _composed(name):
        return 2, UNICODE
    if photo.lstrip() == name.lstrip():
        return 2, SPELLING
    return (1, CASE) if _folded(photo) == _folded(name) else (0, ENDING)


def _photos(folders: Sequence[Path]) -> Iterator[_Photo]:
    """Yield the photos below some folders, each once."""
    existing = [folder for folder in dict.fromkeys(folders) if is_folder(folder)]
    for folder in existing:
        if not set(folder.parents) & set(existing):
            depth = len(folder.parts)
            for path in find_photos([folder], on_problem=lambda *_: None, only_files=True):
                yield _Photo(path, path.parts[depth:])


def _stem(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return _folded(stem if dot and f".{ending.lower()}" in ENDINGS else name)


def _respelled(name: str) -> str:
    """Return a name without what addresses and cells add to it.

    These are percent signs, the query of an address, quotation marks, and characters that nobody
    sees.
    """
    plain = INVISIBLE.sub("", unquote(name.partition("?")[0])).strip('" ')
    return plain.rstrip(". ") or name


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """Return a name by which those are alike that differ in case, form or blanks before them."""
    return (name if name.isascii() else _composed(name)).lstrip().casefold()
