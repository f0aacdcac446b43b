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
from tagsight.tagging.sidecars.edit import EXISTING, FORMS, Addition
from tagsight.tagging.sidecars.places import XMP, ending_of

if TYPE_CHECKING:
    from tagsight.tagging.sidecars.edit import Edit

MOST_ADDED = 10_000
"""Most labels, and most values, that a change adds to a sidecar."""

Kind = TypeVar("Kind")


class Run(NamedTuple):
    """A tagging run.

    Attributes:
        id: Number of the run.
        started: Start time in ISO 8601.
        model: Name of the model.
        form: Format of the sidecars, ``xmp`` or ``txt``.
        ending: Suffix of the sidecars, such as ``.xmp``.
        separator: Text between two tags, in ``txt``.
        existing: Treatment of existing tags, in ``txt``.
        sidecars: Number of sidecars that it planned to change.
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
    sidecars: int
    tags: int
    undone: str | None


@dataclass(frozen=True)
class Change:
    """A planned change of a sidecar.

    Args:
        sidecar: The file.
        before: Content before; None if there was no file.
        edit: Content after, and what is new in it.
    """

    sidecar: Path
    before: bytes | None
    edit: Edit


class Noted(NamedTuple):
    """Record of a change in the journal.

    Attributes:
        id: Number of the change.
        sidecar: The file.
        before: Content before; None if there was no file.
        before_digest: Digest of the content before.
        after_digest: Digest of the content after.
        names: Labels that were added.
        additions: Values that were added.
        confirmed: Whether the journal records that the sidecar was written.
    """

    id: int
    sidecar: Path
    before: bytes | None
    before_digest: bytes | None
    after_digest: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]
    confirmed: bool

    def made(self, content: bytes | None) -> bool:
        """Return whether the sidecar was written, given its present content.

        A crash between writing and confirming leaves the record unconfirmed. If the content still
        is what it was before, the sidecar was not written; otherwise assume that it was.
        """
        return self.confirmed or digest(content) != self.before_digest


def is_sound(run: Run) -> bool:
    """Return whether the values of a run are such as a journal records."""
    texts = (run.started, run.model, run.form, run.ending, run.separator, run.existing)
    if not all(isinstance(text, str) for text in (*texts, run.undone or "")):
        return False
    try:
        sound = run.ending == ending_of(run.ending) if run.form == "txt" else run.ending == XMP
    except DataError:
        return False
    known = run.form in FORMS and run.existing in EXISTING
    return known and sound and bool(run.separator)


def noted_change(
    number: int,
    sidecar: object,
    before: object,
    before_digest: object,
    after_digest: object,
    names: object,
    additions: object,
    confirmed: object,
) -> Noted:
    """Parse the record of a change.

    Raises:
        ValueError: If the values are not such as a journal records; or another exception of
            Python's readers of JSON and compressed bytes.
    """
    added = json.loads(_of(str, names))
    pairs = [Addition(*pair) for pair in json.loads(_of(str, additions))]
    texts = [*added, *(text for pair in pairs for text in pair)]
    content = None if before is None else _unpacked(_of(bytes, before))
    path = Path(os.fsdecode(_of(bytes, sidecar)))
    sound = (
        isinstance(added, list)
        and len(added) <= MOST_ADDED
        and len(pairs) <= MOST_ADDED
        and all(isinstance(text, str) for text in texts)
        and path.is_absolute()
        and not {"..", "\0"} & {*path.parts, *str(path)}
        and digest(content) == before_digest
    )
    if not sound:
        msg = "expected the record of a change"
        raise ValueError(msg)
    return Noted(
        number,
        path,
        content,
        digest(content),
        _of(bytes, after_digest),
        tuple(added),
        tuple(pairs),
        bool(confirmed),
    )


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
    """Compute the SHA-256 of a content; None where there is no file."""
    return None if content is None else hashlib.sha256(content).digest()
