"""TensorBoard: event files in the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.training.tracking.tracker import Report, TrackedRun


class TensorboardTracker:
    """Write event files to ``tensorboard/`` in the run folder; nothing is sent anywhere.

    Args:
        run: The run; when it goes on, files are added to those before.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.training.tracking.tracker import TrackedRun
        >>> with TemporaryDirectory() as folder:
        ...     run = TrackedRun(Path(folder), {"training.lr": 0.01}, resumed=False)
        ...     tracker = TensorboardTracker(run)
        ...     tracker.values(1, {"loss": 0.5})
        ...     tracker.close(failed=False)
        ...     len(list(Path(tracker.place).glob("events.out.tfevents.*")))
        1
    """

    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.place = str(run.folder / "tensorboard")
        self._writer = SummaryWriter(self.place)
        self._epoch = 0
        rows = "\n".join(f"| {name} | {value} |" for name, value in run.settings.items())
        self._writer.add_text("settings", f"| setting | value |\n| --- | --- |\n{rows}")

    def values(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record numbers of an epoch as points of curves."""
        self._epoch = max(epoch, self._epoch)
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def report(self, report: Report) -> None:
        """Record the kept epoch, and each file as a text."""
        for name, value in report.values.items():
            self._writer.add_scalar(name, value, self._epoch)
        for file in report.files:
            text = file.read_text(encoding="utf-8")
            shown = text if file.suffix == ".md" else f"```\n{text}\n```"
            self._writer.add_text(file.name, shown, self._epoch)

    def close(self, *, failed: bool) -> None:
        """Write everything that is left."""
        self._writer.close()
