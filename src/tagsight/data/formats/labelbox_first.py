"""Labelbox's first form of export: a row a photo, with JSON in the column ``Label``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.named_rows import header_of, named_rows
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHOTO, LABEL, NAME = "Labeled Data", "Label", "External ID"
LONGEST_ANSWER = 60
"""Characters of an answer; longer ones are texts, not labels."""


class LabelledRow(NamedTuple):
    """Labels of a row: answers to questions, and labels of objects."""

    photo: str
    answers: list[tuple[str, str]]
    objects: set[str]


def is_first_form(source: Path) -> bool:
    r"""Return whether a file is CSV or JSON of this form.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("export.csv").write_text("ID,Labeled Data,Label,External ID\n")
        >>> is_first_form(Path("export.csv"))
        True
    """
    top, keys, _ = outline(source)
    if top:
        return {PHOTO, LABEL} <= keys.keys()
    return {PHOTO, LABEL} <= set(header_of(source))


def read_first_form(source: Path, encoding: str | None) -> Iterator[LabelledRow | None]:
    r"""Yield what each row says, or None for one that was skipped or is not labelled.

    Raises:
        DataError: If a row cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> row = 'https://x.org/1,"{""dog"": [{""geometry"": []}], ""kind"": ""wild""}",a.jpg'
        >>> _ = Path("export.csv").write_text(f"Labeled Data,Label,External ID\n{row}\n")
        >>> (row,) = read_first_form(Path("export.csv"), None)
        >>> row.photo, row.answers, row.objects
        ('a.jpg', [('kind', 'wild')], {'dog'})
    """
    for where, row in _rows(source, encoding):
        label = row.get(LABEL)
        if isinstance(label, str) and label.lstrip().startswith("{"):
            try:
                label = json.loads(label)
            except (ValueError, RecursionError) as error:
                msg = f"{where}: expected JSON in the column {LABEL!r}, got: {error}"
                raise DataError(msg) from error
        if not isinstance(label, dict) or str(row.get("Skipped")).lower() == "true":
            yield None
            continue
        answers, objects = list(_answers(label)), {clean_name(n, where) for n in _objects(label)}
        yield LabelledRow(_photo(row, where), answers, objects - {""})


def _rows(source: Path, encoding: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if outline(source).top:
        for number, row in enumerate(read_json(source, list, "a list of photos"), 1):
            yield f"{source}: [{number}]", row if isinstance(row, dict) else {}
        return
    yield from named_rows(source, encoding=encoding)


def _photo(row: dict[str, Any], where: str) -> str:
    for key in (NAME, PHOTO):
        if isinstance(name := row.get(key), str) and name.strip():
            return photo_path(name.partition("?")[0] if "://" in name else name, where)
    msg = f"{where}: expected a photo in {NAME!r} or {PHOTO!r}, got {shortened(row)}"
    raise DataError(msg)


def _objects(label: dict[str, Any]) -> Iterator[str]:
    """Yield the labels of objects; the oldest exports have them as keys of outlines."""
    for one in label.get("objects") or []:
        if isinstance(one, dict) and isinstance(name := one.get("title") or one.get("value"), str):
            yield name
    for key, value in label.items():
        outlines = value if isinstance(value, list) else [value]
        if key != "objects" and any(map(_is_outline, outlines)):
            yield key


def _is_outline(value: object) -> bool:
    if isinstance(value, str):
        return value.lstrip().upper().startswith(("MULTIPOLYGON", "POLYGON", "POINT", "LINESTRING"))
    return isinstance(value, dict) and ("geometry" in value or "polygon" in value)


def _answers(label: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield questions with the options that were chosen; texts are none."""
    for one in label.get("classifications") or []:
        if not isinstance(one, dict):
            continue
        question = str(one.get("title") or one.get("value"))
        chosen = one.get("answers") or []
        for answer in (*(chosen if isinstance(chosen, list) else ()), one.get("answer")):
            name = isinstance(answer, dict) and (answer.get("title") or answer.get("value"))
            if isinstance(name, str):
                yield question, name
    for question, value in label.items():
        for answer in value if isinstance(value, list) else [value]:
            is_answer = isinstance(answer, str) and len(answer) <= LONGEST_ANSWER
            if is_answer and not _is_outline(answer):
                yield question, answer
