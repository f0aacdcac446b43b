"""JSON lines, and JSON lists, of records with a photo and its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.formats.records import LABEL_KEYS, PHOTO_KEYS, read_records
from tagsight.data.json_files import outline, read_json, read_json_lines, shortened
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

ENDINGS = (".jsonl", ".ndjson")
WHAT = "an object with a photo and its labels"
OTHERS = frozenset({"annotations", "annotation_id", "data", "samples", "images", "shapes"})
"""Keys that other formats have in their records."""


def recognises(source: Path) -> bool:
    r"""Return whether a file begins with an object that has a photo, and more beside it.

    Example:
        >>> from pathlib import Path
        >>> file = Path("rows.jsonl")
        >>> _ = file.write_text('{"path": "a.jpg", "tags": ["dog"]}\n')
        >>> recognises(file)
        True
    """
    top, keys, lines = outline(source)
    lower = {key.lower() for key in keys}
    if lower & OTHERS or not lower & set(PHOTO_KEYS):
        return False
    is_lines = top == "{" and (lines or source.name.lower().endswith(ENDINGS))
    return top == "[" or is_lines or (top == "{" and bool(lower & set(LABEL_KEYS)))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read records by the rules of `read_records`.

    Args:
        source: A file with an object a line, or a list of objects.
        options: Columns; folder of the photos, by default that of the file. Photos that are inside
            are written to the cache.

    Raises:
        DataError: If a record cannot be understood.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> rows = [{"path": "a.jpg", "tags": ["dog"]}, {"path": "b.jpg", "tags": []}]
        >>> file = Path("rows.json")
        >>> _ = file.write_text(json.dumps(rows))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('dog',), [[1], [0]])
    """
    if outline(source).top == "[":
        records = read_json(source, list, f"a list of objects, each {WHAT}")
    else:
        records = [record for _, record in read_json_lines(source, WHAT)]
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            msg = f"{source}: record {number}: expected {WHAT}, got {shortened(record)}"
            raise DataError(msg)
    base = source.parent
    return [read_records(source, records, options, [base, base / "images", base / "photos"])]


FORMAT = Format(
    "json-records",
    "JSON lines, or a JSON list, of objects with a photo and its labels",
    '{"image": "a.jpg", "labels": ["dog", "sky"], "split": "train"}\n'
    '{"image": "b.jpg", "labels": [], "split": "test"}',
    recognises,
    read,
    (".jsonl", ".ndjson"),
    has_columns=True,
)
