"""Original photos, kept beside those that keywords are written into, and put back by undo.

The original of ``a.jpg`` is ``a.jpg_original``, as exiftool names it, which other programs do not
take for a photo; if that exists, ``a.jpg_original2`` and so on. It is the old file itself, with its
times and permissions, and the new file takes its place.
"""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.files import replacing, sha256_of
from tagsight.tagging.sidecars.changes import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def keep_original(photo: Path, digest: bytes) -> Path:
    """Give a photo a second name, under which it stays when another file takes its place.

    Args:
        photo: The photo.
        digest: Its digest. An original that has it already serves.

    Raises:
        OSError: If the folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> photo = Path("a.jpg")
        >>> _ = photo.write_bytes(b"before")
        >>> str(keep_original(photo, sha256_of(photo)))
        'a.jpg_original'
    """
    found = kept_original(photo, digest)
    if found is not None:
        return found
    for place in _places(photo):
        if not os.path.lexists(place):
            break
    try:
        place.hardlink_to(photo)
    except OSError:  # a file system without such names
        with replacing(place) as temporary:
            shutil.copyfile(photo, temporary)
            shutil.copystat(photo, temporary)
    return place


def kept_original(photo: Path, digest: bytes) -> Path | None:
    """Return the original of a photo that has a digest; None if there is none.

    Example:
        >>> from pathlib import Path
        >>> photo = Path("a.jpg")
        >>> _ = photo.write_bytes(b"before")
        >>> digest = sha256_of(photo)
        >>> before = kept_original(photo, digest)
        >>> _ = keep_original(photo, digest)
        >>> before, str(kept_original(photo, digest))
        (None, 'a.jpg_original')
    """
    for place in _places(photo):
        if not os.path.lexists(place):
            return None
        if place.is_file() and not place.is_symlink() and sha256_of(place) == digest:
            return place
    return None


def put_in_place(file: Path, photo: Path, digest: bytes) -> None:
    """Replace a photo by another file, atomically, with its permissions.

    Args:
        file: The other file, which is copied.
        photo: The photo.
        digest: Digest that the photo must have.

    Raises:
        DataError: If it has another.
        OSError: If the folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> photo, draft = Path("a.jpg"), Path("draft.jpg")
        >>> _ = photo.write_bytes(b"before"), draft.write_bytes(b"after")
        >>> kept = keep_original(photo, sha256_of(photo))
        >>> put_in_place(draft, photo, sha256_of(photo))
        >>> photo.read_bytes(), kept.read_bytes()
        (b'after', b'before')
    """
    with replacing(photo) as temporary:
        shutil.copyfile(file, temporary)
        shutil.copystat(photo, temporary)
        os.utime(temporary)  # programs read again what is new
        if sha256_of(photo) != digest:
            msg = "expected the photo as it was read, got it changed in the meantime"
            raise DataError(msg)


def _places(photo: Path) -> Iterator[Path]:
    for number in count(1):
        yield photo.with_name(f"{photo.name}{ORIGINAL}{number if number > 1 else ''}")
