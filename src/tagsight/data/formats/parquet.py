"""Parquet files of paths and labels, one or a folder of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tagsight.data.format import Format, usual_folders
from tagsight.data.formats.arrow_records import read_parquet
from tagsight.data.formats.record_keys import joined_records
from tagsight.data.formats.records import read_records
from tagsight.data.photos.inside import PhotosInside
from tagsight.data.source import is_file
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

MAGIC = b"PAR1"
BESIDE_PHOTOS = "metadata.parquet"
"""Table of Hugging Face's imagefolder, which another format reads."""

WORD = re.compile("[a-z]+")


def recognises(source: Path) -> bool:
    """Return whether a file is Parquet, or a folder or its ``data`` has such files.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> import pyarrow.parquet as pq
        >>> pq.write_table(pa.table({"image": ["a.jpg"], "tags": [["dog"]]}), "train.parquet")
        >>> recognises(Path("train.parquet")), recognises(Path())
        (True, True)
    """
    return bool(_files(source))


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if _is_parquet(source) else []
    for place in (source, source / "data"):
        found = (file for file in place.glob("*.parquet") if file.name != BESIDE_PHOTOS)
        files = sorted(filter(is_file, found))
        if files and _is_parquet(files[0]):
            return files
    return []


def _is_parquet(file: Path) -> bool:
    if not is_file(file):
        return False
    with file.open("rb") as handle:
        return handle.read(len(MAGIC)) == MAGIC


def read(source: Path, options: ReadOptions, *, is_part: bool = False) -> list[Labelled]:
    """Read paths and labels by the rules of `read_records`.

    Labels that are numbers have the names that Hugging Face notes in the file. The first word of a
    file's name, as in ``train-00000-of-00004.parquet``, is its split.

    Args:
        source: A file, or a folder with files that belong together.
        options: Columns; folder of the photos, by default that of the files. Photos that are inside
            are written to the cache.
        is_part: Whether labels that are numbers are named later, by a file for several parts.

    Raises:
        DataError: If a file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> import pyarrow.parquet as pq
        >>> from tagsight.data.format import DEFAULTS
        >>> for split, tags in {"train": ["dog"], "val": ["dog", "sky"]}.items():
        ...     rows = pa.table({"image": [f"{split}.jpg"], "tags": [tags]})
        ...     pq.write_table(rows, f"{split}.parquet")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, found.targets.tolist(), found.splits
        (('dog', 'sky'), [[1, 0], [1, 1]], ('train', 'val'))
    """
    files = _files(source)
    if not files:
        msg = f"expected a Parquet file or a folder with some, got {source}"
        raise DataError(msg)
    inside = PhotosInside(source, write=options.write_photos)
    tables = [
        (read_parquet(file, options, inside), _split_of(file) if len(files) > 1 else None)
        for file in files
    ]
    inside.log()
    records = joined_records(str(source), [(table.records, split) for table, split in tables])
    base = source if source.is_dir() else source.parent
    folders = inside.folders(usual_folders(base))
    classes = tables[0][0].classes
    return [read_records(source, records, options, folders, classes, is_part=is_part)]


def _split_of(file: Path) -> str | None:
    word = WORD.match(file.name.lower())
    return SPLIT_NAMES.get(word[0]) if word else None


FORMAT = Format(
    "parquet",
    "Parquet files with a column of paths, and labels as a list or a column for each",
    "train-00000-of-00001.parquet   file_name  labels\n"
    "                               a.jpg      [dog, sky]",
    recognises,
    read,
    (".parquet",),
    has_columns=True,
)
