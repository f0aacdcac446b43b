"""Records of photos in Arrow tables: Parquet files and files of Hugging Face's `datasets`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.formats.record_keys import PHOTO_KEYS, keys_of
from tagsight.data.photos.inside import photo_inside
from tagsight.data.source import require_file
from tagsight.data.tables.names import key_of
from tagsight.errors import DataError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tagsight.data.format import ReadOptions
    from tagsight.data.formats.record_keys import Keys, Record
    from tagsight.data.photos.inside import PhotosInside

Table: TypeAlias = Any
"""A `pyarrow.Table`, which has no types."""

LARGEST_FILE = 2**40
MOST_ROWS = 2**26
SAMPLE = 100
AT_ONCE = 16
"""Photos that are read at a time."""

LARGEST_COLUMNS = 2**33
"""Bytes of the columns of paths and labels, decompressed."""


class ArrowRecords(NamedTuple):
    """Records of a file, and the names of labels that are given as numbers."""

    records: list[Record]
    classes: list[str]


def read_parquet(file: Path, options: ReadOptions, inside: PhotosInside) -> ArrowRecords:
    """Read the columns of a Parquet file that hold paths and labels.

    Args:
        file: The file.
        options: Columns; with a folder of photos, those inside are not looked at.
        inside: Takes the photos that are inside, a few at a time.

    Raises:
        DataError: If it is no Parquet file, or has too many rows.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> import pyarrow.parquet as pq
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.photos.inside import PhotosInside
        >>> file = Path("rows.parquet")
        >>> pq.write_table(pa.table({"image": ["a.jpg"], "tags": [["dog"]]}), file)
        >>> read_parquet(file, DEFAULTS, PhotosInside(file, write=False)).records
        [{'image': 'a.jpg', 'tags': ['dog']}]
    """
    _require_arrow(file)
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(file, largest=LARGEST_FILE)
    try:
        with pq.ParquetFile(file) as opened:
            _check_rows(file, opened.metadata.num_rows)
            schema = opened.schema_arrow
            columns = _light(schema)
            _check_size(file, opened.metadata, columns)
            table, keys = _chosen(file, opened.read(columns=columns), schema, options)
            records = table.to_pylist()
            if keys.photo in _photos_inside(schema) and options.images is None:
                batches = opened.iter_batches(batch_size=AT_ONCE, columns=[keys.photo])
                photos = (photo for batch in batches for photo in batch.column(0))
                _write(file, records, keys, photos, inside)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise _unreadable(file, error) from error
    return ArrowRecords(records, _classes(schema, keys))


def read_arrow(file: Path, options: ReadOptions, inside: PhotosInside) -> ArrowRecords:
    """Read the columns of an Arrow file of `datasets` that hold paths and labels.

    Args:
        file: The file.
        options: As for `read_parquet`.
        inside: As for `read_parquet`.

    Raises:
        DataError: As `read_parquet` does.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.photos.inside import PhotosInside
        >>> file, rows = Path("rows.arrow"), pa.table({"image": ["a.jpg"], "tags": [["dog"]]})
        >>> with pa.ipc.new_stream(file, rows.schema) as stream:
        ...     stream.write_table(rows)
        >>> read_arrow(file, DEFAULTS, PhotosInside(file, write=False)).records
        [{'image': 'a.jpg', 'tags': ['dog']}]
    """
    _require_arrow(file)
    import pyarrow as pa

    require_file(file, largest=LARGEST_FILE)
    try:
        with pa.memory_map(str(file)) as source:
            whole = pa.ipc.open_stream(source).read_all()
            _check_rows(file, whole.num_rows)
            schema = whole.schema
            whole.validate(full=True)  # offsets of others may lead anywhere
            names = [name.partition(".")[0] for name in _light(schema)]
            table, keys = _chosen(file, whole.select(names), schema, options)
            is_inside = keys.photo in _photos_inside(schema)
            if is_inside and keys.photo in table.column_names:
                table = _without_bytes(table, keys.photo)
            records = table.to_pylist()
            if is_inside and options.images is None:
                _write(file, records, keys, whole.column(keys.photo), inside)
            return ArrowRecords(records, _classes(schema, keys))
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise _unreadable(file, error) from error


def _chosen(file: Path, table: Table, schema: Any, options: ReadOptions) -> tuple[Table, Keys]:  # noqa: ANN401 - no types
    """Return the columns that stand for something, and what they stand for."""
    first = table.slice(0, SAMPLE)
    held = _photos_inside(schema)
    for name in {*held}.intersection(first.column_names):
        first = _without_bytes(first, name)
    likely = {*PHOTO_KEYS, key_of(options.columns.image_column or "")}
    binary = [one for one in held if one not in table.column_names and key_of(one) in likely]
    blank = {} if options.images else dict.fromkeys(binary)
    sample = [blank | record for record in first.to_pylist()]
    keys = keys_of(sample, str(file), options.columns)
    return table.select([key for key in keys.used if key in table.column_names]), keys


def _without_bytes(table: Table, name: str) -> Table:
    """Return a table with the paths of photos alone, without their content."""
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = pc.struct_field(table.column(name), "path")
    fields = [pa.field("path", paths.type)]
    content = pa.chunked_array(
        [pa.StructArray.from_arrays([chunk], fields=fields) for chunk in paths.chunks],
        type=pa.struct(fields),
    )
    return table.set_column(table.column_names.index(name), name, content)


def _write(
    file: Path, records: list[Record], keys: Keys, photos: Iterable[Any], inside: PhotosInside
) -> None:
    """Write the photos that are inside, and put their names in the place of their paths."""
    for number, (record, photo) in enumerate(zip(records, photos, strict=True)):
        where = f"{file}: record {number + 1}"
        if held := photo_inside(photo.as_py(), where):
            records[number] = {**record, keys.photo: inside.add(held, where)}


def _require_arrow(file: Path) -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise missing_extra("parquet", f"to read {file}")


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


def _photos_inside(schema: Any) -> list[str]:  # noqa: ANN401 - no types
    """Return the columns that may hold photos: bytes, or as `datasets` stores them."""
    import pyarrow as pa

    is_bytes = (pa.types.is_binary, pa.types.is_large_binary)
    return [
        field.name
        for field in schema
        if any(is_kind(field.type) for is_kind in is_bytes)
        or (
            pa.types.is_struct(field.type) and {"bytes", "path"} <= {one.name for one in field.type}
        )
    ]


def _light(schema: Any) -> list[str]:  # noqa: ANN401 - no types
    """Return the columns that may be read, without those that are only bytes or vectors."""
    import pyarrow as pa

    inside = set(_photos_inside(schema))
    return [
        f"{field.name}.path" if field.name in inside else field.name
        for field in schema
        if not pa.types.is_fixed_size_list(field.type)
        and not (field.name in inside and not pa.types.is_struct(field.type))
    ]


def _classes(schema: Any, keys: Keys) -> list[str]:  # noqa: ANN401 - no types
    """Return the names that `datasets` notes for labels that are numbers."""
    if not keys.is_list:
        return []
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    for key in ("info", "features", keys.labels[0]):
        found = found.get(key) if isinstance(found, dict) else None
    found = found[0] if isinstance(found, list) and found else found
    for _ in range(2):
        if isinstance(found, dict) and isinstance(found.get("feature"), dict | list):
            inner = found["feature"]
            found = inner[0] if isinstance(inner, list) and inner else inner
    names = found.get("names") if isinstance(found, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []
