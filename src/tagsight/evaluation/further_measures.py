"""Optional parts of a report: evidence maps, their faithfulness, and retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.evaluation.evidence_report import measure_evidence
from tagsight.evaluation.faithfulness_report import measure_faithfulness
from tagsight.evaluation.retrieval import measure_retrieval

if TYPE_CHECKING:
    from tagsight.evaluation.evidence_report import MapSource, Pairs
    from tagsight.evaluation.measured import Measured
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog


def measure_further(
    measured: Measured,
    runtime: Runtime,
    log: WorkLog,
    *,
    pairs: Pairs | None = None,
    source: MapSource = "maps",
    faithfulness: int | None = None,
    retrieval: int | None = None,
) -> None:
    """Add evidence, and on request faithfulness and retrieval, to a report.

    Args:
        measured: The model on the split; its report gets the figures.
        runtime: Device, precision, processes; evidence is measured by the first.
        log: Shows the progress.
        pairs: Labels of photos with boxes, to measure whether the evidence points at them.
        source: The system's own maps, or Grad-CAM's.
        faithfulness: Photos on which to measure faithfulness.
        retrieval: Photos to search for each photo.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> from tagsight.runtime.progress import TerminalLog
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> measure_further(found, runtime, TerminalLog(shown=False), retrieval=1)
        >>> found.report["retrieval"]["k"]
        1
    """
    model, rows, _, report = measured
    if runtime.processes.is_first:
        with log.work("measuring evidence", len(rows)) as advance:
            report["evidence"] = measure_evidence(
                model, rows, runtime, pairs=pairs, source=source, progress=advance
            )
        if faithfulness is not None:
            with log.work("measuring faithfulness", min(faithfulness, len(rows))) as advance:
                report["faithfulness"] = measure_faithfulness(
                    model, rows, runtime, faithfulness, source=source, progress=advance
                )
    if retrieval is not None:
        with log.work("searching", len(rows)) as advance:
            report["retrieval"] = measure_retrieval(
                model, rows, runtime, retrieval, progress=advance
            )
