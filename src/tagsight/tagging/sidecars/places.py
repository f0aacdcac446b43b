"""Where the sidecar of a photo lies."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight.data.photos import HEIF_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES
from tagsight.data.source import is_folder
from tagsight.data.tar_members import members, tar_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

Naming = Literal["stem", "full"]

XMP = ".xmp"

RAW = RAW_SUFFIXES | frozenset(
    {".3fr", ".crw", ".dcr", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nrw", ".rwl"}
    | {".sr2", ".srf", ".x3f"}
)
"""What cameras keep besides, whether or not it can be read here."""

PHOTOS = PHOTO_SUFFIXES | HEIF_SUFFIXES | RAW
ENDING = re.compile(r"\.?\w[\w-]*(\.\w[\w-]*)*")


class _Listing(NamedTuple):
    """How many photos there are of each name without its ending: raw files, and others."""

    raw: Counter[str]
    others: Counter[str]


class Places:
    """Beside each photo, or at the same place of another folder.

    A name is that of the photo with the ending behind it, ``photo.jpg.xmp`` (``full``), or instead
    of the photo's own ending, ``photo.xmp`` (``stem``). A sidecar ``photo.XMP`` that is there is
    used; so is an XMP ``photo.xmp`` under either way of naming, by the photo that it belongs to: a
    raw file if there is one of this name, or else the only photo of this name.

    A raw file and one other photo of the same name are one picture. They share ``photo.xmp`` where
    sidecars are named so. Other photos of the same name have no place of that name.

    Args:
        suffix: What the names of sidecars end in, such as ``.xmp``.
        folder: For the sidecars, in folders as the photos are; by default beside the photos.
        given: The photos and folders that are tagged, by which a photo's place there is told.
        naming: ``full`` or ``stem``; by default ``full`` for XMP and ``stem`` for tag files.
    """

    def __init__(
        self,
        suffix: str,
        folder: Path | None,
        given: Iterable[Path],
        naming: Naming | None = None,
    ) -> None:
        self.suffix = suffix
        self.folder = folder
        self.naming = naming or ("full" if suffix == XMP else "stem")
        roots = [path if is_folder(path) else path.parent for path in map(Path.absolute, given)]
        self._root = Path(os.path.commonpath(roots))
        self._listed: tuple[Path, _Listing] | None = None
        self._endings: tuple[Path, dict[str, str]] | None = None

    def of(self, photo: Path) -> Path:
        """The sidecar of a photo, with the whole path of its folder.

        Raises:
            DataError: If there is no place for one, or two photos would share it.
        """
        if self.folder is None and tar_of(photo) is not None:
            msg = "expected a photo with room beside it, got one in a tar: give --sidecar-dir"
            raise DataError(msg)
        place = self._place(photo)
        if place.is_symlink() or (place.exists() and not place.is_file()):
            msg = f"expected {place} to be a file, got a link or a folder, which stays as it is"
            raise DataError(msg)
        return place

    def _place(self, photo: Path) -> Path:
        folder = photo.absolute().parent
        if self.folder is not None:
            folder = self.folder.absolute() / folder.relative_to(self._root)
        folder = folder.resolve()
        full, stem = self._there(folder, photo.name), self._there(folder, photo.stem)
        if self.naming == "full":
            takes = self.suffix == XMP and not full.exists() and stem.exists()
            return stem if takes and self._owns(photo) else full
        if not self._owns(photo) and not self._pairs(photo):
            msg = f"expected one photo of this name, others would have the same {stem.name}"
            raise DataError(msg)
        return stem

    def _there(self, folder: Path, name: str) -> Path:
        """A sidecar by the name before its ending, which may be written in another case."""
        usual = folder / (name + self.suffix)
        if usual.exists() or usual.is_symlink():
            return usual
        if self._endings is None or self._endings[0] != folder:
            self._endings = folder, self._written_otherwise(folder)
        return folder / self._endings[1].get(name, usual.name)

    def _written_otherwise(self, folder: Path) -> dict[str, str]:
        """Names of files whose ending is ours in another case, by what is before it."""
        if not folder.is_dir():
            return {}
        length, ending = len(self.suffix), self.suffix.lower()
        names = sorted(path.name for path in folder.iterdir())
        return {name[:-length]: name for name in names if name[-length:].lower() == ending}

    def _owns(self, photo: Path) -> bool:
        """Whether ``photo.xmp`` is this photo's alone, or that of a raw file which it is."""
        raw, others = self._of_same_name(photo)
        if photo.suffix.lower() in RAW:
            return raw == 1
        return raw == 0 and others <= 1

    def _pairs(self, photo: Path) -> bool:
        """Whether a photo and a raw file of its name are one picture."""
        return self._of_same_name(photo) == (1, 1)

    def _of_same_name(self, photo: Path) -> tuple[int, int]:
        """How many raw files and other photos beside it have its name up to the ending."""
        inside = tar_of(photo)
        place, name = (photo.parent, photo.name) if inside is None else inside
        if self._listed is None or self._listed[0] != place:
            names: Iterable[str] = ()
            if inside is not None:
                names = members(place)
            elif place.is_dir():
                names = (path.name for path in place.iterdir())
            self._listed = place, _counted(names)
        raw, others = self._listed[1]
        without, end = _divided(name)
        return raw[without], others[without] + (end not in PHOTOS)


def ending_of(text: str) -> str:
    """The ending of tag files as it is typed, with a dot before it.

    Raises:
        DataError: If it is none, or that of other files: photos are never written to.
    """
    suffix = f".{text.removeprefix('.')}"
    last = PurePosixPath(f"photo{suffix}").suffix.lower()
    if not ENDING.fullmatch(text) or last in PHOTOS | {XMP, ".tar"}:
        msg = f"expected an ending such as .txt or .caption as --extension, got {text!r}"
        raise DataError(msg)
    return suffix


def _counted(names: Iterable[str]) -> _Listing:
    listing = _Listing(Counter(), Counter())
    for name in names:
        without, end = _divided(name)
        if end in PHOTOS:
            (listing.raw if end in RAW else listing.others)[without] += 1
    return listing


def _divided(name: str) -> tuple[str, str]:
    """What is before the ending of a name, and the ending in lower case."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")), path.suffix.lower()
