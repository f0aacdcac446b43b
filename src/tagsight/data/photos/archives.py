"""Archives that have to be unpacked before the photos in them can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.photos.tar_members import COMPRESSED
from tagsight.data.source import first_of

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = (".zip", ".7z", ".rar", *COMPRESSED)

MOST_LOOKED_AT = 100
"""Entries of a folder that are looked at."""


def archive_in(folder: Path) -> Path | None:
    """Return an archive that lies in a folder, or None.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     Path(name, "photos.zip").touch()
        ...     archive_in(Path(name)).name
        'photos.zip'
    """
    if not folder.is_dir():
        return None
    entries = first_of(folder.iterdir(), MOST_LOOKED_AT)
    return next((one for one in entries if one.name.lower().endswith(ENDINGS)), None)
