"""Records of a journal, checked when they are read: somebody may have edited the file."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import EMBEDDED, EXISTING, FORMS, Addition
from tagsight.tagging.sidecars.places import XMP, ending_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.tagging.sidecars.edit import Edit

MOST_ADDED = 10_000
"""Most labels, and most values, that a change adds to a sidecar."""

ORIGINAL = "_original"
"""Ending of a photo as it was before keywords were written into it, as exiftool names it."""

Kind = TypeVar("Kind")


class Run(NamedTuple):
    """A tagging run.

    Attributes:
        id: Number of the run.
        started: Start time in ISO 8601.
        model: Name of the model.
        form: Format of the sidecars, ``xmp`` or ``txt``, or ``embedded`` for keywords in photos.
        ending: Suffix of the sidecars, such as ``.xmp``, or that of original photos.
        separator: Text between two tags, in ``txt``.
        existing: Treatment of existing tags, in ``txt``.
        files: Number of sidecars or photos that it planned to change.
        tags: Number of tags that it planned to add.
        undone: Time of the undo, or None.
    """

    id: int
    started: str
    model: str
    form: str
    ending: str
    separator: str
    existing: str
    files: int
    tags: int
    undone: str | None


@dataclass(frozen=True)
class Change:
    """A planned change of a sidecar.

    Args:
        sidecar: The file.
        before: Content before; None if there was no file.
        edit: Content after, and what is new in it.

    Example:
        >>> from tagsight.tagging.sidecars.edit import Edit
        >>> change = Change(Path("a.txt"), None, Edit(b"dog", ("dog",), ()))
        >>> change.record.names, change.record.before_digest
        (('dog',), None)
    """

    sidecar: Path
    before: bytes | None
    edit: Edit

    @property
    def record(self) -> Record:
        """The record for the journal."""
        edit = self.edit
        digests = digest(self.before), hashlib.sha256(edit.content).digest()
        return Record(self.sidecar, self.before, *digests, edit.names, edit.additions)


class Record(NamedTuple):
    """The record of a change, which is written before it is made.

    Attributes:
        file: The sidecar or photo.
        before: Content of a sidecar before, or None: there was none, or it is a photo.
        before_digest: SHA-256 of the content before; None if there was no file.
        after_digest: SHA-256 of the content after.
        names: Labels that are new in it.
        additions: Values that were added.
    """

    file: Path
    before: bytes | None
    before_digest: bytes | None
    after_digest: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]


class Noted(NamedTuple):
    """A change as it is in the journal.

    Attributes:
        id: Number of the change.
        record: What was recorded.
        confirmed: Whether the journal records that the file was written.

    Example:
        >>> before, after = digest(b"red"), digest(b"red, dog")
        >>> record = Record(Path("a.txt"), b"red", before, after, ("dog",), ())
        >>> noted = Noted(1, record, confirmed=False)  # the process was killed
        >>> noted.made(before), noted.made(after)
        (False, True)
    """

    id: int
    record: Record
    confirmed: bool

    def made(self, present: bytes | None) -> bool:
        """Return whether the file was written, given the digest of its present content.

        A crash between writing and confirming leaves the record unconfirmed. If the content still
        is what it was before, the file was not written; otherwise assume that it was.
        """
        return self.confirmed or present != self.record.before_digest


def is_sound(run: Run) -> bool:
    """Return whether the values of a run are such as a journal records.

    Example:
        >>> run = Run(1, "2026-11-25", "model", "xmp", ".xmp", ", ", "append", 1, 1, None)
        >>> is_sound(run), is_sound(run._replace(ending=".jpg"))
        (True, False)
    """
    texts = (run.started, run.model, run.form, run.ending, run.separator, run.existing)
    if not all(isinstance(text, str) for text in (*texts, run.undone or "")):
        return False
    known = run.form in {*FORMS, EMBEDDED} and run.existing in EXISTING
    return known and run.ending == _ending(run) and bool(run.separator)


def _ending(run: Run) -> str | None:
    """Return the ending of files that a run of its form can have written; None if there is none."""
    if run.form == EMBEDDED:
        return ORIGINAL
    try:
        return ending_of(run.ending) if run.form == "txt" else XMP
    except DataError:
        return None


def noted_change(number: int, row: Sequence[object], form: str) -> Noted:
    """Parse the record of a change.

    Args:
        number: Number of the change.
        row: The fields of `Record`, lists in JSON, and whether it is confirmed.
        form: Format of its run.

    Raises:
        ValueError: If the values are not such as a journal records; or another exception of
            Python's readers of JSON and compressed bytes.

    Example:
        >>> additions = json.dumps([["dc:subject", "dog"]])
        >>> row = (b"/a.xmp", None, None, digest(b"..."), json.dumps(["dog"]), additions, True)
        >>> noted_change(1, row, "xmp").record.additions
        (Addition(place='dc:subject', value='dog'),)
    """
    file, before, before_digest, after_digest, names, additions, confirmed = row
    added = json.loads(_of(str, names))
    pairs = [Addition(*pair) for pair in json.loads(_of(str, additions))]
    texts = [*added, *(text for pair in pairs for text in pair)]
    content = None if before is None else _unpacked(_of(bytes, before))
    path = Path(os.fsdecode(_of(bytes, file)))
    known = _of(bytes, before_digest) if form == EMBEDDED else digest(content)
    sound = (
        isinstance(added, list)
        and len(added) <= MOST_ADDED
        and len(pairs) <= MOST_ADDED
        and all(isinstance(text, str) for text in texts)
        and path.is_absolute()
        and not {"..", "\0"} & {*path.parts, *str(path)}
        and known == before_digest
    )
    if not sound:
        msg = "expected the record of a change"
        raise ValueError(msg)
    digests = known, _of(bytes, after_digest)
    record = Record(path, content, *digests, tuple(added), tuple(pairs))
    return Noted(number, record, bool(confirmed))


def _of(kind: type[Kind], value: object) -> Kind:
    if not isinstance(value, kind):
        msg = f"expected {kind.__name__}, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, LARGEST + 1)
    if len(content) > LARGEST or not unpacker.eof:
        msg = f"expected a whole sidecar of at most {LARGEST:,} bytes"
        raise ValueError(msg)
    return content


def digest(content: bytes | None) -> bytes | None:
    """Compute the SHA-256 of a content; None where there is no file.

    Example:
        >>> digest(b"...").hex()[:8], digest(None)
        ('ab5df625', None)
    """
    return None if content is None else hashlib.sha256(content).digest()
