"""Records of photos, in JSON or columns: which key is what, and the table that they make."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.format import DEFAULTS, Columns
from tagsight.data.formats.tables import READERS
from tagsight.data.json_files import shortened
from tagsight.data.photos.inside import PhotosInside, photo_inside
from tagsight.data.source import clean_name
from tagsight.data.tables.layout import Layout
from tagsight.data.tables.table import Table
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

logger = logging.getLogger(__name__)

Record: TypeAlias = Mapping[str, Any]

PHOTO_KEYS = (
    *("image", "file_name", "filename", "path", "filepath", "file_path", "file", "photo", "img"),
    *("image_path", "img_path", "image_file"),
)
LABEL_KEYS = ("labels", "tags", "label", "tag", "classes", "categories", "keywords", "objects")
FILE_SPLIT = "split of the file"
"""Key that `joined_records` adds."""

SPLIT_KEYS = (FILE_SPLIT, "split", "split_name")
NAME_KEYS = ("label", "name", "category", "class", "tag")
"""Keys of the name, where a label is an object."""

SCORE_KEYS = frozenset({"score", "confidence", "probability"})

MARKS = {1: "1", 0: "0", -1: "-1", None: ""}
SAMPLE = 100


class Keys(NamedTuple):
    """What the keys of records stand for.

    Attributes:
        photo: The photo's path, or the photo.
        labels: Keys that hold labels, or one for each label.
        split: The split, or None.
        is_list: Whether ``labels`` list the labels that are present.
        group: The group, or None.
        ignored: Keys that are not used.

    Example:
        >>> Keys("photo", ("tags",), split=None, is_list=True).used
        ['photo', 'tags']
    """

    photo: str
    labels: tuple[str, ...]
    split: str | None
    is_list: bool
    group: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def used(self) -> list[str]:
        """All keys that stand for something."""
        return [key for key in (self.photo, *self.labels, self.split, self.group) if key]

    def columns(self, separator: str | None) -> Columns:
        """Return the keys as a user would name them."""
        is_one = self.is_list and len(self.labels) == 1
        return Columns(
            image_column=self.photo,
            labels_column=self.labels[0] if is_one else None,
            label_columns=() if is_one else self.labels,
            separator=separator,
            split_column=None if self.split == FILE_SPLIT else self.split,
        )


def keys_of(sample: Sequence[Record], where: str, columns: Columns = DEFAULTS.columns) -> Keys:
    """Find out what the keys of records stand for.

    Args:
        sample: Some records.
        where: What errors call their source.
        columns: Keys that the user names.

    Raises:
        DataError: If no key is of the photo, or none of labels, or a named one does not exist.

    Example:
        >>> keys_of([{"file_name": "a.jpg", "text": "A day out", "tags": ["dog"]}], "a.jsonl")
        Keys(photo='file_name', labels=('tags',), split=None, is_list=True, group=None, \
ignored=('text',))
    """
    lower = {key.lower(): key for record in sample for key in record}
    named = _Named(lower, where)
    photo = named.one(columns.image_column, "image_column")
    photo = photo or next((lower[key] for key in PHOTO_KEYS if key in lower), None)
    if photo is None:
        msg = f"{where}: expected a key of the photo, such as 'image', got {list(lower)[:5]!r}"
        raise DataError(f"{msg}; `image_column` names another")
    split = named.one(columns.split_column, "split_column")
    split = split or next((lower[key] for key in SPLIT_KEYS if key in lower), None)
    group = named.one(columns.group_column, "group")
    ignored = {named.one(key, "ignore") for key in columns.ignore}
    others = [key for key in lower.values() if key not in {photo, split, group, *ignored}]
    labels, is_list = _label_keys(sample, others, columns, named)
    left = tuple(key for key in others if key not in labels)
    if left and not is_list:
        logger.info("%s: %s taken for no labels", where, ", ".join(left[:5]))
    return Keys(photo, labels, split, is_list, group, left)


class _Named(NamedTuple):
    """Finds the keys that a user names, by their names in lower case."""

    keys: Mapping[str, str]
    where: str

    def one(self, name: str | None, option: str) -> str | None:
        if name is None or name in self.keys.values():
            return name
        if name.lower() in self.keys:
            return self.keys[name.lower()]
        known = [*self.keys.values()][:5]
        msg = f"{self.where}: expected a key of the records as `{option}`, {known!r}, got {name!r}"
        raise DataError(msg)


def _label_keys(
    sample: Sequence[Record], others: Sequence[str], columns: Columns, named: _Named
) -> tuple[tuple[str, ...], bool]:
    """Return the keys of labels, and whether they list those that are present."""
    if columns.labels_column is not None:
        return tuple(filter(None, [named.one(columns.labels_column, "labels_column")])), True
    given = [named.one(key, "label_columns") for key in columns.label_columns]
    if given:
        keys = tuple(filter(None, given))
        return keys, not all(_is_mark(record.get(key)) for record in sample for key in keys)
    by_name = {key.lower(): key for key in others}
    labels = next((by_name[key] for key in LABEL_KEYS if key in by_name), None)
    if labels is None:
        lists = [key for key in others if any(isinstance(r.get(key), list) for r in sample)]
        labels = lists[0] if len(lists) == 1 else None
    if labels is not None:
        return (labels,), True
    marks = tuple(key for key in others if all(_is_mark(record.get(key)) for record in sample))
    if not marks:
        msg = (
            f"{named.where}: expected labels under a key such as 'labels', or 1, 0 and null under "
            f"a key for each label, got {others[:5]!r}; `labels_column` names another"
        )
        raise DataError(msg)
    return marks, False


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

    Example:
        >>> from pathlib import Path
        >>> tags = {"a.jpg": {"dog": 1, "sky": None}, "b.jpg": {"sky": 0}}
        >>> rows = [{"photo": photo, "tags": said} for photo, said in tags.items()]
        >>> found = read_records(Path("rows.json"), rows, DEFAULTS, [Path()])
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, -1], [-1, 0]])
    """
    if not records:
        msg = f"{source}: expected records of photos, got none"
        raise DataError(msg)
    keys = keys_of(records[:SAMPLE], str(source), options.columns)
    if any(_has_scores(record.get(key)) for record in records[:SAMPLE] for key in keys.labels):
        logger.warning(
            "%s: its labels have scores, as a model gives them; they are read as if a person had "
            "confirmed each of them",
            source,
        )
    table = _RecordTable(source, records, keys, folders, classes, options)
    layout = table.layout
    labelled = READERS[layout.kind](table, layout, options)
    table.inside.log()
    if left := len(records) - table.read:
        logger.info("%s: %s without labels left out", source, amount(left, "record"))
    return replace(labelled, columns=keys.columns(labelled.columns.separator), unused=keys.ignored)


