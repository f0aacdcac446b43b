"""Tables of programs whose columns have fixed names: their header, and rows by these names."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tagsight.data.json_files import shortened
from tagsight.data.source import is_file, require_file
from tagsight.data.tables.text import DELIMITERS, MARKS, records, writing_of
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

LARGEST_FILE = 2**30
LONGEST_HEADER = 2**16
AROUND = ' \r"#'
"""Marks around a name in the first line; the VGG Image Annotator begins it with #."""


def header_of(file: Path) -> list[str]:
    r"""Return the names in a file's first line, or nothing if it is no file.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_text('"image";"tags"\na.jpg;dog\n')
        >>> header_of(Path("table.csv"))
        ['image', 'tags']
    """
    if not is_file(file):
        return []
    status = file.stat()
    return list(_header(file, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=64)  # every format asks
def _header(file: Path, _size: int, _changed: int) -> tuple[str, ...]:
    with file.open("rb") as handle:
        start = handle.read(LONGEST_HEADER)
    encoding = next((name for mark, name in MARKS if start.startswith(mark)), "utf-8-sig")
    line = start.decode(encoding, "replace").partition("\n")[0]
    return tuple(name.strip(AROUND) for name in line.split(delimiter_of(line)))


def delimiter_of(header: str) -> str:
    """Return the delimiter of a header: a spreadsheet may have saved the file again.

    Example:
        >>> delimiter_of("image;id;tags;annotator;annotation_id")
        ';'
    """
    return max(DELIMITERS, key=header.count)


def named_rows(
    file: Path,
    required: Collection[str] = (),
    *,
    encoding: str | None = None,
    is_quoted: bool = True,
) -> Iterator[tuple[str, dict[str, str]]]:
    r"""Yield where each row is, for errors, and its cells by the names in the header.

    Args:
        file: The file.
        required: Names that the header must have.
        encoding: Its encoding, if the user names it.
        is_quoted: Whether quotation marks enclose cells.

    Raises:
        DataError: If the header lacks a name, or a row has another number of cells.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_text("image;tags\na.jpg;dog\n")
        >>> list(named_rows(Path("table.csv"), ["tags"]))
        [('table.csv:2', {'image': 'a.jpg', 'tags': 'dog'})]
    """
    require_file(file, largest=LARGEST_FILE)
    with file.open(encoding=writing_of(file, encoding).encoding, newline="") as handle:
        delimiter = delimiter_of(handle.readline(LONGEST_HEADER))
    rows = records(file, delimiter, encoding=encoding, is_quoted=is_quoted)
    _, header = next(rows, (0, []))
    names = [name.strip(AROUND) for name in header]
    if lacking := [name for name in required if name not in names]:
        msg = f"{file}: expected the columns {', '.join(required)}, got no {', '.join(lacking)}"
        raise DataError(msg)
    for line, cells in rows:
        if len(cells) != len(names):
            as_header = f"{amount(len(names), 'cell')} as in the header"
            msg = f"{file}:{line}: expected {as_header}, got {len(cells)}"
            raise DataError(msg)
        yield f"{file}:{line}", dict(zip(names, cells, strict=True))


def json_cell(row: Mapping[str, str], column: str, kind: type[Any], where: str) -> Any:  # noqa: ANN401 - plain-data border
    """Return the JSON in a cell; a blank cell is empty.

    Args:
        row: The cells of a row by their columns.
        column: The column.
        kind: ``dict`` or ``list``, for what it must be.
        where: The row, for the error.

    Raises:
        DataError: If it is no JSON of this kind.

    Example:
        >>> json_cell({"tags": '["dog"]'}, "tags", list, "table.csv:2")
        ['dog']
    """
    try:
        found = json.loads(row[column]) if row[column].strip() else kind()
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, kind):
        return found
    name = "object" if kind is dict else "list"
    msg = f"{where}: expected a JSON {name} in {column!r}, got {shortened(row[column])}"
    raise DataError(msg)
