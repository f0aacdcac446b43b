"""Records of photos in Arrow tables: Parquet files and files of Hugging Face's `datasets`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.formats.records import keys_of
from tagsight.data.source import require_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.data.formats.records import Record

Table: TypeAlias = Any
"""A `pyarrow.Table`, which has no types."""

LARGEST_FILE = 2**40
MOST_ROWS = 2**26
LARGEST_COLUMNS = 2**33
"""Bytes of the columns of paths and labels, decompressed."""


class ArrowRecords(NamedTuple):
    """Records of a file, and the names of labels that are given as numbers."""

    records: list[Record]
    classes: list[str]


def read_parquet(file: Path) -> ArrowRecords:
    """Read the columns of a Parquet file that hold paths and labels, and no photo.

    Raises:
        DataError: If it is no Parquet file, has too many rows, or the photos are in it.
    """
    _require_arrow(file)
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(file, largest=LARGEST_FILE)
    try:
        with pq.ParquetFile(file) as opened:
            _check_rows(file, opened.metadata.num_rows)
            columns = _light(opened.schema_arrow)
            _check_size(file, opened.metadata, columns)
            for name in _photos_inside(opened.schema_arrow):
                first = next(opened.iter_batches(batch_size=1, columns=[f"{name}.bytes"]), None)
                if first is not None and first.column(0).field("bytes").null_count < len(first):
                    raise DataError(_inside(file, name))
            schema = opened.schema_arrow
            table = opened.read(columns=columns)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise _unreadable(file, error) from error
    return _records(file, table, schema)


def read_arrow(file: Path) -> ArrowRecords:
    """Read the columns of an Arrow file of `datasets` that hold paths and labels, and no photo.

    Raises:
        DataError: As `read_parquet` does.
    """
    _require_arrow(file)
    import pyarrow as pa

    require_file(file, largest=LARGEST_FILE)
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_stream(source).read_all()
            _check_rows(file, table.num_rows)
            schema = table.schema
            table.validate(full=True)  # offsets of others may lead anywhere
            for name in _photos_inside(schema):
                column = table.column(name).combine_chunks()
                if column.field("bytes").null_count < len(column):
                    raise DataError(_inside(file, name))
            names = [name.partition(".")[0] for name in _light(schema)]
            return _records(file, table.select(names), schema)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise _unreadable(file, error) from error


def _require_arrow(file: Path) -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        msg = f"expected the extra 'parquet' to read {file}: pip install 'tagsight[parquet]'"
        raise DataError(msg)


def _unreadable(file: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    said = " ".join(str(error).split())[:200]
    return DataError(f"{file}: expected a table of Arrow or Parquet, got: {said}")


def _check_rows(file: Path, rows: int) -> None:
    if rows > MOST_ROWS:
        msg = f"{file}: expected at most {MOST_ROWS:,} rows, got {rows:,}"
        raise DataError(msg)


def _check_size(file: Path, metadata: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - no types
    chosen = {name.partition(".")[0] for name in columns}
    size = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            path = column.path_in_schema
            if path in columns or (path.partition(".")[0] in chosen and not path.endswith("bytes")):
                size += column.total_uncompressed_size
    if size > LARGEST_COLUMNS:
        msg = f"{file}: expected at most {LARGEST_COLUMNS:,} bytes of labels, got {size:,}"
        raise DataError(msg)


def _photos_inside(schema: Any) -> Iterator[str]:  # noqa: ANN401 - no types
    """Yield the columns that hold, or may hold, photos, as `datasets` stores them."""
    import pyarrow as pa

    for field in schema:
        if pa.types.is_struct(field.type) and {"bytes", "path"} <= {one.name for one in field.type}:
            yield field.name


def _light(schema: Any) -> list[str]:  # noqa: ANN401 - no types
    """Return the columns that may be read, without those that are only bytes or vectors."""
    import pyarrow as pa

    inside = set(_photos_inside(schema))
    heavy = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_list)
    return [
        f"{field.name}.path" if field.name in inside else field.name
        for field in schema
        if not any(is_kind(field.type) for is_kind in heavy)
    ]


def _inside(file: Path, column: str) -> str:
    return (
        f"{file}: expected paths of photos, got the photos themselves in {column!r}; write each to "
        f"a folder with `row[{column!r}].save(path)`, and its path and labels to a CSV"
    )


def _records(file: Path, table: Table, schema: Any) -> ArrowRecords:  # noqa: ANN401 - no types
    keys = keys_of(table.slice(0, 100).to_pylist(), str(file))
    chosen = [name for name in (keys.photo, *keys.labels, keys.split) if name]
    classes = _classes(schema, keys.labels[0]) if keys.is_list else []
    return ArrowRecords(table.select(chosen).to_pylist(), classes)


def _classes(schema: Any, label: str) -> list[str]:  # noqa: ANN401 - no types
    """Return the names that `datasets` notes for labels that are numbers."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    for key in ("info", "features", label):
        found = found.get(key) if isinstance(found, dict) else None
    found = found[0] if isinstance(found, list) and found else found
    for _ in range(2):
        if isinstance(found, dict) and isinstance(found.get("feature"), dict | list):
            inner = found["feature"]
            found = inner[0] if isinstance(inner, list) and inner else inner
    names = found.get("names") if isinstance(found, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []
