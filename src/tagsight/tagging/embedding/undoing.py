"""Undo a change of a photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tags.embedded import embedded_tags
from tagsight.data.tags.text import same
from tagsight.errors import DataError
from tagsight.runtime.files import sha256_of
from tagsight.tagging.embedding.embedder import IPTC
from tagsight.tagging.embedding.originals import kept_original, put_in_place
from tagsight.tagging.embedding.rewriting import Change, drafted, require_embeddable
from tagsight.tagging.sidecars import xmp
from tagsight.tagging.sidecars.writing import Outcome

if TYPE_CHECKING:
    from tagsight.tagging.embedding.exiftool import ExifTool
    from tagsight.tagging.sidecars.changes import Noted, Record


def undo_photo(exiftool: ExifTool, change: Noted) -> Outcome:
    """Undo a change of a photo.

    The original takes its place again, if the photo has not changed since. Otherwise, or if there
    is no original any more, what the run added is removed, and the original stays where it is.

    Raises:
        DataError: If it is no photo any more, or exiftool cannot change it.
        OSError: If it cannot be read or written.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.tagging.embedding.embedder import Embedder
        >>> from tagsight.tagging.embedding.exiftool import ExifTool
        >>> from tagsight.tagging.sidecars.edit import Tag
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> Image.new("RGB", (8, 8)).save("a.jpg")
        >>> with ExifTool() as exiftool, Journal("journal.sqlite") as journal:
        ...     embedder = Embedder(exiftool, "model", journal, renamed={})
        ...     _ = embedder.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        ...     (number,) = journal.changes(embedder.run)
        ...     undo_photo(exiftool, journal.change(number)).added
        ('dog',)
        >>> embedded_tags(Path("a.jpg"))
        Embedded(iptc=(), windows=(), xmp=None)
    """
    record = change.record
    photo = record.file
    assert record.before_digest is not None
    original = kept_original(photo, record.before_digest)
    if not photo.exists():
        where = f": its original is {original.name}" if original else ""
        return Outcome(photo, photo, notice=f"expected the photo, which is not there{where}")
    require_embeddable(photo)
    present = sha256_of(photo)
    if present == record.before_digest:  # the process was killed before or after it was in place
        if original is not None and original.samefile(photo):
            original.unlink()
        return Outcome(photo, photo)
    if present == record.after_digest and original is not None:
        original.replace(photo)
        return Outcome(photo, photo, record.names)
    if not _removed(exiftool, record, present):
        return Outcome(photo, photo)
    what = "and its original is gone" if original is None else f"its original is {original.name}"
    changed = "" if present == record.after_digest else "it has changed since, "
    return Outcome(
        photo, photo, record.names, notice=f"its keywords alone were removed: {changed}{what}"
    )


def _removed(exiftool: ExifTool, record: Record, present: bytes) -> bool:
    """Remove what was added to a photo; return whether anything was."""
    inside = embedded_tags(record.file)
    packet, kept = inside.xmp, set[str]()
    if inside.xmp is not None:
        left = xmp.remove_keywords(inside.xmp, record.additions)
        kept = {same(word) for word in xmp.keywords(left)}
        packet = None if xmp.is_blank(left) else left
    ours = {one.value for one in record.additions if one.place == IPTC}
    words = tuple(word for word in inside.iptc if word in ours and same(word) not in kept)
    if packet == inside.xmp and not words:
        return False
    draft = drafted(exiftool, record.file, inside, Change(packet, removed=words))
    if draft.before != present:
        msg = "expected the photo as it was read, got it changed in the meantime"
        raise DataError(msg)
    put_in_place(draft.file, record.file, draft.before)
    return True
