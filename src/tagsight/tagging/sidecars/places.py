"""Find the sidecar of a photo."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight.data.photos.suffixes import ALL_SUFFIXES, CAMERA_SUFFIXES
from tagsight.data.photos.tar_members import members, tar_of
from tagsight.data.remote.places import is_remote, place
from tagsight.data.source import is_folder
from tagsight.data.tags.text import same_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

Naming = Literal["stem", "full"]

XMP = ".xmp"

ENDING = re.compile(r"\.?\w[\w-]*(\.\w[\w-]*)*")


class _Listing(NamedTuple):
    """Number of raw files, and of other photos, with each name without suffix.

    Attributes:
        raw: Number of raw files.
        others: Number of other photos.
        written: The names that are the same file, apart from case, with suffix and without.
    """

    raw: Counter[str]
    others: Counter[str]
    written: defaultdict[str, set[str]]


class _Place(NamedTuple):
    """A path, and what is there.

    Attributes:
        path: The path; as text, since a `Path` for each photo would take longer than to look.
        kind: Kind of the file, `stat.S_IFREG` or another; None if there is none.
    """

    path: str
    kind: int | None

    @classmethod
    def at(cls, folder: str, name: str) -> _Place:
        path = os.path.join(folder, name)  # noqa: PTH118 - see `path`
        try:
            return cls(path, stat.S_IFMT(os.lstat(path).st_mode))
        except (FileNotFoundError, NotADirectoryError):
            return cls(path, None)

    def exists(self) -> bool:
        """Return whether there is a file, at the end of a link if it is one."""
        return self.kind is not None and (self.kind != stat.S_IFLNK or Path(self.path).exists())


class Places:
    """Sidecars beside the photos, or in the same subfolders of another folder.

    With ``full`` names the suffix is appended, ``photo.jpg.xmp``; with ``stem`` names it replaces
    the photo's, ``photo.xmp``. An existing ``photo.XMP`` is used. An existing ``photo.xmp`` is used
    with both kinds of names, for the photo it belongs to: the raw file of this name, or else the
    only photo of this name. So is one whose name is that of a single photo in another case.

    A raw file and one other photo of the same name are one picture and share ``photo.xmp`` with
    ``stem`` names. Other photos of the same name are refused, as they cannot share it.

    Args:
        suffix: Suffix of sidecars, such as ``.xmp``.
        folder: Folder for the sidecars; by default they are beside the photos.
        given: Photos and folders that are tagged; subfolders of ``folder`` are relative to them.
        naming: ``full`` or ``stem``; by default ``full`` for XMP and ``stem`` for text.

    Example:
        >>> [Places(".txt", None, ["."], n).of(Path("a.jpg")).name for n in ("full", "stem")]
        ['a.jpg.txt', 'a.txt']
    """

    def __init__(
        self,
        suffix: str,
        folder: Path | str | None,
        given: Iterable[Path | str],
        naming: Naming | None = None,
    ) -> None:
        self.suffix = suffix
        self.folder = None if folder is None else Path(folder)
        self.naming = naming or ("full" if suffix == XMP else "stem")
        paths = [place(path).absolute() for path in given]
        roots = [path if is_folder(path) else path.parent for path in paths]
        self._root = Path(os.path.commonpath(roots))
        self._listed: tuple[Path, _Listing] | None = None
        self._endings: tuple[str, dict[str, dict[str, str]]] | None = None
        self._resolved: tuple[Path, str] | None = None

    @property
    def settings(self) -> list[object]:
        """What decides the sidecar of a photo, as values for JSON."""
        folder = None if self.folder is None else str(self.folder.absolute())
        return [self.suffix, folder, self.naming, str(self._root)]

    def of(self, photo: Path) -> Path:
        """Return the sidecar of a photo, in a folder without links.

        Raises:
            DataError: If there cannot be one, or two photos would share it.
        """
        if self.folder is None and (is_remote(photo) or tar_of(photo) is not None):
            where = "at a URL" if is_remote(photo) else "in a tar"
            msg = f"expected a photo in a folder, got one {where}: give a `sidecar_dir`"
            raise DataError(msg)
        place = self._place(photo)
        if place.kind not in {None, stat.S_IFREG}:
            msg = (
                f"expected {place.path} to be a file, got a link or a folder, "
                "which is left unchanged"
            )
            raise DataError(msg)
        return Path(place.path)

    def _place(self, photo: Path) -> _Place:
        folder = self._folder(photo)
        full = self._there(folder, photo, photo.name)
        stem = self._there(folder, photo, photo.stem)
        if self.naming == "full":
            takes = self.suffix == XMP and not full.exists() and stem.exists()
            return stem if takes and self._owns(photo) else full
        if not self._owns(photo) and not self._pairs(photo):
            name = Path(stem.path).name
            msg = f"expected one photo of this name, others would have the same {name}"
            raise DataError(msg)
        return stem

    def _folder(self, photo: Path) -> str:
        """Return the folder of the sidecar, without links."""
        parent = photo.parent
        if self._resolved is None or self._resolved[0] != parent:
            folder = parent.absolute()
            if self.folder is not None:
                folder = self.folder.absolute() / folder.relative_to(self._root)
            self._resolved = parent, str(folder.resolve())
        return self._resolved[1]

    def _there(self, folder: str, photo: Path, name: str) -> _Place:
        """Return the sidecar with a name before its suffix, either in another case."""
        usual = _Place.at(folder, name + self.suffix)
        if usual.kind is not None:
            return usual
        if self._endings is None or self._endings[0] != folder:
            self._endings = folder, self._written_otherwise(Path(folder))
        found = self._endings[1].get(same_file(name), {})
        if name in found:
            return _Place.at(folder, found[name])
        # In another case it may be that of another photo, or there may be several.
        if len(found) == 1 and self._listing(photo).written[same_file(name)] <= {name}:
            return _Place.at(folder, next(iter(found.values())))
        return usual

    def _written_otherwise(self, folder: Path) -> dict[str, dict[str, str]]:
        """Find files with the suffix, by their names without it: in one case, and as they are."""
        if not folder.is_dir():
            return {}
        length, ending = len(self.suffix), self.suffix.lower()
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name in sorted(path.name for path in folder.iterdir()):
            if name[-length:].lower() == ending:
                found[same_file(name[:-length])][name[:-length]] = name
        return found

    def _owns(self, photo: Path) -> bool:
        """Return whether ``photo.xmp`` belongs to this photo alone, or to the raw file it is."""
        raw, others = self._of_same_name(photo)
        if photo.suffix.lower() in CAMERA_SUFFIXES:
            return raw == 1
        return raw == 0 and others <= 1

    def _pairs(self, photo: Path) -> bool:
        """Return whether this photo and another file, one of them raw, are one picture."""
        return self._of_same_name(photo) == (1, 1)

    def _of_same_name(self, photo: Path) -> tuple[int, int]:
        """Count raw files and other photos in its folder with its name without suffix."""
        inside = tar_of(photo)
        listing = self._listing(photo)
        without, end = _divided(photo.name if inside is None else inside[1])
        return listing.raw[without], listing.others[without] + (end not in ALL_SUFFIXES)

    def _listing(self, photo: Path) -> _Listing:
        """Count the photos in the folder or tar of a photo."""
        inside = tar_of(photo)
        place = photo.parent if inside is None else inside[0]
        if self._listed is None or self._listed[0] != place:
            names: Iterable[str] = ()
            if inside is not None:
                names = members(place)
            elif place.is_dir():
                names = (path.name for path in place.iterdir())
            self._listed = place, _counted(names)
        return self._listed[1]


def ending_of(text: str) -> str:
    """Return the suffix of text sidecars that a user has typed, with a dot.

    Raises:
        DataError: If it is not a suffix, or that of other files: photos are never written to.

    Example:
        >>> ending_of("caption")
        '.caption'
    """
    suffix = f".{text.removeprefix('.')}"
    last = PurePosixPath(f"photo{suffix}").suffix.lower()
    if not ENDING.fullmatch(text) or last in ALL_SUFFIXES | {XMP, ".tar"}:
        msg = f"expected a suffix such as .txt or .caption as `extension`, got {text!r}"
        raise DataError(msg)
    return suffix


def _counted(names: Iterable[str]) -> _Listing:
    listing = _Listing(Counter(), Counter(), defaultdict(set))
    for name in names:
        without, end = _divided(name)
        if end in ALL_SUFFIXES:
            (listing.raw if end in CAMERA_SUFFIXES else listing.others)[without] += 1
            for written in (PurePosixPath(name).name, PurePosixPath(without).name):
                listing.written[same_file(written)].add(written)
    return listing


def _divided(name: str) -> tuple[str, str]:
    """Split a name into the part before the suffix, and the suffix in lower case."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")), path.suffix.lower()
