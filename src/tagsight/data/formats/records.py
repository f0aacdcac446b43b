"""Records of photos, in JSON or columns: which key is what, and the table that they make."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.formats.tables import READERS
from tagsight.data.json_files import shortened
from tagsight.data.source import clean_name
from tagsight.data.tables.layout import Layout
from tagsight.data.tables.table import Table
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.table import Cell

logger = logging.getLogger(__name__)

Record: TypeAlias = Mapping[str, Any]

PHOTO_KEYS = (
    *("image", "file_name", "filename", "path", "filepath", "file_path", "file", "photo", "img"),
    *("image_path", "img_path", "image_file"),
)
LABEL_KEYS = ("labels", "tags", "label", "tag", "classes", "categories", "keywords", "objects")
SPLIT_KEYS = ("split", "split_name")
NAME_KEYS = ("label", "name", "category", "class", "tag")
"""Keys of the name, where a label is an object."""

SCORE_KEYS = frozenset({"score", "confidence", "probability"})

MARKS = {1: "1", 0: "0", -1: "-1", None: ""}
SAMPLE = 100


class Keys(NamedTuple):
    """What the keys of records stand for.

    Attributes:
        photo: The photo's path.
        labels: One key of labels, or one for each label.
        split: The split, or None.
        is_list: Whether one key lists the labels that are present.
    """

    photo: str
    labels: tuple[str, ...]
    split: str | None
    is_list: bool


def keys_of(sample: Sequence[Record], where: str) -> Keys:
    """Find out what the keys of records stand for.

    Args:
        sample: Some records.
        where: What errors call their source.

    Raises:
        DataError: If no key is of the photo, or none of labels.

    Example:
        >>> keys_of([{"file_name": "a.jpg", "text": "A day out", "tags": ["dog"]}], "a.jsonl")
        Keys(photo='file_name', labels=('tags',), split=None, is_list=True)
    """
    lower = {key.lower(): key for record in sample for key in record}
    photo = next((lower[key] for key in PHOTO_KEYS if key in lower), None)
    if photo is None:
        msg = f"{where}: expected a key of the photo, such as 'image', got {list(lower)[:5]!r}"
        raise DataError(msg)
    split = next((lower[key] for key in SPLIT_KEYS if key in lower), None)
    others = [key for key in lower.values() if key not in {photo, split}]
    labels = next((lower[key] for key in LABEL_KEYS if lower.get(key) in others), None)
    if labels is None:
        lists = [key for key in others if any(isinstance(r.get(key), list) for r in sample)]
        labels = lists[0] if len(lists) == 1 else None
    if labels is not None:
        return Keys(photo, (labels,), split, is_list=True)
    marks = [key for key in others if all(_is_mark(record.get(key)) for record in sample)]
    if not marks:
        msg = (
            f"{where}: expected labels under a key such as 'labels', or 1, 0 and null under a key "
            f"for each label, got {others[:5]!r}"
        )
        raise DataError(msg)
    if left := [key for key in others if key not in marks]:
        logger.info("%s: %s taken for no labels", where, ", ".join(left[:5]))
    return Keys(photo, tuple(marks), split, is_list=False)


def _is_mark(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and value in MARKS)


def _has_scores(labels: object) -> bool:
    listed = labels if isinstance(labels, list) else []
    return any(isinstance(one, Mapping) and not SCORE_KEYS.isdisjoint(one) for one in listed)


def read_records(
    source: Path,
    records: Sequence[Record],
    options: ReadOptions,
    folders: Sequence[Path],
    classes: Sequence[str] = (),
) -> Labelled:
    """Read the labels of records.

    Labels under one key are a list of names, or of objects with a name; text, as in a CSV; or an
    object with 1, 0 or null for each name. A label that a list lacks is absent, one that such an
    object lacks is unknown. Records without labels, or with null, are left out. With a key for each
    label, 1 is present, 0 absent, null or nothing unknown.

    Args:
        source: The file.
        records: Its records.
        options: Folder of the photos.
        folders: Folders that may hold the photos, without ``options.images``.
        classes: Names of labels that are given as numbers.

    Raises:
        DataError: If a record cannot be understood.
    """
    if not records:
        msg = f"{source}: expected records of photos, got none"
        raise DataError(msg)
    keys = keys_of(records[:SAMPLE], str(source))
    if any(map(_has_scores, (record.get(keys.labels[0]) for record in records[:SAMPLE]))):
        logger.warning(
            "%s: its labels have scores, as a model gives them; they are read as if a person had "
            "confirmed each of them",
            source,
        )
    table = RecordTable(source, records, keys, folders, classes)
    layout = table.layout
    return READERS[layout.kind](table, layout, options)


class RecordTable(Table):
    """Records as a table of photos.

    Args:
        source: The file.
        records: Its records.
        keys: What their keys stand for.
        folders: Folders that may hold the photos.
        classes: Names of labels that are given as numbers.

    Attributes:
        lists: Whether one column lists labels.
    """

    row_word = "record"

    def __init__(
        self,
        source: Path,
        records: Sequence[Record],
        keys: Keys,
        folders: Sequence[Path],
        classes: Sequence[str] = (),
    ) -> None:
        self._records, self._keys, self._folders = records, keys, folders
        self._classes = classes
        self.lists, self._names = keys.is_list, keys.labels
        if keys.is_list:
            (key,) = keys.labels
            self._tables = any(isinstance(record.get(key), dict) for record in records)
            if self._tables:
                marks = (record.get(key) for record in records)
                self.lists = False
                self._names = tuple(
                    dict.fromkeys(n for m in marks if isinstance(m, dict) for n in m)
                )
        split = ["split"] if keys.split else []
        cleaned = [clean_name(name, str(source)) for name in self._names]
        super().__init__(source, ["image", *split, *cleaned], has_header=True)

    @property
    def layout(self) -> Layout:
        """The meaning of its columns."""
        split = 1 if self._keys.split else None
        first = 2 if self._keys.split else 1
        labels = tuple(range(first, first + len(self._names)))
        return Layout("csv-list" if self.lists else "csv-columns", 0, labels, split)

    def where(self, number: int | None = None) -> str:
        """Name the file and the record."""
        return str(self.source) if number is None else f"{self.source}: record {number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the folders given."""
        return [images] if images else list(self._folders)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each record that has labels."""
        del joined_from  # cells are no text
        left = 0
        for number, record in enumerate(self._records, 1):
            where = self.where(number)
            labels = self._labels(record, where)
            if labels is None:
                left += 1
                continue
            photo = _photo(record.get(self._keys.photo), where)
            split = [str(record.get(self._keys.split) or "")] if self._keys.split else []
            yield number, [photo, *split, *labels]
        if left:
            logger.info("%s: %s without labels left out", self.source, amount(left, "record"))

    def _labels(self, record: Record, where: str) -> list[Cell] | None:
        if not self._keys.is_list:
            return [_mark(record.get(name), where) for name in self._names]
        value = record.get(self._keys.labels[0])
        if value is None:
            return None
        if self.lists:
            return [value if isinstance(value, str) else self._names_in(value, where)]
        if not isinstance(value, dict):
            msg = f"{where}: expected 1, 0 or null for each label, got {shortened(value)}"
            raise DataError(msg)
        return [_mark(value.get(name), where) for name in self._names]

    def _names_in(self, value: object, where: str) -> tuple[str, ...]:
        listed = value if isinstance(value, list | tuple) else [value]
        return tuple(_name(one, self._classes, where) for one in listed)


def _name(value: object, classes: Sequence[str], where: str) -> str:
    if isinstance(value, Mapping):
        value = next((value[key] for key in NAME_KEYS if key in value), None)
    if isinstance(value, int) and not isinstance(value, bool):
        if not classes:
            return str(value)
        if 0 <= value < len(classes):
            return classes[value]
    elif isinstance(value, str):
        return value
    msg = f"{where}: expected labels as text, got {shortened(value)}"
    raise DataError(msg)


def _mark(value: object, where: str) -> str:
    if _is_mark(value):
        return MARKS[value]  # type: ignore[index] # 1.0 and True are the keys 1
    msg = f"{where}: expected 1, 0 or null for each label, got {shortened(value)}"
    raise DataError(msg)


def _photo(value: object, where: str) -> str:
    if isinstance(value, Mapping):  # as Hugging Face stores photos
        if value.get("bytes") is not None:
            msg = (
                f"{where}: expected a photo's path, got the photo itself; write the photos to a "
                "folder first, with `row['image'].save(path)` for each, and their paths and labels "
                "to a CSV"
            )
            raise DataError(msg)
        value = value.get("path")
    if isinstance(value, str) and value:
        return value
    msg = f"{where}: expected a photo's path, got {shortened(value)}"
    raise DataError(msg)


def joined_records(
    source: str, parts: Sequence[tuple[Sequence[Record], str | None]]
) -> list[Record]:
    """Join records of several files, each with the split of its file.

    Raises:
        DataError: If some files have a split and others none.
    """
    splits = {split for _, split in parts}
    if splits == {None}:
        return [record for records, _ in parts for record in records]
    if None in splits:
        msg = f"{source}: expected all files to be of a split, train, val or test, or none"
        raise DataError(msg)
    return [{**record, "split": split} for records, split in parts for record in records]
