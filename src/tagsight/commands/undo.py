"""``tagsight undo``: reverts what a run wrote into sidecars or photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.commands.options import journal_file
from tagsight.commands.output import FAILED, print_info
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.progress import progress

if TYPE_CHECKING:
    from tagsight.tagging.sidecars.changes import Run
    from tagsight.tagging.sidecars.journal import Journal


def undo(run: int | None = None, /, *, journal: Path | None = None) -> int:
    """Revert what a tagging run added to sidecars or photos, and nothing else.

    ```console
    tagsight undo
    tagsight undo 3
    ```

    A file not changed since the run is restored byte for byte, or removed if the run created it;
    from others only the tags of the run are removed. Nothing outside the folders of the run is
    touched. A partly reverted run can be reverted again by its number. The exit code is 1 if a file
    had to be left as it is.

    Args:
        run: Number of the run, as 'tagsight runs' lists it; by default the last one not reverted.
        journal: Journal file; by default the one for all your runs.
    """
    from tagsight.tagging.sidecars.edit import EMBEDDED
    from tagsight.tagging.sidecars.journal import Journal
    from tagsight.tagging.undo import undo as taken_back

    file = journal_file(journal)
    if not file.exists():
        msg = f"expected a run to take back, got none: there is no journal {file}"
        raise DataError(msg)
    with Journal(file) as opened:
        chosen = _chosen(opened, run)
        changed = problems = 0
        with progress("taking back", chosen.files) as advance:
            for number, outcome in enumerate(taken_back(opened, chosen), 1):
                changed += bool(outcome.added)
                if outcome.problem:
                    problems += 1
                    print_info(f"left alone: {outcome.sidecar}: {outcome.problem}")
                if outcome.notice:
                    print_info(f"{outcome.sidecar}: {outcome.notice}")
                advance(number)
    what = amount(changed, "photo" if chosen.form == EMBEDDED else "sidecar")
    print_info(f"run {chosen.id}: {what} taken back, {problems:,} left alone")
    return FAILED if problems else 0


def _chosen(journal: Journal, number: int | None) -> Run:
    runs = [run for run in journal.runs() if number in {None, run.id}]
    if not runs:
        which = "run" if number is None else f"run {number}"
        msg = f"expected a {which} to take back, got none in {journal.file}"
        raise DataError(msg)
    for run in runs:
        if run.undone is None or (number is not None and journal.changes(number)):
            return run
    msg = (
        f"expected a run that is not taken back yet, got run {runs[0].id}, back at {runs[0].undone}"
    )
    raise DataError(msg)
