"""What a journal says of runs and of changes of sidecars, checked, as others may have edited it."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import EXISTING, FORMS, LARGEST, Addition
from tagsight.tagging.sidecars.places import XMP, ending_of

if TYPE_CHECKING:
    from tagsight.tagging.sidecars.edit import Edit

MOST_ADDED = 10_000
"""Labels that a change adds to a sidecar, and values."""

Kind = TypeVar("Kind")


class Run(NamedTuple):
    """A run of tagging.

    Attributes:
        id: Its number.
        started: When, in ISO 8601.
        model: Which model.
        form: ``xmp`` or ``txt``.
        ending: Of the names of its sidecars, such as ``.xmp``.
        separator: Between two tags, in ``txt``.
        existing: What became of the tags that were there, in ``txt``.
        sidecars: How many it was about to change.
        tags: How many tags it was about to add.
        undone: When it was taken back, if it was.
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
    """A change of a sidecar, as noted before it was made.

    Args:
        sidecar: The file.
        before: What was in it; None if there was no file.
        edit: What is in it afterwards.
    """

    sidecar: Path
    before: bytes | None
    edit: Edit


class Noted(NamedTuple):
    """What the journal keeps of a change.

    Attributes:
        id: Its number.
        sidecar: The file.
        before: What was in it; None if there was no file.
        before_digest: Of that.
        after_digest: Of what was in it afterwards.
        names: The labels that were added.
        additions: What was added, value by value.
        told: Whether it was noted as made.
    """

    id: int
    sidecar: Path
    before: bytes | None
    before_digest: bytes | None
    after_digest: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]
    told: bool

    def made(self, content: bytes | None) -> bool:
        """Whether it was made; after a crash that is told by what is in the file now."""
        return self.told or digest(content) != self.before_digest


def is_sound(run: Run) -> bool:
    """Whether a run is one that a journal of ours notes."""
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
    told: object,
) -> Noted:
    """Read what a journal says of a change.

    Raises:
        ValueError: If it is not what a journal of ours says, or a kind of error that Python's
            readers of JSON and of packed bytes raise.
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
        msg = "expected what a journal says of a change"
        raise ValueError(msg)
    return Noted(
        number,
        path,
        content,
        digest(content),
        _of(bytes, after_digest),
        tuple(added),
        tuple(pairs),
        bool(told),
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
    """What tells one content from another; None where there is no file."""
    return None if content is None else hashlib.sha256(content).digest()
