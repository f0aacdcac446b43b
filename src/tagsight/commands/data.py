"""``tagsight data``: how a collection was read, and its counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from tagsight.commands.flags import as_flags
from tagsight.commands.label_errors import LabelErrorOptions, examine, write_label_errors
from tagsight.commands.options import LabelsPath, PhotoBudget
from tagsight.commands.output import (
    STANDARD_OUTPUT,
    print_info,
    print_result,
    shown_source,
    write_json,
)
from tagsight.commands.reading import Reading
from tagsight.runtime.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.annotations import Annotations
    from tagsight.data.description import Description
    from tagsight.data.photos.check import Check
    from tagsight.visualize.reports.label_error_page import ShownError

MOST_TOLD, ALL_IN = 10, "--json lists them all"


@Parameter(name="*")
@dataclass(frozen=True)
class DataOutput:
    """Files to write."""

    split_file: Path | None = None
    """CSV file to write the split to, as training does; its hash is printed."""

    template: Path | None = None
    """CSV file to write instead, with a row for each photo of the folder, to fill in; an existing
    file is never replaced."""

    template_labels: str | None = None
    """Comma-separated labels that get a column each in the template (1 present, 0 absent, blank
    unknown); by default there is one column for all labels of a photo."""

    html: Path | None = None
    """HTML file for the summary with small copies of photos: examples of each label, problems,
    copies and near twins; one file, which loads nothing."""

    json: Path | None = None
    """File to write the summary to as JSON; without a name, standard output."""


def data(
    data: LabelsPath,
    /,
    *,
    reading: Reading = Reading(),
    budget: PhotoBudget = PhotoBudget(),
    labels_only: bool = False,
    output: DataOutput = DataOutput(),
    label_errors: LabelErrorOptions = LabelErrorOptions(),
) -> None:
    """Read labels, open every photo, and print a summary.

    ```console
    tagsight data labels.csv --html data.html
    tagsight data photos --template labels.csv
    ```

    Counts are compared with published ones if a protocol is given, or if the data resemble one.

    Args:
        data: Labels: a file or folder in a known format; with --template, a folder of photos.
        labels_only: Open no photo; the photos may be missing.
    """
    if output.template is not None:
        _write_template(data, output.template, output.template_labels)
        return
    label_errors = label_errors.checked(labels_only=labels_only)
    print_info(f"reading {shown_source(data)}")

    from tagsight.data.description import describe
    from tagsight.data.photos.check import check_photos
    from tagsight.data.rules.problems import label_problems, problem_lines

    annotations = reading.read(data, labels_only=True, write_photos=not labels_only)
    problems = label_problems(annotations)
    for line in problem_lines(problems, MOST_TOLD, ALL_IN):
        print_info(line)
    if output.split_file is not None:
        _record(annotations, output.split_file)
    check = None
    if not (labels_only or annotations.without_photos):
        from tagsight.runtime.device import Runtime  # 190 MiB, which counting does not need

        workers = Runtime.choose("cpu").workers
        with progress("checking photos", len(annotations)) as advance:
            check = check_photos(
                annotations.paths,
                workers=workers,
                progress=advance,
                max_memory=budget.photo_bytes,
            )
    twins = None
    if label_errors.encoder_twins and check is not None:
        twins = label_errors.twins(annotations, check, budget.photo_bytes)
    description = describe(annotations, check, twins=twins, problems=problems)
    if output.json != STANDARD_OUTPUT:
        _print_summary(description)
    errors = None
    if label_errors.wanted and check is not None:
        in_report = output.html is not None
        errors = examine(annotations, check, label_errors, budget.photo_bytes, in_report=in_report)
        write_label_errors(*errors, label_errors, data.name)
    if output.html is not None:
        _write_report(output.html, description, annotations, check, errors, data.name)
    if output.json is not None:
        write_json(description.as_dict(), output.json)


def _print_summary(description: Description) -> None:
    lines = description.lines(MOST_TOLD, all_in=ALL_IN, with_label_problems=False, spelled=as_flags)
    print_result(lines)
    for comparison in description.comparisons:
        if comparison.advice is not None:
            print_info(comparison.advice)


def _write_template(folder: Path, file: Path, labels: str | None) -> None:
    from tagsight.data.template import write_template
    from tagsight.runtime.amounts import amount

    count = write_template(folder, file, () if labels is None else labels.split(","))
    print_info(f"{file}: {amount(count, 'photo')}; fill in the labels, then: tagsight data {file}")


def _write_report(
    file: Path,
    description: Description,
    annotations: Annotations,
    check: Check | None,
    errors: tuple[Annotations, Sequence[ShownError]] | None,
    title: str,
) -> None:
    from tagsight.runtime.files import write_atomically
    from tagsight.visualize.reports.data_report import data_report
    from tagsight.visualize.reports.label_error_page import MOST_BESIDE, label_error_list
    from tagsight.visualize.reports.page import Section
    from tagsight.visualize.reports.pictures import BUDGET

    further, size = [], BUDGET
    if errors is not None:
        size //= 2  # of all pictures, so that the page can be passed on
        listed = label_error_list(*errors, most=MOST_BESIDE, pictures_size=size)
        further = [Section("Probably wrong", listed)]
    page = data_report(description, annotations, check, title, pictures_size=size, further=further)
    write_atomically(file, page)
    print_info(f"report: {file}")


def _record(annotations: Annotations, file: Path) -> None:
    from tagsight.data.splits.split import write_split
    from tagsight.errors import DataError

    if annotations.splits is None:
        msg = "expected data with a split to write, got none; a --protocol may draw one"
        raise DataError(msg)
    print_info(f"{file}: SHA-256 {write_split(file, annotations)}")
