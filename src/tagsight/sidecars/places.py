"""Where the sidecar of a photo lies."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.data.photos import PHOTO_SUFFIXES
from tagsight.data.source import is_folder
from tagsight.data.tar_members import tar_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Places:
    """Beside each photo, or at the same place of another folder.

    XMP is ``photo.jpg.xmp``, or ``photo.xmp`` where there is one that no other photo may mean; tags
    in text are ``photo.txt``.

    Args:
        suffix: ``.xmp``, or what the names of text files end in.
        folder: For the sidecars, in folders as the photos are; by default beside the photos.
        given: The photos and folders that are tagged, by which a photo's place there is told.
    """

    def __init__(self, suffix: str, folder: Path | None, given: Iterable[Path]) -> None:
        self.suffix = suffix
        self.folder = folder
        roots = [path if is_folder(path) else path.parent for path in map(Path.absolute, given)]
        self._root = Path(os.path.commonpath(roots))
        self._listed: tuple[Path, Counter[str]] | None = None

    def of(self, photo: Path) -> Path:
        """The sidecar of a photo, with the whole path of its folder.

        Raises:
            DataError: If there is no place for one, or two photos would share it.
        """
        if self.folder is None and tar_of(photo) is not None:
            msg = "expected a photo with room beside it, got one in a tar: give --sidecar-dir"
            raise DataError(msg)
        place = self._beside(photo)
        if place.is_symlink() or (place.exists() and not place.is_file()):
            msg = f"expected {place} to be a file, got a link or a folder, which stays as it is"
            raise DataError(msg)
        return place

    def _beside(self, photo: Path) -> Path:
        folder = photo.absolute().parent
        if self.folder is not None:
            folder = self.folder.absolute() / folder.relative_to(self._root)
        own = folder.resolve() / (photo.name + self.suffix)
        short = own.with_name(photo.stem + self.suffix)
        if self.suffix == ".xmp":
            return short if not own.exists() and short.exists() and self._alone(photo) else own
        if not self._alone(photo):
            msg = f"expected one photo of this name, others would have the same {short.name}"
            raise DataError(msg)
        return short

    def _alone(self, photo: Path) -> bool:
        """Whether no other photo of its folder has the same name up to its ending."""
        if self._listed is None or self._listed[0] != photo.parent:
            stems: Counter[str] = Counter()
            if photo.parent.is_dir():
                stems.update(
                    path.stem
                    for path in photo.parent.iterdir()
                    if path.suffix.lower() in PHOTO_SUFFIXES
                )
            self._listed = photo.parent, stems
        return self._listed[1][photo.stem] <= 1
