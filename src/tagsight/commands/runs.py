"""``tagsight runs``: lists the runs that wrote sidecars, or into photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.commands.options import journal_file
from tagsight.commands.output import print_result
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from tagsight.tagging.sidecars.changes import Run


def runs(*, journal: Path | None = None) -> None:
    """List the runs that wrote sidecars, latest first.

    ```console
    tagsight runs
    ```

    The number of a run is what 'tagsight undo' takes.

    Args:
        journal: Journal file; by default the one for all your runs.
    """
    from tagsight.tagging.sidecars.journal import Journal

    file = journal_file(journal)
    if not file.exists():
        print_result([f"no run has written tags yet: there is no {file}"])
        return
    with Journal(file) as opened:
        print_result(_line(run) for run in opened.runs())


def _line(run: Run) -> str:
    from tagsight.tagging.sidecars.edit import EMBEDDED

    what = "photo" if run.form == EMBEDDED else "sidecar"
    end = f", taken back {run.undone}" if run.undone else ""
    return (
        f"{run.id:5}  {run.started}  {run.form}  {amount(run.files, what)}, "
        f"{amount(run.tags, 'tag')}  by {run.model}{end}"
    )
