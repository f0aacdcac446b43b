"""Where the photos are that a source of labels names."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from tagsight.data.source import is_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.format import Labelled


class Located(NamedTuple):
    """Photos of a source on this machine.

    Attributes:
        paths: The ``N`` photos.
        root: Folder that names of photos start from, or None for the deepest that holds all.
    """

    paths: tuple[Path, ...]
    root: Path | None


def locate(part: Labelled, *, labels_only: bool = False) -> Located:
    """Find the photos of a source, by their complete names, else by the last parts of them.

    Args:
        part: What the source says.
        labels_only: Accept that none of the photos exists.

    Raises:
        DataError: If none of the photos is in any of the folders, and they are needed.
    """
    if part.photos and isinstance(part.photos[0], Path):
        return Located(part.photos, part.root)
    names = cast("tuple[str, ...]", part.photos)
    folder = _folder_with(names, part.folders)
    last = [name.rpartition("/")[2] for name in names]
    if folder is None and len(set(last)) == len(last):
        folder = _folder_with(last, part.folders)
        names = names if folder is None else tuple(last)
    if folder is None and not labels_only:
        tried = " nor in ".join(str(folder) for folder in part.folders)
        msg = (
            f"expected the photos of {part.source}, found none of {len(names):,}: {names[0]!r} is "
            f"not in {tried}; give their folder as `images`"
        )
        raise DataError(msg)
    folder = folder or part.folders[0]
    absolute = any(Path(name).is_absolute() for name in names)
    return Located(tuple(folder / name for name in names), None if absolute else folder)


def _folder_with(names: Sequence[str], candidates: Sequence[Path]) -> Path | None:
    """Return the folder with most of the first 20 photos, else the first with any, else None."""
    folders = [folder for folder in candidates if folder.is_dir()]
    found = [sum(is_file(folder / name) for name in names[:20]) for folder in folders]
    if any(found):
        return folders[found.index(max(found))]
    for folder in folders:
        if any(is_file(folder / name) for name in islice(names, 20, None)):
            return folder
    return None
