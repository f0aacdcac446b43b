"""Labelbox: JSON lines with the labels of each project, or its first form of export."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.answers import Answers
from tagsight.data.format import Format
from tagsight.data.formats.labelbox_first import LabelledRow, is_first_form, read_first_form
from tagsight.data.json_files import outline, read_json, read_json_lines, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

WHAT = "an object with 'data_row' and 'projects'"


def recognises(source: Path) -> bool:
    r"""Return whether a file begins as an export of Labelbox.

    Example:
        >>> from pathlib import Path
        >>> file = Path("export.ndjson")
        >>> _ = file.write_text('{"data_row": {"external_id": "a.jpg"}, "projects": {}}\n')
        >>> recognises(file)
        True
    """
    _, keys, _ = outline(source)
    is_lines = keys.get("data_row") == "{" and keys.get("projects") == "{"
    return is_lines or is_first_form(source)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the objects and the answers of a photo; a label that it does not have is absent.

    Photos that nobody has labelled are left out. Several people's labels are united.

    Args:
        source: The file, of JSON lines or a list, or JSON or CSV of the first form of export.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If a line cannot be understood, or no photo has labels.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> row = '{"data_row": {"external_id": "a.jpg"}, "projects": {"p": {"labels": [%s]}}}\n'
        >>> _ = Path("export.ndjson").write_text(
        ...     row % '{"annotations": {"objects": [{"name": "dog"}]}}'
        ... )
        >>> (found,) = read(Path("export.ndjson"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog',), [[1]])
    """
    is_first = is_first_form(source)
    rows = list(read_first_form(source, options.columns.encoding) if is_first else _rows(source))
    answers = Answers(source)
    given = [
        (row.photo, [pair for pair in row.answers if answers.add(*pair)], row.objects)
        for row in rows
        if row is not None
    ]
    if not given:
        msg = f"{source}: expected labels of photos, got none; export those that are done"
        raise DataError(msg)
    if left := len(rows) - len(given):
        logger.info("%s: %s left out, which nobody has labelled", source, amount(left, "photo"))
    answers.log()
    photos = [
        PhotoLabels(photo, {*(answers.label(*pair) for pair in pairs), *objects})
        for photo, pairs, objects in given
    ]
    folders = options.folders_around(source.parent)
    return [tabulate(source, photos, folders=folders)]


def _rows(source: Path) -> Iterator[LabelledRow | None]:
    """Yield what each line says, or None for a photo that nobody has labelled."""
    lines: Iterable[tuple[int, Any]]
    if outline(source).top == "[":
        lines = enumerate(read_json(source, list, "a list of photos"), 1)
    else:
        lines = read_json_lines(source, WHAT)
    for line, record in lines:
        where = f"{source}:{line}"
        photo, labels = _photo(record, where), list(_labels(record, where))
        answers = [pair for one in labels for pair in _answers(one)]
        row = LabelledRow(photo, answers, set(_objects(labels, source)))
        yield row if labels else None


def _photo(record: Any, where: str) -> str:  # noqa: ANN401 - plain-data border
    row = record.get("data_row") if isinstance(record, dict) else None
    if isinstance(row, dict):
        for key in ("external_id", "global_key", "row_data"):
            if isinstance(row.get(key), str) and row[key]:
                address = row[key].partition("?")[0] if key == "row_data" else row[key]
                return photo_path(address, where)
    msg = f"{where}: expected {WHAT}, with an 'external_id', got {shortened(record)}"
    raise DataError(msg)


def _labels(record: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Yield the annotations of each label of each project."""
    projects = record.get("projects")
    for project in projects.values() if isinstance(projects, dict) else ():
        for label in (project.get("labels") if isinstance(project, dict) else None) or []:
            annotations = label.get("annotations") if isinstance(label, dict) else None
            if not isinstance(annotations, dict):
                msg = f"{where}: expected 'annotations' of a label, got {shortened(label)}"
                raise DataError(msg)
            yield annotations


def _objects(labels: list[dict[str, Any]], source: Path) -> Iterator[str]:
    for label in labels:
        for one in label.get("objects") or []:
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                yield clean_name(one["name"], str(source))


def _answers(annotations: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the questions and their answers; texts are none."""
    for one in annotations.get("classifications") or []:
        if not isinstance(one, dict):
            continue
        chosen = [*(one.get("checklist_answers") or []), one.get("radio_answer")]
        for answer in chosen:
            if isinstance(answer, dict) and isinstance(answer.get("name"), str):
                yield str(one.get("name")), answer["name"]


FORMAT = Format(
    "labelbox",
    "JSON lines of Labelbox, or CSV of its first form: objects, checklists and radio buttons",
    '{"data_row": {"external_id": "a.jpg"}, "projects": {"p": {"labels": [{"annotations":\n'
    '   {"objects": [{"name": "dog"}], "classifications": []}}]}}}',
    recognises,
    read,
    is_text=True,
)
