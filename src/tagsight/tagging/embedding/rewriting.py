"""Photos with other keywords: a copy is changed by exiftool, and compared with the photo."""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.photos.reading import open_photo, opened_header, whole_size
from tagsight.data.photos.suffixes import CAMERA_SUFFIXES
from tagsight.data.photos.tar_members import tar_of
from tagsight.data.remote.places import is_remote
from tagsight.data.tags.embedded import embedded_tags
from tagsight.data.tags.xmp import read_keywords
from tagsight.errors import DataError
from tagsight.runtime.files import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.tags.embedded import Embedded
    from tagsight.tagging.embedding.exiftool import ExifTool

ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "PNG": ".png", "WEBP": ".webp"}
"""Formats of photos that keywords are written into, and the endings that exiftool knows them by."""

LARGEST_PHOTO = 2**31
"""Bytes of a photo, which is copied."""

LONGEST_IPTC = 64
"""Bytes of a keyword of IPTC."""

DECODED_SIDE = 64
"""Smallest side in pixels that photos are compared at. A JPEG is still read whole."""


class Change(NamedTuple):
    """Keywords to give to a photo.

    Attributes:
        packet: The whole packet of XMP; None removes it.
        added: Words to add to the keywords of IPTC, as far as these can hold them.
        removed: Words to remove from the keywords of IPTC.
    """

    packet: bytes | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Draft(NamedTuple):
    """A photo with other keywords, which is not in its place yet.

    Attributes:
        file: The file, which the next draft replaces.
        before: Digest of the photo.
        after: Digest of the file.
        added: Words that were added to the keywords of IPTC.
    """

    file: Path
    before: bytes
    after: bytes
    added: tuple[str, ...]


def require_embeddable(photo: Path) -> str:
    """Return the ending of a photo's format, if keywords can be written into it.

    Raises:
        DataError: If it is no photo of `ENDINGS`, a link, in a tar, at a URL, or too large.
        OSError: If it cannot be examined.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> Image.new("RGB", (8, 8)).save("a.jpeg")
        >>> require_embeddable(Path("a.jpeg"))
        '.jpg'
    """
    if is_remote(photo) or tar_of(photo) is not None:
        where = "at a URL" if is_remote(photo) else "in a tar"
        msg = f"expected a photo in a folder, got one {where}, which is left unchanged"
        raise DataError(msg)
    if photo.is_symlink() or not photo.is_file():
        msg = "expected a photo, got a link, a folder or a device, which is left unchanged"
        raise DataError(msg)
    if (size := photo.stat().st_size) > LARGEST_PHOTO:
        msg = f"expected a photo of at most {LARGEST_PHOTO:,} bytes, got {size:,}"
        raise DataError(msg)
    kind: str | None = photo.suffix
    if photo.suffix.lower() not in CAMERA_SUFFIXES:  # of which some are TIFF
        with opened_header(photo) as header:
            kind = header.format
    if kind not in ENDINGS:
        msg = f"expected a JPEG, TIFF, PNG or WebP, got {kind}: `write=xmp` writes a sidecar"
        raise DataError(msg)
    return ENDINGS[kind]


def drafted(exiftool: ExifTool, photo: Path, inside: Embedded, change: Change) -> Draft:
    """Write other keywords into a copy of a photo, and check that nothing else has changed.

    Args:
        exiftool: Writes them.
        photo: The photo.
        inside: Its present keywords.
        change: Its new keywords.

    Raises:
        DataError: If exiftool cannot write them, or finds another packet than we, or the copy has
            other keywords than it should, or another picture.
        OSError: If the photo cannot be read, or the copy not be written.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.tagging.embedding.exiftool import ExifTool
        >>> from tagsight.tagging.sidecars.edit import Stamp, Tag
        >>> from tagsight.tagging.sidecars.xmp import add_keywords
        >>> Image.new("RGB", (8, 8)).save("a.jpg")
        >>> edit = add_keywords(None, [Tag("dog", 0.9)], Stamp("model", "2026-11-25T08:00:00Z"))
        >>> with ExifTool() as exiftool:
        ...     inside = embedded_tags(Path("a.jpg"))
        ...     draft = drafted(exiftool, Path("a.jpg"), inside, Change(edit.content))
        ...     read_keywords(embedded_tags(draft.file).xmp).words
        ('dog',)
    """
    ending = require_embeddable(photo)
    old, new, packet = (exiftool.folder / name for name in (f"old{ending}", f"new{ending}", "xmp"))
    shutil.copyfile(photo, old)
    shutil.copyfile(old, new)
    _check_packet(exiftool, old, inside)
    arguments = ["-XMP:all="]
    if change.packet is not None:
        packet.write_bytes(change.packet)
        arguments = [f"-XMP<={packet.name}"]
    added: tuple[str, ...] = ()
    if inside.iptc and (change.added or change.removed):
        added, more = _iptc(exiftool, old, change)
        arguments += more
    exiftool.run(*arguments, "-overwrite_original", new.name)
    _check_draft(old, new, change.packet, {*inside.iptc, *added} - {*change.removed})
    return Draft(new, sha256_of(old), sha256_of(new), added)


def _check_packet(exiftool: ExifTool, old: Path, inside: Embedded) -> None:
    """Check that the photo has the packet that we have read, and no more of it elsewhere."""
    there = exiftool.run("-q", "-q", "-b", "-XMP", old.name)
    if there.strip() != (inside.xmp or b"").strip() or b"HasExtendedXMP" in there:
        msg = "expected XMP in one packet inside the photo, got it in several or damaged"
        raise DataError(f"{msg}: `write=xmp` writes a sidecar")


def _iptc(exiftool: ExifTool, old: Path, change: Change) -> tuple[tuple[str, ...], list[str]]:
    """Return the words that can be added to the keywords of IPTC, and arguments for exiftool."""
    facts = exiftool.run("-q", "-q", "-s", "-CodedCharacterSet", "-IPTCDigest", old.name).decode()
    unicode = re.search(r"CodedCharacterSet *: UTF8", facts) is not None
    added = tuple(
        word
        for word in change.added
        if len(word.encode()) <= LONGEST_IPTC and (unicode or word.isascii())
    )
    arguments = [f"-IPTC:Keywords+={word}" for word in added]
    arguments += [f"-IPTC:Keywords-={word}" for word in change.removed]
    # Readers compare it to learn whether IPTC is newer than XMP (MWG Guidelines 2.0, 3.3).
    return added, [*arguments, *(["-IPTCDigest=new"] if "IPTCDigest" in facts else [])]


def _check_draft(old: Path, new: Path, packet: bytes | None, iptc: set[str]) -> None:
    found = embedded_tags(new)
    known = None if found.xmp is None else read_keywords(found.xmp)
    if known != (None if packet is None else read_keywords(packet)) or iptc != {*found.iptc}:
        msg = "expected the keywords in the photo as they were written, got others"
        raise DataError(msg)
    if _picture(old) != _picture(new):
        msg = "expected exiftool to leave the picture as it was, got another"
        raise DataError(msg)


def _picture(photo: Path) -> tuple[object, ...]:
    with opened_header(photo) as header:
        profile, frames = header.info.get("icc_profile"), getattr(header, "n_frames", 1)
    decoded = open_photo(photo, least_side=DECODED_SIDE)
    return profile, frames, whole_size(decoded), hashlib.sha256(decoded.tobytes()).digest()
