"""Pictures in a folder: a photo, and the files beside it that say something about it."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.hidden import is_hidden
from tagsight.data.photos.suffixes import ALL_SUFFIXES, CAMERA_SUFFIXES, PHOTO_SUFFIXES
from tagsight.data.source import is_folder
from tagsight.data.tags.text import same_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tagsight.data.photos.finding import OnProblem


logger = logging.getLogger(__name__)


class Picture(NamedTuple):
    """A photo that can be decoded, and the files that belong to it.

    Attributes:
        photo: The photo; of a raw file and another photo of the same name, the other one.
        beside: The files, ``photo.jpg.xmp`` or ``photo.xmp``.
    """

    photo: Path
    beside: tuple[Path, ...]


@dataclass(frozen=True)
class Leftover:
    """Files beside photos that belong to no picture, filled while pictures are found.

    Attributes:
        shared: Files that several photos would share.
        without_photo: Files whose photo is missing, or a raw file that cannot be decoded here.

    Example:
        >>> from unittest import TestCase
        >>> leftover = Leftover(without_photo=[Path("a.xmp")])
        >>> with TestCase().assertLogs(logger) as logged:
        ...     leftover.log()
        >>> logged.records[0].getMessage()
        'left out: 1 file without a photo that can be decoded here, the first being a.xmp'
    """

    shared: list[Path] = field(default_factory=list)
    without_photo: list[Path] = field(default_factory=list)

    def log(self) -> None:
        """Log how many there are."""
        for files, reason in (
            (self.shared, "that several photos would share"),
            (self.without_photo, "without a photo that can be decoded here"),
        ):
            if files:
                logger.warning(
                    "left out: %s %s, the first being %s",
                    *(amount(len(files), "file"), reason, files[0]),
                )


def pictures(
    photos: Path,
    beside: Path,
    endings: Sequence[str],
    leftover: Leftover,
    *,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """Find the pictures in a folder and its subfolders, in alphabetical order.

    A raw file and one other photo of the same name are one picture. ``photo.xmp`` belongs to such a
    picture, or to the only photo of the name; ``photo.jpg.xmp`` belongs to one photo. The suffix
    may be in another case, and so may the name, if no other file or photo has it in any case.

    Args:
        photos: Folder of the photos.
        beside: Folder of the files, with the same subfolders; usually the same.
        endings: Suffixes of the files, in lower case.
        leftover: Receives files that belong to none.
        on_problem: As for `find_photos`.

    Raises:
        DataError: If it is no folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     folder = Path(name)
        ...     for file in ("a.jpg", "a.nef", "a.xmp", "b.png"):
        ...         (folder / file).touch()
        ...     found = list(pictures(folder, folder, [".xmp"], Leftover()))
        >>> [(one.photo.name, [file.name for file in one.beside]) for one in found]
        [('a.jpg', ['a.xmp']), ('b.png', [])]
    """
    if not is_folder(photos):
        msg = f"expected a folder of photos, got {photos}"
        raise DataError(msg)
    folders: dict[Path, _Folder] = {}
    for photo in find_photos([photos], on_problem=on_problem, only_files=True):
        folder = photo.parent
        if folder not in folders:
            # Photos of a folder may come before and after those of its subfolders.
            folders = {one: known for one, known in folders.items() if one in folder.parents}
            folders[folder] = _Folder(folder, beside / folder.relative_to(photos), endings)
            folders[folder].add_to(leftover)
        if (picture := folders[folder].picture(photo)) is not None:
            yield picture


def all_pictures(photos: Path, beside: Path, endings: Sequence[str]) -> list[Picture]:
    """Return all `pictures` of a folder; the log tells of files that belong to none.

    Args:
        photos: Folder of the photos.
        beside: Folder of the files, with the same subfolders; usually the same.
        endings: Suffixes of the files, in lower case.

    Raises:
        DataError: If it is no folder, or has no photos.

    Example:
        >>> Path("a.jpg").touch()
        >>> Path("a.xmp").touch()
        >>> [picture.photo.name for picture in all_pictures(Path(), Path(), [".xmp"])]
        ['a.jpg']
    """
    leftover = Leftover()
    found = list(pictures(photos, beside, endings, leftover))
    if not found:
        msg = f"expected photos in {photos}, got none"
        raise DataError(msg)
    leftover.log()
    return found


class _Folder:
    """Photos in a folder, and the files beside them.

    Attributes:
        files: The files by their names without suffix.
        owned: For each photo that stands for a picture, the names without suffix of its files.
    """

    def __init__(self, folder: Path, place: Path, endings: Sequence[str]) -> None:
        self.files: defaultdict[str, list[Path]] = defaultdict(list)
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.suffix.lower() in endings and not is_hidden(file.name):
                self.files[file.stem].append(file)
        self._photos: defaultdict[str, list[str]] = defaultdict(list)
        for photo in sorted(folder.iterdir()):
            if photo.suffix.lower() in ALL_SUFFIXES:
                self._photos[photo.stem].append(photo.name)
        self.owned: dict[str, list[str]] = {}
        for stem, photos in self._photos.items():
            self.owned |= _owned(stem, photos)
        self._take_in_other_case()

    def _take_in_other_case(self) -> None:
        """Give files whose name is that of a picture in another case to it, if there is one."""
        owned = {stem for names in self.owned.values() for stem in names} - self.files.keys()
        wanted, found = _alone(owned), _alone(self.files.keys() - self._stems())
        for key in wanted.keys() & found.keys():
            self.files[wanted[key]] = self.files.pop(found[key])

    def _stems(self) -> set[str]:
        """Return the names without suffix of all files that photos could have."""
        return {*self._photos, *(name for names in self._photos.values() for name in names)}

    def picture(self, photo: Path) -> Picture | None:
        """Return the picture that a photo stands for; None if another photo does."""
        if photo.name not in self.owned:
            return None
        files = [file for name in self.owned[photo.name] for file in self.files.get(name, ())]
        return Picture(photo, tuple(files))

    def add_to(self, leftover: Leftover) -> None:
        """Add the files that belong to no picture."""
        decoded = (name for name in self.owned if PurePath(name).suffix.lower() in PHOTO_SUFFIXES)
        known = {stem for name in decoded for stem in self.owned[name]}
        for stem, files in self.files.items():
            if stem not in known:
                several = len(self._photos.get(stem, ())) > 1
                (leftover.shared if several else leftover.without_photo).extend(files)


def _owned(stem: str, photos: Sequence[str]) -> dict[str, list[str]]:
    """Map photos of one name to the names, without suffix, of the files that belong to each."""
    raw = [name for name in photos if PurePath(name).suffix.lower() in CAMERA_SUFFIXES]
    others = [name for name in photos if name not in raw]
    if len(raw) <= 1 and len(others) <= 1:
        return {(others or raw)[0]: [*photos, stem]}
    return {name: [name, *([stem] if raw == [name] else [])] for name in photos}


def _alone(stems: Iterable[str]) -> dict[str, str]:
    """Map names as the same file to the only one that is written so."""
    several: defaultdict[str, list[str]] = defaultdict(list)
    for stem in stems:
        several[same_file(stem)].append(stem)
    return {key: names[0] for key, names in several.items() if len(names) == 1}
