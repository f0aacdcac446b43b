"""Options and output of ``tagsight data --errors``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from tagsight.commands.output import STANDARD_OUTPUT, print_info, print_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.check import Check
    from tagsight.evaluation.label_errors import LabelError
    from tagsight.training.examination import Examiner
    from tagsight.visualize.reports.label_error_page import ShownError


@Parameter(name="*")
@dataclass(frozen=True)
class LabelErrorOptions:
    """Labels that are probably wrong: each photo is compared with the others."""

    errors: Path | None = None
    """CSV file to write the labels that are probably wrong to, the most probable first; it needs
    the extra errors; an existing file is never replaced."""

    errors_page: Path | None = None
    """HTML file to look through them, with evidence and a key for each answer; it makes a new table
    of labels, and never changes the old one."""

    model: Path | None = None
    """Model folder whose encoder looks at the photos; by default that of the recipe quick."""

    quick: bool = False
    """Look at the photos by the encoder of the recipe quick, as without --model."""

    encoder_twins: bool = False
    """Also find photos that look alike to the encoder, such as crops and mirror images."""

    @property
    def wanted(self) -> bool:
        """Whether any output of them is wanted."""
        return self.errors is not None or self.errors_page is not None

    def checked(self, *, labels_only: bool) -> LabelErrorOptions:
        """Refuse what cannot be done, before anything is read.

        Raises:
            DataError: If a file exists, options exclude each other, or no photo is to be opened.

        Example:
            >>> options = LabelErrorOptions(quick=True, model=Path("runs/first/model"))
            >>> options.checked(labels_only=False)
            Traceback (most recent call last):
            tagsight.errors.DataError: expected --quick or --model, got both
        """
        from tagsight.errors import DataError

        for file in (self.errors, self.errors_page):
            if file is not None and file.exists():
                msg = f"expected a new file, got {file}, which exists"
                raise DataError(msg)
        if self.quick and self.model is not None:
            msg = "expected --quick or --model, got both"
            raise DataError(msg)
        if (self.wanted or self.encoder_twins) and labels_only:
            what = "wrong labels" if self.wanted else "twins"
            msg = f"expected photos to find {what} by, got --labels-only: leave it out"
            raise DataError(msg)
        return self

    def twins(
        self, annotations: Annotations, check: Check, budget: int
    ) -> tuple[tuple[Path, ...], ...]:
        """Group the photos that look alike, by fingerprint or to the encoder.

        Args:
            annotations: The collection.
            check: Result of `check_photos`.
            budget: Bytes that decoding one photo may take.
        """
        from tagsight.data.photos.check import without_problems
        from tagsight.runtime.progress import TerminalLog

        rows = without_problems(annotations, check, max_bad=1.0)
        return _examiner(self, budget).twins(rows.paths, check, TerminalLog())


def examine(
    annotations: Annotations,
    check: Check,
    options: LabelErrorOptions,
    budget: int,
    *,
    in_report: bool,
) -> tuple[Annotations, list[ShownError]]:
    """Find the labels that are probably wrong, and compute the evidence for the first of them.

    Args:
        annotations: The collection.
        check: Result of `check_photos`.
        options: The model, or none.
        budget: Bytes that decoding one photo may take.
        in_report: Whether the first of them are shown in a report on the collection.
    """
    from tagsight.data.photos.check import without_problems
    from tagsight.inference.heatmaps import scale_top
    from tagsight.inference.interpolation import over_padding
    from tagsight.runtime.progress import TerminalLog
    from tagsight.visualize.reports.label_error_page import (
        MOST_BESIDE,
        MOST_SHOWN,
        ErrorEvidence,
        ShownError,
    )

    examiner = _examiner(options, budget)
    rows = without_problems(annotations, check, max_bad=1.0).judged()
    errors, heads = examiner.label_errors(rows, check, TerminalLog())
    shown = [ShownError(error, None) for error in errors]
    drawn = MOST_SHOWN if options.errors_page is not None else MOST_BESIDE if in_report else 0
    for place, error in enumerate(errors[:drawn]):
        path = rows.paths[error.row]
        frame = examiner.frame(check.traits[path].size)
        maps = over_padding(examiner.evidence(path, heads), frame)
        own = maps[error.label]
        shown[place] = ShownError(error, ErrorEvidence(own, scale_top(own, maps), frame))
    return rows, shown


def _examiner(options: LabelErrorOptions, budget: int) -> Examiner:
    from dataclasses import replace

    from tagsight.checkpoint.folder import load_model
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.files import default_cache
    from tagsight.systems.settings import known_recipe
    from tagsight.training.examination import Examiner

    runtime = Runtime.choose("cpu", precision="float32", cache=default_cache())
    runtime = replace(runtime, max_photo_memory=budget)
    if options.model is None:
        return Examiner.of(known_recipe("quick"), runtime)
    model = load_model(options.model)
    return Examiner(model.system, model.recipe, runtime)


def write_label_errors(
    rows: Annotations, shown: Sequence[ShownError], options: LabelErrorOptions, title: str
) -> None:
    """Write the files that are wanted.

    Example:
        >>> import torch
        >>> from tagsight.data.annotations import Annotations
        >>> from tagsight.evaluation.label_errors import LabelError
        >>> from tagsight.visualize.reports.label_error_page import ShownError
        >>> rows = Annotations(("dog",), (Path("a.jpg"),), torch.ones(1, 1), None, "any")
        >>> error = ShownError(LabelError(0, 0, 1, 0.02, 0.98, ("photo",)), None)
        >>> write_label_errors(rows, [error], LabelErrorOptions(errors=STANDARD_OUTPUT), "mine")
        image,label,given,score,wrong,reasons
        a.jpg,dog,1,0.0200,0.9800,photo
    """
    from tagsight.runtime.amounts import amount
    from tagsight.runtime.files import write_atomically
    from tagsight.visualize.reports.label_error_page import label_errors_page

    errors = [one.error for one in shown]
    print_info(amount(len(errors), "probably wrong label"))
    if options.errors == STANDARD_OUTPUT:
        print_result(_error_table(rows, errors).splitlines())
    elif options.errors is not None:
        write_atomically(options.errors, _error_table(rows, errors))
        print_info(f"probably wrong labels: {options.errors}")
    if options.errors_page is not None:
        write_atomically(
            options.errors_page, label_errors_page(rows, shown, f"Wrong labels in {title}?")
        )
        print_info(f"page to look through them: {options.errors_page}")


def _error_table(rows: Annotations, errors: Sequence[LabelError]) -> str:
    """Write the labels as CSV: photo, label, what is given, score, probability and reasons."""
    from tagsight.runtime.escaping import csv_line

    names = rows.relative_names
    lines = [csv_line(["image", "label", "given", "score", "wrong", "reasons"])]
    lines += [
        csv_line(
            [
                names[error.row],
                rows.names[error.label],
                error.given,
                f"{error.score:.4f}",
                f"{error.wrong:.4f}",
                " ".join(error.reasons),
            ]
        )
        for error in errors
    ]
    return "".join(lines)
