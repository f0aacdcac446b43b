"""Undo a tagging run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.claims import claimed
from tagsight.runtime.drafts import remove_drafts
from tagsight.tagging.embedding.exiftool import ExifTool
from tagsight.tagging.embedding.undoing import undo_photo
from tagsight.tagging.sidecars.edit import EMBEDDED
from tagsight.tagging.sidecars.undoing import undo_sidecar
from tagsight.tagging.sidecars.writing import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from tagsight.tagging.sidecars.changes import Run
    from tagsight.tagging.sidecars.journal import Journal


def undo(journal: Journal, run: Run) -> Iterator[Outcome]:
    """Undo a run, one sidecar or photo at a time.

    What has not changed since is restored byte for byte, or deleted if the run created it. From
    what has changed since, only what the run added is removed.

    Args:
        journal: Journal with the run.
        run: The run.

    Yields:
        The outcome for each file, with the tags that were removed.

    Raises:
        DataError: If another process is still at the run, and would go on to write.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.sidecars.edit import Tag
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> from tagsight.tagging.sidecars.places import Places
        >>> from tagsight.tagging.sidecars.writing import Manner, Writer
        >>> with Journal("journal.sqlite") as journal:
        ...     writer = Writer(Manner("txt"), Places(".txt", None, [Path()]), "model", journal)
        ...     (written,) = writer.write([(Path("a.jpg"), [Tag("dog", 0.9)])])
        ...     (undone,) = undo(journal, *journal.runs())
        >>> written.added, undone.added, undone.sidecar.exists()
        (('dog',), ('dog',), False)
    """
    refusal = (
        f"expected a run that has ended, got run {run.id}, which is still writing tags: stop it, "
        "or wait for it"
    )
    with ExitStack() as held, ExifTool() as exiftool:
        for origin in journal.origins(run.id):
            held.enter_context(claimed(journal.claim_of(origin), refusal))
        journal.begin_undo(run.id)
        remove_drafts_of(run.id, journal)
        places = journal.places(run.id)
        for number in journal.changes(run.id):
            file = journal.file
            try:
                change = journal.change(number)
                file = change.record.file
                _check_place(file, run, places)
                if run.form == EMBEDDED:
                    outcome = undo_photo(exiftool, change)
                else:
                    outcome = undo_sidecar(journal, change, run)
            except (DataError, OSError) as error:
                yield Outcome.failed(file, file, error)
                continue
            journal.undone([number])
            yield outcome
        journal.run_undone(run.id)


def remove_drafts_of(run: int, journal: Journal) -> None:
    """Delete drafts that a run has left beside files, because it was killed.

    Args:
        run: Number of the run.
        journal: Journal with the run.

    Example:
        >>> from tagsight.tagging.sidecars.journal import Journal
        >>> with Journal("journal.sqlite") as journal:
        ...     remove_drafts_of(journal.begin("model", "txt", ending=".txt"), journal)
    """
    places = {folder for folder in journal.places(run) if folder.resolve() == folder}
    files = (file for file in journal.unconfirmed(run) if file.parent in places)
    remove_drafts(files, journal.draft_ending(run))


def _check_place(file: Path, run: Run, places: Collection[Path]) -> None:
    """Check that the run can have written to a path; the journal may have been edited.

    Raises:
        DataError: If it is not in a folder that the run wrote to, or is or goes through a link.
    """
    if file.parent not in places:
        msg = f"expected a file in a folder that run {run.id} wrote to"
        raise DataError(f"{msg}, got another file, which is left unchanged")
    if file.is_symlink() or file.parent.resolve() != file.parent:
        msg = "expected a file where the run wrote it, got a link, which is left unchanged"
        raise DataError(msg)
