"""Label Studio's exports with a row for each annotation: JSON_MIN and CSV."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.format import DEFAULTS
from tagsight.data.formats.label_studio_values import labels_in, photo_field, task_photo
from tagsight.data.json_files import outline, read_json
from tagsight.data.photo_labels import PhotoLabels
from tagsight.data.source import clean_name
from tagsight.data.tables.named_rows import named_rows
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.photos.inside import PhotosInside


logger = logging.getLogger(__name__)

ABOUT_ANNOTATION = frozenset(
    {"annotation_id", "annotator", "created_at", "updated_at", "lead_time", "id", "agreement"}
)
"""Columns that are neither of the task nor of its labels."""

LABEL_COLUMNS = frozenset(
    {"choice", "choices", "label", "labels", "tag", "tags", "class", "classes", "category"}
    | {"categories", "taxonomy"}
)
"""Names of columns whose plain text is a label: Label Studio writes a single choice so."""


def read_rows(
    source: Path, inside: PhotosInside, columns: Columns = DEFAULTS.columns
) -> list[PhotoLabels]:
    r"""Read a row for each annotation; the task's own fields are in it beside the labels.

    Labels that several columns have are named with their column, ``indoor: yes``.

    Args:
        source: The file.
        inside: Takes photos that are inside the file.
        columns: Columns of the photo and of labels, and the encoding of a CSV, if the user names
            them.

    Raises:
        DataError: If the file cannot be understood, or no column holds labels.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.photos.inside import PhotosInside
        >>> file = Path("project.csv")
        >>> _ = file.write_text("image,id,tags,annotator,annotation_id\na.jpg,1,dog,2,3\n")
        >>> (row,) = read_rows(file, PhotosInside(file, write=False))
        >>> row.photo, row.present
        ('a.jpg', {'dog'})
    """
    if outline(source).top == "[":
        rows = read_json(source, list, "a list of rows")
    else:
        rows = list(_csv_rows(source, columns.encoding))
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            msg = f"{source}: [{number}]: expected a row as an object, got {str(row)[:80]!r}"
            raise DataError(msg)
    if not rows:
        msg = f"{source}: expected rows, got none"
        raise DataError(msg)
    keys = _keys(source, rows, columns)
    photo = columns.image_column or photo_field(rows, str(source))
    labelled = _label_columns(source, rows, [key for key in keys if key != photo], columns)
    said = [
        {column: _labels(row.get(column), f"{source}: row {number}") for column in labelled}
        for number, row in enumerate(rows, 1)
    ]
    shared = _shared(source, said)
    found = []
    for number, (row, labels) in enumerate(zip(rows, said, strict=True), 1):
        named = {
            f"{column}: {label}" if label in shared else label
            for column, each in labels.items()
            for label in each
        }
        where = f"{source}: row {number}"
        found.append(PhotoLabels(task_photo(row.get(photo), where, inside), named))
    return found


def _keys(source: Path, rows: Sequence[Mapping[str, Any]], columns: Columns) -> list[str]:
    """Return the columns that may hold the photo or labels."""
    keys = dict.fromkeys(key for row in rows for key in row if key not in ABOUT_ANNOTATION)
    one = filter(None, (columns.image_column, columns.labels_column))
    if lacking := next((key for key in (*one, *columns.label_columns) if key not in keys), None):
        msg = f"{source}: expected a column among {list(keys)[:5]!r}, got {lacking!r}"
        raise DataError(msg)
    return [key for key in keys if key not in columns.ignore]


def _shared(source: Path, said: Sequence[Mapping[str, set[str]]]) -> set[str]:
    """Return the labels that several columns have."""
    columns: dict[str, set[str]] = {}
    for column, label in ((key, one) for row in said for key, each in row.items() for one in each):
        columns.setdefault(label, set()).add(column)
    shared = {label for label, names in columns.items() if len(names) > 1}
    if shared:
        listed = ", ".join(sorted(set().union(*(columns[label] for label in shared))))
        logger.info("%s: %s offer the same labels, which are named with them", source, listed)
    return shared


def _csv_rows(source: Path, encoding: str | None) -> Iterator[dict[str, Any]]:
    for _, row in named_rows(source, encoding=encoding):
        if any(row.values()):
            yield {key: _parsed(cell) for key, cell in row.items()}


def _parsed(cell: str) -> object:
    if not cell.startswith(("{", "[")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):  # text that only looks like it
        return cell


def _label_columns(
    source: Path, rows: Sequence[Mapping[str, Any]], others: Sequence[str], given: Columns
) -> list[str]:
    if named := [*given.label_columns, *filter(None, [given.labels_column])]:
        return named
    columns = [
        key
        for key in others
        if key.lower() in LABEL_COLUMNS or any(_holds_labels(row.get(key)) for row in rows)
    ]
    if not columns:
        msg = (
            f"{source}: expected a column of labels, such as 'choice', got {others[:5]!r}; "
            "name it with `label_columns`, or export JSON, which says what is a label"
        )
        raise DataError(msg)
    if left := [key for key in others if key not in columns]:
        logger.warning(
            "%s: labels are in %s; not in %s, which may be labels or fields of the tasks: name all "
            "columns of labels with `label_columns` to take more",
            *(source, ", ".join(columns), ", ".join(left[:5])),
        )
    return columns


def _holds_labels(cell: object) -> bool:
    """Return whether a cell has the form of choices, of regions or of paths of a taxonomy."""
    if isinstance(cell, list) and cell:
        return all(isinstance(one, list) or _holds_labels(one) for one in cell)
    keys = cell if isinstance(cell, dict) else ()
    return any(key in {"choices", "taxonomy"} or key.endswith("labels") for key in keys)


def _labels(cell: object, where: str) -> set[str]:
    if isinstance(cell, dict):
        return labels_in(cell, where)
    if isinstance(cell, list) and all(isinstance(one, dict) for one in cell):
        return set().union(*(labels_in(one, where) for one in cell))
    if isinstance(cell, list):
        return labels_in({"taxonomy": cell}, where)
    return {clean_name(cell, where)} - {""} if isinstance(cell, str) else set()
