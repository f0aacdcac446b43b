"""Weights & Biases: offline in the run folder, unless the user asks for its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.training.tracking.tracker import Report, TrackedRun


ID_FILE = "wandb-run.txt"
"""Keeps the id of the run in the run folder, so that a resumed run goes on in the same one."""


class WandbTracker:
    """Track a run with W&B: files in ``wandb/`` of the run folder, which ``wandb sync`` can send.

    Args:
        run: The run; when it goes on, its curves are added to those before.
        mode: ``online`` sends to the server that the user is logged in to. None is ``offline``.

    Raises:
        DataError: If W&B does not start, for example as nobody is logged in.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.training.tracking.tracker import TrackedRun
        >>> run = TrackedRun(Path("runs/first"), {"training.lr": 0.01}, resumed=False)
        >>> WandbTracker(run, None).place  # doctest: +SKIP
        '.../runs/first/wandb'
    """

    def __init__(self, run: TrackedRun, mode: str | None) -> None:
        import wandb

        if mode not in {None, "online", "offline", "disabled"}:
            msg = f"expected 'online' or 'offline' as WANDB_MODE, got {mode!r}"
            raise DataError(msg)
        folder = run.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        quiet = wandb.Settings(
            silent=True,
            console="off",
            save_code=False,
            disable_git=True,
            x_disable_stats=True,
            x_disable_meta=True,
        )
        file = folder / ID_FILE
        earlier = file.read_text(encoding="utf-8").strip() if run.resumed and file.is_file() else ""
        try:
            self._run = wandb.init(
                id=earlier or None,
                resume="allow" if earlier and mode == "online" else None,
                project="tagsight",
                name=run.name,
                dir=str(folder),
                mode=mode or "offline",
                config=dict(run.settings),
                settings=quiet,
            )
        except (wandb.Error, ValueError) as error:
            msg = f"W&B does not start: {str(error).partition(chr(10))[0]}"
            raise DataError(msg) from error
        write_atomically(file, f"{self._run.id}\n")
        sent = mode == "online"
        self.place = str(self._run.url) if sent else str(folder / "wandb")

    def values(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record numbers of an epoch as points of curves over ``epoch``."""
        self._run.log({"epoch": epoch, **values})

    def report(self, report: Report) -> None:
        """Record the kept epoch in the summary, and keep the files."""
        self._run.summary.update(dict(report.values))
        for file in report.files:
            self._run.save(str(file.resolve()), base_path=str(file.resolve().parent), policy="now")

    def close(self, *, failed: bool) -> None:
        """Write everything that is left."""
        self._run.finish(exit_code=int(failed))
