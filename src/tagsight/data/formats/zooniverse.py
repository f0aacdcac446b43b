"""Zooniverse's classifications: a CSV with a row for each person and subject, of cells of JSON."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from tagsight.data.answers import Answers
from tagsight.data.format import Format
from tagsight.data.json_files import shortened
from tagsight.data.photo_labels import tabulate
from tagsight.data.source import photo_path
from tagsight.data.tables.named_rows import header_of, json_cell, named_rows
from tagsight.data.tables.names import is_address, is_photo
from tagsight.data.votes import Votes
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

COLUMNS = ("annotations", "subject_data")
MARK = "classification_id"
PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|\[([^\]]*)\]\([^)]*\)")
"""Pictures and links in answers, written in Markdown."""

NOTHING = frozenset({"nothinghere", "nothing", "blank", "empty", "noanimalspresent", "noanimals"})
"""Choices that say that nothing is there, reduced to letters."""

_LETTERS = re.compile(r"[^a-z]+")
LONGEST_ANSWER = 100
"""Characters of an answer; longer ones are texts, not labels."""


def recognises(source: Path) -> bool:
    r"""Return whether a file begins as an export of classifications.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("export.csv").write_text("classification_id,annotations,subject_data\n")
        >>> recognises(Path("export.csv"))
        True
    """
    return {MARK, COLUMNS[0]} <= set(header_of(source))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the choices and answers of a subject as the labels of its photos.

    A label is present if more than half of the people say so, absent if none does, and unknown
    otherwise. An answer is a label; if it is yes, the question is. Answers to what is asked of a
    choice, and texts, are not used.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it. Their
            names are those in the subjects' data, else the subjects' ids.

    Raises:
        DataError: If the file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> cells = '"[{""task"": ""T0"", ""value"": ""%s""}]","{""7"": {""Filename"": ""%s""}}"\n'
        >>> _ = Path("export.csv").write_text(
        ...     "classification_id,annotations,subject_data\n"
        ...     + "1," + cells % ("dog", "a.jpg") + "2," + cells % ("sky", "b.jpg")
        ... )
        >>> (found,) = read(Path("export.csv"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('dog', 'sky'), [[1, 0], [0, 1]])
    """
    answers, votes = Answers(source), Votes(source)
    said: list[tuple[list[str], list[tuple[str, str]]]] = []
    for where, row in named_rows(source, COLUMNS, encoding=options.columns.encoding):
        tasks = json_cell(row, "annotations", list, where)
        given = [pair for task in tasks for pair in _answers(task, where) if answers.add(*pair)]
        said.append((_photos(json_cell(row, "subject_data", dict, where), where), given))
    if not said:
        msg = f"{source}: expected classifications below the header, got none"
        raise DataError(msg)
    answers.log()
    for photos, given in said:
        for photo in photos:
            votes.add(photo, {answers.label(*pair) for pair in given})
    if several := sum(len(photos) > 1 for photos, _ in said):
        count = amount(several, "classification")
        logger.warning(
            "%s: %s of subjects with several photos: each has all labels of its subject, although "
            "not each need show what was seen",
            *(source, count),
        )
    folders = options.folders_around(source.parent)
    return [tabulate(source, votes.photos(), folders=folders)]


def _photos(subjects: dict[str, Any], where: str) -> list[str]:
    """Return the photos of a subject, by its data or else by its id."""
    found: list[str] = []
    for key, subject in subjects.items():
        values = subject.values() if isinstance(subject, dict) else ()
        texts = [value for value in values if isinstance(value, str)]
        photos = [text for text in texts if is_photo(text)] or list(filter(is_address, texts))
        found += dict.fromkeys(
            photo_path(text.partition("?")[0], where) for text in photos or [key]
        )
    if not found:
        msg = f"{where}: expected a subject in 'subject_data', got {shortened(subjects)}"
        raise DataError(msg)
    return found


def _answers(task: Any, where: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain-data border
    """Yield the questions of a task with their answers; a task may hold others."""
    if not isinstance(task, dict):
        msg = f"{where}: expected tasks as objects in 'annotations', got {shortened(task)}"
        raise DataError(msg)
    question = _plain(task.get("task_label") or "") or str(task.get("task"))
    value = task.get("value")
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and "task" in one:
            yield from _answers(one, where)
            continue
        name = one
        if isinstance(one, dict):  # a choice of a survey, a mark of a drawing, a menu
            name = next((one[k] for k in ("choice", "tool_label", "label") if one.get(k)), None)
        answer = _plain(name) if isinstance(name, str) else ""
        says_nothing = _LETTERS.sub("", answer.lower()) in NOTHING
        if answer and len(answer) <= LONGEST_ANSWER and not says_nothing:
            yield question, answer


def _plain(text: str) -> str:
    """Return an answer without pictures and links."""
    return " ".join(PICTURE.sub(r"\1", text).split())


FORMAT = Format(
    "zooniverse",
    "Zooniverse's CSV of classifications: what most people say of a subject",
    "classification_id,annotations,subject_data\n"
    '1,"[{""task"": ""T0"", ""value"": [{""choice"": ""DEER""}]}]",'
    '"{""7"": {""Filename"": ""a.jpg""}}"',
    recognises,
    read,
    is_text=True,
)
