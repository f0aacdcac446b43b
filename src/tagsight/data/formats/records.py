"""Records of photos, in JSON or columns, and the table that they make."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.formats.record_keys import (
    MARKS,
    is_mark,
    is_missing,
    keys_of,
)
from tagsight.data.formats.record_shapes import flattened
from tagsight.data.formats.record_values import (
    name_of,
    names_by_question,
    names_in,
    names_of_question,
    shared_names,
    value_of,
    with_said,
)
from tagsight.data.formats.tables import READERS
from tagsight.data.json_files import shortened
from tagsight.data.photo_labels import log_confidences
from tagsight.data.photos.inside import PhotosInside, photo_inside
from tagsight.data.source import clean_name
from tagsight.data.tables.cells import SCORE_KEYS, SEPARATORS
from tagsight.data.tables.layout import Layout
from tagsight.data.tables.names import SPLIT_FLAGS, SPLIT_NAMES, key_of
from tagsight.data.tables.pairs import is_word
from tagsight.data.tables.table import Table
from tagsight.data.tables.ticks import are_bits
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.formats.record_keys import Keys, Record
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

logger = logging.getLogger(__name__)

PHOTO_PATHS = ("path", "file_name", "filename", "file", "name", "url", "uri", "src")
"""Keys of the path, where a photo is an object."""

SAMPLE = 100


def _has_scores(labels: object) -> bool:
    listed = labels if isinstance(labels, list) else []
    return any(isinstance(one, Mapping) and not SCORE_KEYS.isdisjoint(one) for one in listed)


def read_records(
    source: Path,
    records: Sequence[Record],
    options: ReadOptions,
    folders: Sequence[Path],
    classes: Sequence[str] = (),
    *,
    is_part: bool = False,
) -> Labelled:
    """Read the labels of records.

    Labels under one key are a list of names, or of objects with a name; text, as in a CSV; an
    object with 1, 0 or null for each name, or with names for each question; or a list of 1 and 0
    for the names in ``labels.txt`` or the like beside. They, and the photo, may be in an object of
    their own, as in ``{"annotation": {"labels": ["dog"]}}``; and two lists, such as ``positive``
    and ``negative``, may say what is present and absent. A label that a list lacks is absent, one
    that an object lacks is unknown. Where photos have a record for each label, they are united; a
    key such as ``present`` or ``score`` says which are present. Records without labels, or with
    null, are left out. With a key for each label, 1 is present, 0 absent, null or nothing unknown.

    Args:
        source: The file.
        records: Its records.
        options: Folder of the photos.
        folders: Folders that may hold the photos, without ``options.images``.
        classes: Names of labels that are given as numbers.
        is_part: Whether labels that are numbers are named later (`Table.is_part`).

    Raises:
        DataError: If a record cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> tags = {"a.jpg": {"dog": 1, "sky": None}, "b.jpg": {"sky": 0}}
        >>> rows = [{"photo": photo, "tags": said} for photo, said in tags.items()]
        >>> found = read_records(Path("rows.json"), rows, DEFAULTS, [Path()])
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, -1], [-1, 0]])
    """
    if not records:
        msg = f"{source}: expected records of photos, got none"
        raise DataError(msg)
    records = flattened(records, options.columns)
    keys = keys_of(records[:SAMPLE], str(source), options.columns)
    if any(_has_scores(record.get(key)) for record in records[:SAMPLE] for key in keys.labels):
        log_confidences(source, "labels")
    if keys.is_list and len(keys.labels) == 1 and not classes:
        records = with_said(records, keys.labels[0], str(source))
    table = _RecordTable(source, records, keys, folders, classes, options)
    table.is_part = is_part
    layout = table.layout
    labelled = READERS[layout.kind](table, layout, options)
    table.inside.log()
    if left := len(records) - table.read:
        logger.info("%s: %s without labels left out", source, amount(left, "record"))
    return replace(labelled, columns=keys.columns(labelled.columns.separator), unused=keys.ignored)


class _Labels(NamedTuple):
    """The labels of records, as cells of a table.

    Attributes:
        kind: The layout of the table.
        names: Names of the columns.
        cells: Takes a record and how errors name it, and returns its cells; None without labels.
    """

    kind: Kind
    names: tuple[str, ...]
    cells: Callable[[Record, str], list[Cell] | None]


def _labels_of(records: Sequence[Record], keys: Keys, classes: Sequence[str]) -> _Labels:
    """Find out how records state their labels, by the values of all of them."""
    if not keys.is_list:
        return _Labels("csv-columns", keys.labels, partial(_marks, names=keys.labels))
    key, *others = keys.labels
    values = [] if others else [value_of(record, key) for record in records]
    objects = [value for value in values if isinstance(value, dict)]
    if any(names_of_question(*item) for value in objects for item in value.items()):
        shared = shared_names(objects)
        return _Labels("csv-list", (key,), partial(_by_question, key=key, shared=shared))
    if objects:
        names = tuple(dict.fromkeys(chain.from_iterable(objects)))
        return _Labels("csv-columns", names, partial(_marks_in_object, key=key, names=names))
    if values and not classes and (_are_vectors(values) or _are_digits(values)):
        return _Labels("csv-columns", keys.labels, partial(_vector, key=key))
    if keys.value is not None or _repeat_photos(records, keys):
        return _Labels("csv-long", (key,), partial(_single, key=key, classes=classes))
    return _Labels("csv-list", keys.labels, partial(_lists, keys=keys.labels, classes=classes))


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
        classes: Sequence[str],
        options: ReadOptions,
    ) -> None:
        self._records, self._keys, self._folders = records, keys, folders
        self._labels = _labels_of(records, keys, classes)
        self._others = [key for key in (keys.split, keys.group, keys.value) if key is not None]
        self._keep_outside = options.images is not None
        self._photos: dict[int, str] = {}
        self.inside = PhotosInside(source, write=options.write_photos)
        self.read = 0
        names = [clean_name(name, str(source)) for name in self._labels.names]
        super().__init__(source, [keys.photo, *self._others, *names], has_header=True)

    @property
    def layout(self) -> Layout:
        """The meaning of its columns."""
        keys, kind = self._keys, self._labels.kind
        place: dict[str | None, int] = {key: place for place, key in enumerate(self._others, 1)}
        return Layout(
            kind,
            image=0,
            labels=tuple(range(1 + len(self._others), len(self.names))),
            split=place.get(keys.split),
            split_names=SPLIT_FLAGS.get(key_of(keys.split or ""), SPLIT_NAMES),
            confidence=place.get(keys.value) if kind == "csv-long" else None,
            group=place.get(keys.group),
        )

    def where(self, number: int | None = None) -> str:
        """Name the file and the record."""
        return str(self.source) if number is None else f"{self.source}: record {number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the folder of photos that are inside, and the folders given."""
        return [images] if images else self.inside.folders(self._folders)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each record that has labels."""
        del joined_from  # cells are no text
        self.read = 0
        for number, record in enumerate(self._records, 1):
            labels = self._labels.cells(record, self.where(number))
            if labels is not None:
                self.read += 1
                others = [_text(record.get(key)) for key in self._others]
                yield number, [self._photo(record, number), *others, *labels]

    def _photo(self, record: Record, number: int) -> str:
        """Return the photo's path, or the name of the file that it was written to."""
        if number in self._photos:
            return self._photos[number]
        where, value = self.where(number), record.get(self._keys.photo)
        inside = None if self._keep_outside else photo_inside(value, where)
        if inside is None:
            return _path(value, where)
        return self._photos.setdefault(number, self.inside.add(inside, where))


def _marks(record: Record, where: str, *, names: Sequence[str]) -> list[Cell]:
    """Return the marks under a key for each label."""
    values = (record.get(name) for name in names)
    return [
        value if isinstance(value, str) and is_word(value) else _mark(value, where)
        for value in values
    ]


def _marks_in_object(
    record: Record, where: str, *, key: str, names: Sequence[str]
) -> list[Cell] | None:
    """Return the marks of an object with a key for each label."""
    value = value_of(record, key)
    if value is None:
        return None
    if not isinstance(value, dict):
        msg = f"{where}: expected 1, 0 or null for each label, got {shortened(value)}"
        raise DataError(msg)
    return _marks(value, where, names=names)


def _vector(record: Record, where: str, *, key: str) -> list[Cell] | None:
    """Return one cell with the marks of a list of one for each label."""
    value = value_of(record, key)
    return None if value is None else [",".join(_mark(_digit(one), where) for one in value)]


def _single(record: Record, where: str, *, key: str, classes: Sequence[str]) -> list[Cell] | None:
    """Return the only label of a record."""
    value = value_of(record, key)
    return None if value is None else [name_of(value, classes, where)]


def _by_question(
    record: Record, where: str, *, key: str, shared: Collection[str]
) -> list[Cell] | None:
    """Return one cell with the names of an object that has some for each question."""
    value = value_of(record, key)
    return None if value is None else [names_by_question(value, where, shared)]


def _lists(
    record: Record, where: str, *, keys: Sequence[str], classes: Sequence[str]
) -> list[Cell] | None:
    """Return a cell for each key: text as it is, to be separated later, or the names of a list."""
    values = [value_of(record, key) for key in keys]
    if all(value is None for value in values):
        return None
    return [
        value if isinstance(value, str) else names_in(value, classes, where) for value in values
    ]


def _repeat_photos(records: Sequence[Record], keys: Keys) -> bool:
    """Return whether photos have several records, with another label in each."""
    if not keys.is_list or len(keys.labels) > 1:
        return False
    first: dict[str, object] = {}
    repeats = False
    for record in records:
        photo, label = record.get(keys.photo), record.get(keys.labels[0])
        if not isinstance(photo, str) or not isinstance(label, str | int | None):
            return False
        if isinstance(label, str) and any(mark in label for mark in (*SEPARATORS, "[")):
            return False
        repeats |= first.setdefault(photo, label) != label
    return repeats


def _are_vectors(values: Sequence[object]) -> bool:
    """Return whether values are a target for each label: lists of 1 and 0 or -1 that repeat."""
    lists = [value for value in values if isinstance(value, list)]
    return (
        all(value is None or isinstance(value, list) for value in values)
        and len({len(value) for value in lists}) == 1
        and all(not is_missing(one) and is_mark(one) for value in lists for one in value)
        and any(len(set(value)) < len(value) for value in lists)
    )


def _are_digits(values: Sequence[object]) -> bool:
    """Return whether values are text with a digit for each label, as ``101``."""
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) and are_bits(Counter(texts))


def _digit(value: object) -> object:
    return int(value) if isinstance(value, str) and value in {"0", "1"} else value


def _mark(value: object, where: str) -> str:
    if is_missing(value):
        return ""
    if is_mark(value):
        return MARKS[value]  # type: ignore[index] # 1.0 and True are the keys 1
    msg = f"{where}: expected 1, 0 or null for each label, got {shortened(value)}"
    raise DataError(msg)


def _path(value: object, where: str) -> str:
    if isinstance(value, Mapping):  # as Hugging Face stores photos
        value = next((value[key] for key in PHOTO_PATHS if value.get(key)), None)
    if isinstance(value, str) and value:
        return value
    msg = f"{where}: expected a photo's path, got {shortened(value)}"
    raise DataError(msg)


def _text(value: object) -> str:
    return "" if value is None else str(value)
