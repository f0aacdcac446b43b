"""Results of Amazon Mechanical Turk: a CSV with a row for each person and photo."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.answers import Answers
from tagsight.data.format import Format
from tagsight.data.photo_labels import tabulate
from tagsight.data.source import photo_path
from tagsight.data.tables.named_rows import header_of, named_rows
from tagsight.data.tables.names import is_address, is_photo
from tagsight.data.votes import Votes
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

COLUMNS = ("HITId", "AssignmentStatus")
INPUT, ANSWER, ALL_ANSWERS = "Input.", "Answer.", "taskAnswers"
ABOUT_A_FORM = frozenset({"label", "labels", "on", "value"})
"""Last parts of names that the crowd's forms put behind a question."""

LONGEST_ANSWER = 100
"""Characters of an answer; longer ones are texts, not labels."""


def recognises(source: Path) -> bool:
    r"""Return whether a file begins as a table of results.

    Example:
        >>> from pathlib import Path
        >>> header = '"HITId","AssignmentStatus","Input.image_url","Answer.kind"\n'
        >>> _ = Path("batch.csv").write_text(header)
        >>> recognises(Path("batch.csv"))
        True
    """
    return set(COLUMNS) <= set(header_of(source))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the answers of people about a photo as its labels.

    A label is present if more than half of them say so, absent if none does, and unknown otherwise.
    An answer is a label; if it is yes, or a box is ticked, the question is. Assignments that were
    rejected, and texts, are not used.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If the file cannot be understood, or no column of its input has photos.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("batch.csv").write_text(
        ...     "HITId,AssignmentStatus,Input.image_url,Answer.kind\n"
        ...     "h1,Approved,https://example.org/a.jpg,dog\nh2,Rejected,https://example.org/b.jpg,sky\n"
        ... )
        >>> (found,) = read(Path("batch.csv"), DEFAULTS)
        >>> found.photos, found.names
        (('https:/example.org/a.jpg',), ('dog',))
    """
    if not any(name.startswith(ANSWER) for name in header_of(source)):
        msg = f"{source}: expected columns {ANSWER}*, got none; download the results of a batch"
        raise DataError(msg)
    answers, votes = Answers(source), Votes(source)
    said: list[tuple[str, list[tuple[str, str]]]] = []
    rejected = 0
    for where, row in named_rows(source, COLUMNS, encoding=options.columns.encoding):
        if row["AssignmentStatus"].strip().lower() == "rejected":
            rejected += 1
            continue
        pairs = [pair for pair in _answers(row, where) if answers.add(*pair)]
        said.append((_photo(row, where), pairs))
    if rejected:
        logger.info("%s: %s left out as rejected", source, amount(rejected, "assignment"))
    if not said:
        msg = f"{source}: expected assignments that were not rejected, got none"
        raise DataError(msg)
    answers.log()
    for photo, pairs in said:
        votes.add(photo, {answers.label(*pair) for pair in pairs})
    folders = options.folders_around(source.parent)
    return [tabulate(source, votes.photos(), folders=folders)]


def _photo(row: Mapping[str, str], where: str) -> str:
    inputs = [cell for name, cell in row.items() if name.startswith(INPUT)]
    photos = [cell for cell in inputs if is_photo(cell) or is_address(cell)]
    if len(photos) != 1:
        msg = f"{where}: expected one photo among the columns {INPUT}*, got {photos or inputs!r}"
        raise DataError(msg)
    return photo_path(photos[0].partition("?")[0], where)


def _answers(row: Mapping[str, str], where: str) -> Iterator[tuple[str, str]]:
    """Yield the questions of a row with their answers."""
    for name, cell in row.items():
        if not name.startswith(ANSWER):
            continue
        question, value = name.removeprefix(ANSWER), cell.strip()
        if not value.startswith(("[", "{")):
            yield from _pairs(question.split("."), value)
            continue
        try:
            content = json.loads(value)
        except (ValueError, RecursionError) as error:
            msg = f"{where}: expected JSON in {name!r}, got: {error}"
            raise DataError(msg) from error
        yield from _pairs([] if question == ALL_ANSWERS else question.split("."), content)


def _pairs(path: list[str], value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain-data border
    """Yield the answers in a value, with the last part of their names that is of no form."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _pairs([*path, key], one)
    elif isinstance(value, list):
        for one in value:
            yield from _pairs(path, one)
    elif isinstance(value, bool | str) and value not in {"", False}:
        names = [name for name in path if name not in ABOUT_A_FORM] or path
        answer = "yes" if value is True else str(value)
        if names and len(answer) <= LONGEST_ANSWER:
            yield names[-1], answer


FORMAT = Format(
    "mturk",
    "a CSV of results of Amazon Mechanical Turk: what most people say of a photo",
    "HITId,AssignmentStatus,Input.image_url,Answer.kind\nh1,Approved,https://.../a.jpg,dog",
    recognises,
    read,
    is_text=True,
)
