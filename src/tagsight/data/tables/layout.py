"""The meaning of a table's columns: told by the user, by their names, or by their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tagsight.data.format import Columns
from tagsight.data.tables.measures import is_measure
from tagsight.data.tables.messages import listed
from tagsight.data.tables.mixtures import MixedCellsError, require_one_kind, require_targets
from tagsight.data.tables.names import (
    CONFIDENCE_COLUMNS,
    GROUND_TRUTH,
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    MAYBE_IMAGE,
    MAYBE_LABELS,
    NOTHING,
    NUMBERED_LABELS,
    NUMBERED_SPLITS,
    OUTLINES,
    RANKS,
    REMARKS,
    SPLIT_FLAGS,
    SPLIT_NAMES,
    TEXT_COLUMNS,
    VALUE_COLUMNS,
    is_address,
    is_id,
    is_no_label,
    is_number,
    is_photo,
    is_remark,
    is_target,
    key_of,
)
from tagsight.data.tables.pairs import paired, verdict_of
from tagsight.data.tables.roles import (
    folder_of,
    ids_of,
    is_index,
    is_numbered,
    is_row_number,
    names_of_rows,
    repeats_photos,
    require_names,
    share_of,
    split_of,
)
from tagsight.data.tables.row_flags import predictions, row_flags
from tagsight.data.tables.stated import is_called_value, is_full, states_presence
from tagsight.data.tables.ticks import are_vectors, is_ticked, repeats_name
from tagsight.data.tables.unfilled import unfilled
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.data.tables.table import Table

Kind: TypeAlias = Literal["csv-columns", "csv-list", "csv-long"]


class Layout(NamedTuple):
    """The meaning of a table's columns.

    Attributes:
        kind: ``csv-columns``, a column of targets for each label; ``csv-list``, columns with all
            labels of a photo; or ``csv-long``, a row for each photo and label.
        image: Position of the column with the photo.
        labels: Positions of the columns with labels or targets.
        split: Position of the column with the split, or None.
        split_names: The split that a cell of it means, in lower case.
        confidence: Position of the column with the confidence of a label, or None.
        group: Position of the column with the group, or None.
        folder: Position of the column with the folders of the photos, or None.
        other_image: Position of another column that names the photos, or None.
        ignored: Names of the columns that are not used, other than those of row numbers.

    Example:
        >>> Layout("csv-list", image=0, labels=(1,)).columns(["photo", "tags"]).labels_column
        'tags'
    """

    kind: Kind
    image: int
    labels: tuple[int, ...]
    split: int | None = None
    split_names: Mapping[str, str] = SPLIT_NAMES
    confidence: int | None = None
    ignored: tuple[str, ...] = ()
    group: int | None = None
    folder: int | None = None
    other_image: int | None = None

    def columns(self, names: Sequence[str], separator: str | None = None) -> Columns:
        """Return the columns as a user would name them.

        Args:
            names: Names of all columns of the table.
            separator: Text between two labels of a cell.
        """
        labels = tuple(names[place] for place in self.labels)
        in_cells = self.kind != "csv-columns"
        return Columns(
            image_column=names[self.image],
            labels_column=labels[0] if in_cells and len(labels) == 1 else None,
            label_columns=labels if in_cells and len(labels) > 1 else (),
            separator=separator or None,
            split_column=None if self.split is None else names[self.split],
            ignore=(*self.ignored, *([] if self.group is None else [names[self.group]])),
        )


def layout_of(table: Table, columns: Columns, kind: Kind | None = None) -> Layout:
    r"""Find the meaning of a table's columns.

    What the user tells decides, then names of columns, then their cells. What remains unclear is
    an error that names the options.

    Args:
        table: The table; its first rows are looked at.
        columns: Columns that the user names.
        kind: The format, if the user chooses it.

    Raises:
        DataError: If there is no column for the photo or for labels, if several may be it, or if
            a column that the user names does not exist.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,dog,sky,note\na.jpg,1,0,mine\n")
        >>> found = layout_of(CsvTable(Path("table.csv")), Columns())
        >>> found.kind, found.labels, found.ignored
        ('csv-columns', (1, 2), ('note',))
    """
    if kind is not None:
        try:
            found = _Search(table, columns, None).layout()
            if found.kind == kind:
                return found
        except MixedCellsError:
            if kind == "csv-columns":
                raise
        except DataError:
            pass
    return _Search(table, columns, kind).layout()


class _Search:
    def __init__(self, table: Table, columns: Columns, kind: Kind | None) -> None:
        self.table, self.columns, self.kind = table, columns, kind
        self.keys = [key_of(name) for name in table.names]
        self.cells = [table.column(place) for place in range(len(table.names))]
        self.paired = paired(dict(enumerate(self.cells)))
        self.image = -1

    def layout(self) -> Layout:
        columns = self.columns
        left_out = {self._named(name, "ignore") for name in columns.ignore}
        group = None
        if columns.group_column is not None:
            group = self._named(columns.group_column, "group")
            left_out.add(group)
        named = {name for name in (columns.labels_column, *columns.label_columns) if name}
        kept = {self._named(name, "label_columns") for name in named}
        index = {i for i in range(len(self.keys)) if i not in kept and is_index(self.table, i)}
        require_names(self.table, left_out | index)
        free = [i for i in range(len(self.keys)) if i not in left_out | index]
        self.image = self._image([i for i in free if i not in kept])
        free.remove(self.image)
        folder = folder_of(self.table, self.image, [i for i in free if i not in kept])
        free = [i for i in free if i in kept or (not is_row_number(self.table, i) and i != folder)]
        split, split_names = self._split([i for i in free if i not in kept])
        if split is not None:
            free.remove(split)
        stated = self._stated(free)
        kind, labels = self._labels(free) if stated is None else ("csv-long", (stated,))
        confidence = None
        if kind == "csv-long":
            values = [i for i in free if i not in labels and self._is_value(i, labels)]
            called = [i for i in values if is_called_value(self.table.names[i])]
            confidence = next(iter(called or values), None)
        used = {self.image, split, confidence, *labels}
        others = (i for i in free if i not in used and self.keys[i] in IMAGE_COLUMNS)
        other_image = next(filter(self._holds_photos, others), None)
        if other_image is None and share_of(self.cells[self.image], is_address) > 0.5:
            other_image = next((i for i in free if i not in used and self._is_id(i)), None)
        ignored = tuple(self.table.names[i] for i in free if i not in {*used, other_image})
        further = (split, split_names, confidence, ignored, group, folder, other_image)
        return Layout(kind, self.image, labels, *further)

    def _named(self, name: str, option: str) -> int:
        for spelling in (name, " ".join(name.split())):
            if spelling in self.table.names:
                return self.table.names.index(spelling)
        msg = (
            f"{self.table.where()}: expected a column of the table as `{option}`, "
            f"{listed(self.table.names)}, got {name!r}"
        )
        raise DataError(msg)

    def _image(self, free: Sequence[int]) -> int:
        if self.columns.image_column is not None:
            return self._named(self.columns.image_column, "image_column")
        named = [i for i in free if self.keys[i] in IMAGE_COLUMNS]
        photos = list(filter(self._holds_photos, free))
        for found in ([i for i in named if i in photos], photos if len(photos) == 1 else []):
            if found:
                return found[0]
        if photos:
            names = [self.table.names[i] for i in photos]
            msg = f"{self.table.where()}: expected one column of photos, got {names!r}"
            remedy = "or write a row for each photo, with the columns image and labels"
            raise DataError(f"{msg}; choose one with `image_column`, {remedy}")
        addresses = [i for i in free if share_of(self.cells[i], is_address) > 0.5]
        if len(addresses) == 1 and not named:
            return addresses[0]
        maybe = [i for i in free if MAYBE_IMAGE.search(self.keys[i])]
        if found := named or maybe or ids_of(self.table, free) or names_of_rows(self.table, free):
            return next((i for i in found if not self._has_targets(i)), found[0])
        msg = (
            f"{self.table.where()}: expected a header with a column 'image' (or 'path', 'file', "
            f"'filename', 'photo'), got {listed(self.table.names)}; `image_column` names another"
            if self.table.has_header
            else f"{self.table.where()}: expected a column of photos, or a header with 'image'"
        )
        raise DataError(msg)

    def _holds_photos(self, place: int) -> bool:
        return share_of(self.cells[place], is_photo) > 0.5

    def _is_id(self, place: int) -> bool:
        """Return whether a column is called an id, and all its cells differ."""
        cells = self.cells[place]
        return is_id(self.table.names[place]) and max(cells.values(), default=0) == 1

    def _split(self, free: Sequence[int]) -> tuple[int | None, Mapping[str, str]]:
        if self.columns.split_column is not None:
            place = self._named(self.columns.split_column, "split_column")
            meanings = SPLIT_FLAGS.get(self.keys[place], SPLIT_NAMES)
            return place, NUMBERED_SPLITS if is_numbered(self.table, place) else meanings
        return split_of(self.table, free)

    def _labels(self, free: Sequence[int]) -> tuple[Kind, tuple[int, ...]]:
        if (given := self._given_labels()) is not None:
            if self.kind in {None, "csv-columns"} and all(map(self._has_targets, given)):
                by_name = self.columns.labels_column is not None and self.kind is None
                return self._in_cells(given, free) if by_name else ("csv-columns", tuple(given))
            return self._in_cells(given, free)
        if self.kind == "csv-columns":
            if not free:
                where = self.table.where()
                msg = f"{where}: expected a column per label beside the photo, got none"
                raise DataError(msg)
            return "csv-columns", tuple(free)
        targets = self._target_columns(free)
        if not any(len(self.cells[i]) > 1 for i in targets) and self._species(free):
            targets = []  # seasons and counts, which are all 1
        named = self._named_labels(free, () if len(targets) > 1 else MAYBE_LABELS)
        if not named:
            texts = [i for i in free if not self._has_targets(i)]
            require_one_kind(self.table, {i: self.cells[i] for i in texts})
        if named and not (len(targets) > 1 and set(named) <= set(targets)):
            return self._in_cells(named, free)
        are_boxes = any(i not in targets for i in self._texts(free))  # with their corners
        is_numbers = len(targets) > 1 and not are_boxes
        others = {i: self.cells[i] for i in free if not self._has_targets(i)}
        mostly = [i for i in others if share_of(self.cells[i], is_target) >= 0.5]
        if self.kind is None and self.table.has_header and (targets or len(mostly) > 1):
            require_targets(self.table, others)
        if targets and self.kind is None and (self.table.has_header or is_numbers):
            return "csv-columns", tuple(targets)
        return self._in_cells(self._only_texts(free), free)

    def _species(self, free: Sequence[int]) -> list[int]:
        """Return the columns whose names end as those of labels: ``question__species``."""
        return [i for i in self._texts(free) if self.keys[i].endswith(MAYBE_LABELS)]

    def _given_labels(self) -> list[int] | None:
        columns = self.columns
        if columns.labels_column is not None:
            return [self._named(columns.labels_column, "labels_column")]
        return [self._named(name, "label_columns") for name in columns.label_columns] or None

    def _named_labels(self, free: Sequence[int], further: Sequence[str]) -> list[int]:
        if truth := [i for i in free if self.keys[i] in GROUND_TRUTH and not self._has_targets(i)]:
            return truth[:1]
        by_key = {self.keys[i]: i for i in reversed(free)}
        if len(RANKS & by_key.keys()) > 1:
            by_key.pop("class", None)
            further = (*MAYBE_LABELS[1:], *MAYBE_LABELS)  # species may be an epithet alone
        keys = (*LABEL_COLUMNS, *further)
        found = next((by_key[key] for key in keys if key in by_key), None)
        numbered = [i for i in free if NUMBERED_LABELS.fullmatch(self.keys[i])]
        if found is not None:
            singular = self.keys[found].removesuffix("s")
            return [found, *(i for i in numbered if self.keys[i].startswith(singular))]
        return numbered or (self._species(free)[:1] if further else [])

    def _has_targets(self, place: int) -> bool:
        cells = self.cells[place]
        is_marked = is_ticked(cells) or repeats_name(self.table.names[place], cells)
        return all(map(is_target, cells)) or is_marked or place in self.paired

    def _target_columns(self, free: Sequence[int]) -> list[int]:
        """Return the columns that hold nothing but targets, at least one of which is not blank."""
        names = self.table.names
        places = [i for i in free if self._has_targets(i) and not is_no_label(names[i])]
        others = row_flags(names[i] for i in places) | predictions(names[i] for i in places)
        places = [i for i in places if names[i] not in others]
        places = [i for i in places if not is_measure(names[i])] or places
        places = [i for i in places if not set(self.cells[i]) <= NOTHING]  # as in remarks
        places = [i for i in places if any(self.cells[i]) or self.keys[i] not in REMARKS]
        return places if any(any(self.cells[i]) for i in places) else []

    def _only_texts(self, free: Sequence[int]) -> list[int]:
        """Return the one column that may hold labels; without a header, all that hold text."""
        texts = self._texts(free)
        if self.table.has_header:
            texts = [i for i in texts if not self._holds_sentences(i)]
            texts = [i for i in texts if not is_remark(self.table.names[i])] or texts
        if len(texts) == 1 or (texts and not self.table.has_header):
            return texts
        is_ragged = not self.table.has_header and len(set(map(len, self.table.sample))) > 1
        if is_ragged or (len(free) == 1 and not self._holds_sentences(free[0])):
            return list(free)
        where, names = self.table.where(), [self.table.names[i] for i in free]
        if not names:
            msg = f"{where}: expected one column of labels, or one per label, beside the photo"
            raise DataError(f"{msg}, got none")
        if not self.table.has_header:
            msg = f"{where}: expected a header with the names of labels, got numbers without names"
            raise DataError(msg)
        if not any(any(self.cells[i]) for i in free):
            raise unfilled(where, names)
        msg = (
            f"{where}: expected one column of labels beside the photo and the split, got "
            f"{listed(names)}; name it with `labels_column`, or several with `label_columns`"
        )
        if not self._texts(free):
            msg += "; of scores or counts, write 1 for present and 0 for absent"
        raise DataError(msg)

    def _texts(self, free: Sequence[int]) -> list[int]:
        places = [i for i in free if self.keys[i] not in OUTLINES and any(self.cells[i])]
        return [i for i in places if share_of(self.cells[i], is_number) <= 0.5]

    def _holds_sentences(self, place: int) -> bool:  # which hardly recur, as labels do
        key, differ = self.keys[place], 2 * len(self.cells[place]) > len(self.table.sample)
        return key in OUTLINES or (key in TEXT_COLUMNS and differ)

    def _in_cells(self, places: list[int], free: Sequence[int]) -> tuple[Kind, tuple[int, ...]]:
        found = tuple(places)
        if self.kind is not None:
            return self.kind, found
        if len(places) == 1 and are_vectors(self.cells[places[0]]):
            return "csv-columns", found
        is_long = any(self._is_value(i, places) for i in free if i not in places) or (
            len(places) == 1 and repeats_photos(self.table, self.image, places[0])
        )
        return "csv-long" if is_long else "csv-list", found

    def _is_value(self, place: int, labels: Sequence[int]) -> bool:
        """Return whether a column says how surely a row's label is present, or whether."""
        key, cells = self.keys[place], self.cells[place]
        repeats = max(self.cells[self.image].values(), default=0) > 1
        is_stated = share_of(cells, is_target) >= 0.5 and repeats
        is_said = is_stated or place in self.paired or (repeats and verdict_of(cells) is not None)
        is_truth = key in VALUE_COLUMNS and is_said
        if key in CONFIDENCE_COLUMNS or is_truth:
            return True
        is_stated = len(labels) == 1 and repeats and states_presence(self.table.names[place], cells)
        return is_stated and self._is_full(labels[0])

    def _stated(self, free: Sequence[int]) -> int | None:
        """Return the column of labels whose rows are those of nearly all photos and labels."""
        names = self.table.names
        if self.kind is not None or self._given_labels() is not None:
            return None
        if not any(states_presence(names[i], self.cells[i]) for i in free):
            return None
        texts = [i for i in self._texts(free) if not self._has_targets(i)]
        full = [i for i in texts if not is_no_label(names[i]) and self._is_full(i)]
        return full[0] if len(full) == 1 and self.table.has_header else None

    def _is_full(self, place: int) -> bool:
        rows = self.table.sample
        return is_full(*([str(row[i]).strip() for row in rows] for i in (self.image, place)))
