"""Data sets that Hugging Face's `datasets` saved to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.formats.arrow_records import read_arrow
from tagsight.data.formats.record_keys import joined_records
from tagsight.data.formats.records import read_records
from tagsight.data.photos.inside import PhotosInside
from tagsight.data.source import is_file
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions


def recognises(source: Path) -> bool:
    """Return whether a folder is a data set saved to disk, or has one for each split.

    Example:
        >>> from pathlib import Path
        >>> Path("train").mkdir()
        >>> for name in ("data.arrow", "dataset_info.json", "state.json"):
        ...     Path("train", name).touch()
        >>> recognises(Path("train")), recognises(Path())
        (True, False)
    """
    return bool(_folders(source))


def _folders(source: Path) -> dict[str | None, Path]:
    if not source.is_dir():
        return {}
    if _is_dataset(source):
        return {None: source}
    if not is_file(source / "dataset_dict.json"):
        return {}
    return {entry.name: entry for entry in sorted(source.iterdir()) if _is_dataset(entry)}


def _is_dataset(folder: Path) -> bool:
    return is_file(folder / "dataset_info.json") and is_file(folder / "state.json")


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read paths and labels by the rules of `read_records`.

    Labels that are numbers have the names that the data set notes. The data sets of a dictionary
    are the splits.

    Args:
        source: The folder that ``save_to_disk`` wrote.
        options: Columns; folder of the photos, by default that of the data set. Photos that are
            inside are written to the cache.

    Raises:
        DataError: If a file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> from tagsight.data.format import DEFAULTS
        >>> rows = pa.table({"image": ["a.jpg"], "labels": [["dog", "sky"]]})
        >>> with pa.ipc.new_stream("data-00000-of-00001.arrow", rows.schema) as stream:
        ...     stream.write_table(rows)
        >>> for name in ("dataset_info.json", "state.json"):
        ...     _ = Path(name).write_text("{}")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.names
        (('a.jpg',), ('dog', 'sky'))
    """
    folders = _folders(source)
    inside = PhotosInside(source, write=options.write_photos)
    tables = [
        (read_arrow(file, options, inside), split)
        for split, folder in folders.items()
        for file in sorted(folder.glob("*.arrow"))
    ]
    if not tables:
        msg = f"expected a folder that save_to_disk wrote, with *.arrow, got {source}"
        raise DataError(msg)
    records = joined_records(str(source), [(table.records, split) for table, split in tables])
    inside.log()
    places = inside.folders([source, source / "images"])
    return [read_records(source, records, options, places, tables[0][0].classes)]


FORMAT = Format(
    "saved-dataset",
    "a folder that save_to_disk of Hugging Face's datasets wrote, with paths of photos, or photos",
    "train/data-00000-of-00001.arrow\ntrain/dataset_info.json\ntrain/state.json\ndataset_dict.json",
    recognises,
    read,
    (".arrow", "state.json"),
    has_columns=True,
)
