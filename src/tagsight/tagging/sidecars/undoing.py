"""Undo a change of a sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.files import write_atomically
from tagsight.tagging.sidecars import text, xmp
from tagsight.tagging.sidecars.changes import digest
from tagsight.tagging.sidecars.writing import Outcome, content_of

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.tagging.sidecars.changes import Noted, Record, Run
    from tagsight.tagging.sidecars.journal import Journal


def undo_sidecar(journal: Journal, change: Noted, run: Run) -> Outcome:
    """Undo a change of a sidecar.

    A sidecar that has not changed since is restored byte for byte, or deleted if the run created
    it. From a sidecar that has changed since, only what the run added is removed.

    Raises:
        DataError: If it is no sidecar any more, or cannot be one of the run's.
        OSError: If it cannot be read or written.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.sidecars.edit import Tag
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.sidecars.writing import Manner, Writer
        >>> with Journal("journal.sqlite") as journal:
        ...     writer = Writer(Manner("txt"), Places(".txt", None, [Path()]), "model", journal)
        ...     (outcome,) = writer.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        ...     (run,) = journal.runs()
        ...     (number,) = journal.changes(run.id)
        ...     undo_sidecar(journal, journal.change(number), run).added
        ('dog',)
        >>> outcome.sidecar.exists()
        False
    """
    sidecar = change.record.file
    _check_name(sidecar, run)
    taken = _taken_back(journal, change, run)
    return Outcome(sidecar, sidecar, change.record.names if taken else ())


def _check_name(sidecar: Path, run: Run) -> None:
    before_ending, ending = sidecar.name[: -len(run.ending)], sidecar.name[-len(run.ending) :]
    if not before_ending or ending.lower() != run.ending.lower():
        msg = f"expected a sidecar *{run.ending} in a folder that run {run.id} wrote to"
        raise DataError(f"{msg}, got another file, which is left unchanged")


def _taken_back(journal: Journal, change: Noted, run: Run) -> bool:
    record = change.record
    content = content_of(record.file)
    if content is None or not change.made(digest(content)):
        return False
    if digest(content) == record.after_digest:
        left = record.before
        _check_form(content, run)
    else:
        left = _without(content, record, run)
    is_blank = xmp.has_copies_alone if run.form == "xmp" else _has_no_text
    if (
        left is not None
        and is_blank(left)
        and left != record.before
        and journal.created(record.file)
    ):
        left = None
    if left is None:
        record.file.unlink()
    elif left != content:
        _check_form(left, run)
        write_atomically(record.file, left)
    return left != content


def _has_no_text(content: bytes) -> bool:
    return not content.strip()


def _check_form(content: bytes, run: Run) -> None:
    """Check that content is a sidecar in the format of the run.

    Raises:
        DataError: If it is not.
    """
    if run.form == "xmp":
        xmp.keywords(content)
    else:
        text.tags_of(content, separator=run.separator)


def _without(content: bytes, record: Record, run: Run) -> bytes:
    if run.form == "xmp":
        return xmp.remove_keywords(content, record.additions)
    if run.existing == "replace" and record.before is not None:
        return text.restore_tags(record.before, content, record.additions, separator=run.separator)
    return text.remove_tags(content, record.additions, separator=run.separator)