class _RecordTable(Table):
    """Records as a table of photos.

    Args:
        source: The file.
        records: Its records.
        keys: What their keys stand for.
        folders: Folders that may hold the photos.
        classes: Names of labels that are given as numbers.
        options: Whether photos that are inside are written, or looked for in a folder.

    Attributes:
        lists: Whether one column lists labels.
        inside: The photos that are inside.
        read: Number of records with labels, once all were read.
    """

    row_word = "record"

    def __init__(
        self,
        source: Path,
        records: Sequence[Record],
        keys: Keys,
        folders: Sequence[Path],
        classes: Sequence[str] = (),
        options: ReadOptions = DEFAULTS,
    ) -> None:
        self._records, self._keys, self._folders = records, keys, folders
        self._classes = classes
        self.read = 0
        self.inside = PhotosInside(source, write=options.write_photos)
        self._keep_outside = options.images is not None
        self._photos: dict[int, str] = {}
        self.lists, self._names = keys.is_list, keys.labels
        self._tables = False
        if len(keys.labels) == 1 and keys.is_list:
            (key,) = keys.labels
            self._tables = any(isinstance(record.get(key), dict) for record in records)
            if self._tables:
                marks = (record.get(key) for record in records)
                self.lists = False
                self._names = tuple(
                    dict.fromkeys(n for m in marks if isinstance(m, dict) for n in m)
                )
        others = [key for key in (keys.photo, keys.split, keys.group) if key is not None]
        cleaned = [clean_name(name, str(source)) for name in self._names]
        super().__init__(source, [*others, *cleaned], has_header=True)

    @property
    def layout(self) -> Layout:
        """The meaning of its columns."""
        split = 1 if self._keys.split else None
        group = (split or 0) + 1 if self._keys.group else None
        first = (group or split or 0) + 1
        labels = tuple(range(first, first + len(self._names)))
        kind: Kind = "csv-list" if self.lists else "csv-columns"
        return Layout(kind, 0, labels, split, group=group)

    def where(self, number: int | None = None) -> str:
        """Name the file and the record."""
        return str(self.source) if number is None else f"{self.source}: record {number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the folder of photos that are inside, and the folders given."""
        return [images] if images else self.inside.folders(self._folders)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each record that has labels."""
        del joined_from  # cells are no text
        others = [key for key in (self._keys.split, self._keys.group) if key is not None]
        self.read = 0
        for number, record in enumerate(self._records, 1):
            labels = self._labels(record, self.where(number))
            if labels is not None:
                self.read += 1
                cells = [_text(record.get(key)) for key in others]
                yield number, [self._photo(record, number), *cells, *labels]

    def _photo(self, record: Record, number: int) -> str:
        """Return the photo's path, or the name of the file that it was written to."""
        if number in self._photos:
            return self._photos[number]
        where, value = self.where(number), record.get(self._keys.photo)
        inside = None if self._keep_outside else photo_inside(value, where)
        if inside is None:
            return _path(value, where)
        return self._photos.setdefault(number, self.inside.add(inside, where))

    def _labels(self, record: Record, where: str) -> list[Cell] | None:
        if not self._keys.is_list:
            return [_mark(record.get(name), where) for name in self._names]
        if self.lists:
            values = [record.get(key) for key in self._keys.labels]
            if all(value is None for value in values):
                return None
            return [
                value if isinstance(value, str) else self._names_in(value, where)
                for value in values
            ]
        value = record.get(self._keys.labels[0])
        if value is None:
            return None
        if not isinstance(value, dict):
            msg = f"{where}: expected 1, 0 or null for each label, got {shortened(value)}"
            raise DataError(msg)
        return [_mark(value.get(name), where) for name in self._names]

    def _names_in(self, value: object, where: str) -> tuple[str, ...]:
        listed = value if isinstance(value, list | tuple) else [value] * (value is not None)
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


def _path(value: object, where: str) -> str:
    if isinstance(value, Mapping):  # as Hugging Face stores photos
        value = value.get("path")
    if isinstance(value, str) and value:
        return value
    msg = f"{where}: expected a photo's path, got {shortened(value)}"
    raise DataError(msg)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def joined_records(
    source: str, parts: Sequence[tuple[Sequence[Record], str | None]]
) -> list[Record]:
    """Join records of several files, each with the split of its file.

    Raises:
        DataError: If some files have a split and others none.

    Example:
        >>> parts = [([{"photo": "a.jpg"}], "train"), ([{"photo": "b.jpg"}], "val")]
        >>> [record["photo"] for record in joined_records("rows", parts)]
        ['a.jpg', 'b.jpg']
    """
    splits = {split for _, split in parts}
    if splits == {None}:
        return [record for records, _ in parts for record in records]
    if None in splits:
        msg = f"{source}: expected all files to be of a split, train, val or test, or none"
        raise DataError(msg)
    return [{**record, FILE_SPLIT: split} for records, split in parts for record in records]
