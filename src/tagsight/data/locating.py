"""Finds the photos that a source of labels names."""

from __future__ import annotations

import difflib
import logging
import os
from array import array
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from tagsight.data.listing import Listing
from tagsight.data.remote.fetching import exists, names_in
from tagsight.data.remote.places import is_remote
from tagsight.data.source import is_folder
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.data.format import Labelled
    from tagsight.data.listing import Found

logger = logging.getLogger(__name__)

MOST_COMPARED = 5_000
"""Names in a folder that are compared with a name that is missing."""


class NoPhotosError(DataError):
    """None of the photos of a source is where it may be."""


class Located(NamedTuple):
    """Photos of a source on this machine.

    Attributes:
        paths: The ``N`` photos.
        root: Folder that names of photos start from, or None for the deepest that holds all.
        none_there: Whether none of them was found, so that ``paths`` are where they may be.
    """

    paths: tuple[Path, ...]
    root: Path | None
    none_there: bool = False


def locate(part: Labelled, *, labels_only: bool = False) -> Located:
    """Find the photos of a source below the folders that may hold them.

    A name is taken as it is written. If no photo has it, the folders are searched once, for a
    photo whose path ends in the same way; or whose name differs in case, Unicode form or ending;
    or in folders. It must be the only one, and no other row may mean it. What was needed is logged.

    Args:
        part: What the source says.
        labels_only: Accept that none of the photos exists.

    Raises:
        NoPhotosError: If none of the photos is in any of the folders, and they are needed.

    Example:
        >>> import torch
        >>> from tagsight.data.format import Labelled
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "animals").mkdir()
        ...     Path(folder, "animals", "a.jpg").touch()
        ...     said = torch.ones(1, 1, dtype=torch.int8)
        ...     part = Labelled("labels.csv", ("cat",), ("a.jpg",), said, folders=(Path(folder),))
        ...     located = locate(part)
        >>> [path.name for path in located.paths]
        ['a.jpg']
    """
    if part.photos and isinstance(part.photos[0], Path):
        return Located(part.photos, part.root)
    names = cast("tuple[str, ...]", part.photos)
    try:
        return _found(part, names)
    except NoPhotosError as error:
        if not labels_only:
            raise
        logger.warning("%s; without photos only the labels are read", error)
    folder = part.folders[0]
    return Located(tuple(folder / name for name in names), _root(names, folder), none_there=True)


def _found(part: Labelled, names: tuple[str, ...]) -> Located:
    folder, missing = _fullest(names, part.folders)
    root = _root(names, folder)
    if not missing:
        return Located(tuple(folder / name for name in names), root)
    listing = Listing(part.folders)
    found = listing.find([names[row] for row in missing])
    if len(missing) < len(names):
        paths = [folder / name for name in names]
        taken = set(paths)
        found = {name: match for name, match in found.items() if match.path not in taken}
    elif not found and len(set(part.other_names)) == len(names):
        return _found(replace(part, other_names=()), part.other_names)
    elif not found:
        raise NoPhotosError(_none_found(part, names, listing))
    else:
        root = Path(os.path.commonpath([match.path.parent for match in found.values()]))
        paths = [root / name for name in names]
    for row in missing:
        if names[row] in found:
            paths[row] = found[names[row]].path
            root = root if root is None or root in paths[row].parents else None
    lost = [names[row] for row in missing if names[row] not in found]
    _log_found(part.source, found)
    if lost:
        logger.warning(
            "%s: %s of %s not there, such as %r%s",
            part.source,
            f"{len(lost):,}",
            amount(len(names), "photo"),
            lost[0],
            _nearest(lost[0], listing),
        )
    return Located(tuple(paths), root)


def _root(names: Sequence[str], folder: Path) -> Path | None:
    """Return the folder that names start from; those of a data frame may be absolute."""
    return None if any(map(os.path.isabs, names)) else folder


def _fullest(names: Sequence[str], folders: Sequence[Path]) -> tuple[Path, Sequence[int]]:
    """Return the folder with most of the photos, and the rows of those that it lacks."""
    best, fewest = folders[0], cast("Sequence[int]", range(len(names)))
    for folder in filter(is_folder, folders):
        present = _Present(folder)
        missing = array("q", (row for row, name in enumerate(names) if name not in present))
        if len(missing) < len(fewest):
            best, fewest = folder, missing
        if not fewest:
            break
    return best, fewest


class _Present:
    """The names below a folder; each folder in it is listed once.

    Where files cannot be listed, all are there if the first one that is asked for is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = str(folder)
        self._names: dict[str, frozenset[str]] = {}
        self._unlisted: bool | None = None

    def __contains__(self, name: str) -> bool:
        if self._unlisted is not None:
            return self._unlisted
        parent, _, last = name.rpartition("/")
        if parent not in self._names:
            names = self._names_in(parent)
            if names is None:
                self._unlisted = exists(self._folder / name)
                return self._unlisted
            self._names[parent] = names
        return last in self._names[parent]

    def _names_in(self, parent: str) -> frozenset[str] | None:
        if is_remote(self._folder):
            return names_in(self._folder / parent)
        return _names_in(os.path.join(self._text, parent or "."))  # noqa: PTH118


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - text, for a million names
    except OSError:
        return frozenset()


def _log_found(source: object, found: dict[str, Found]) -> None:
    kinds = Counter(match.kind for match in found.values())
    if kinds:
        ways = []
        for kind, count in kinds.items():
            name, match = next(item for item in found.items() if item[1].kind == kind)
            place = match.path.name
            if place == name:  # the folder alone says what differs
                place = f"{match.path.parent.name}/{place}"
            ways.append(f"{count:,} by {kind} ({name!r} is {place!r})")
        total = amount(sum(kinds.values()), "photo")
        logger.info("%s: %s found not as written: %s", source, total, ", ".join(ways))


def _none_found(part: Labelled, names: Sequence[str], listing: Listing) -> str:
    tried = " nor in ".join(str(folder) for folder in part.folders)
    return (
        f"expected the photos of {part.source}, found none of {len(names):,}: {names[0]!r} is "
        f"not in {tried}{_nearest(names[0], listing)}; give their folder as `images`"
    )


def _nearest(name: str, listing: Listing) -> str:
    if name in listing.ambiguous:
        return ", where several photos may be meant"
    last = name.rpartition("/")[2]
    there: Iterable[str] = islice(listing.names(), MOST_COMPARED)
    alike = difflib.get_close_matches(last, there, n=1)
    if alike:
        return f"; the nearest name there is {alike[0]!r}"
    example = next(iter(listing.names()), None)
    return f"; {example!r} is there, for example" if example else ""
