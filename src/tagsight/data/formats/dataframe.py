"""Pandas data frames of photos, read by the rules of the CSV formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tagsight.data.formats.tables import READERS, read_table
from tagsight.data.photos.inside import PhotosInside, photo_inside
from tagsight.data.source import FORBIDDEN, clean_name
from tagsight.data.tables.names import is_photo
from tagsight.data.tables.table import Table
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

NAME = "the DataFrame"
SAMPLE = 100
BOOLEANS = {"True": "1", "False": "0"}


def is_frame(value: object) -> bool:
    """Return whether a value is a pandas `DataFrame`, without importing pandas.

    Example:
        >>> import pandas as pd
        >>> is_frame(pd.DataFrame({"image": ["a.jpg"]})), is_frame(pd.Series(["a.jpg"]))
        (True, False)
    """
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
        for kind in type(value).__mro__
    )


def read(frame: DataFrame, options: ReadOptions, kind: str | None = None) -> list[Labelled]:
    """Read a row for each photo: its path, perhaps a split, and its labels.

    Labels are in one column, as lists or as text with separators, or in a column for each label
    with 1, 0, -1, booleans, or missing values for unknown.

    Args:
        frame: Columns as in a CSV file; the index is ignored unless it is the photos.
        options: Columns; folder that relative paths start from, by default the current folder.
        kind: ``csv-columns``, ``csv-list`` or ``csv-long``; by default the content decides.

    Raises:
        DataError: If a row cannot be understood.

    Example:
        >>> import pandas as pd
        >>> from tagsight.data.format import DEFAULTS
        >>> frame = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "tags": [["dog", "sky"], []]})
        >>> (found,) = read(frame, DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 0]])
    """
    if kind is not None and kind not in READERS:
        msg = f"expected `format` to be one of {list(READERS)} for {NAME}, got {kind!r}"
        raise DataError(msg)
    table = _FrameTable(frame, options)
    found = read_table(table, options, cast("Kind | None", kind))
    table.inside.log()
    return [found]


class _FrameTable(Table):
    """A data frame of photos.

    Args:
        frame: Any pandas `DataFrame`.
        options: Whether photos in cells are written, or looked for in a folder.

    Attributes:
        inside: The photos in cells.

    Raises:
        DataError: If it has no column for the photo.
    """

    def __init__(self, frame: DataFrame, options: ReadOptions) -> None:
        self.inside = PhotosInside(NAME, write=options.write_photos)
        self._keep_outside = options.images is not None
        self._photos: dict[int, str] = {}
        frame = _with_photos(frame, options)
        names = [clean_name(name, NAME) for name in _names(frame)]
        super().__init__(NAME, names, has_header=True)
        self._frame = frame.astype(object).where(frame.notna(), "")

    def where(self, number: int | None = None) -> str:
        """Name the row by its position, as ``iloc`` does."""
        return NAME if number is None else f"{NAME}, row {number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the folder of photos in cells, and the current folder."""
        return [images] if images else self.inside.folders([Path.cwd()])

    def photo(self, cell: Cell, number: int) -> str:
        """Return the photo's path: absolute, or below the folder of the photos."""
        text = str(cell)
        if Path(text).is_absolute() and not FORBIDDEN.search(text):
            return str(Path(text))
        return super().photo(cell, number)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the position and the cells of each row, as a CSV file would hold them."""
        del joined_from  # cells are no text
        for number, row in enumerate(self._frame.itertuples(index=False, name=None)):
            yield number, [self._cell(value, number) for value in row]

    def _cell(self, value: object, number: int) -> Cell:
        is_address = isinstance(value, str) and value.startswith("data:")
        if not (is_address or isinstance(value, bytes | dict)):
            return _cell(value, self.where(number))
        if self._keep_outside and isinstance(value, dict):
            return str(value.get("path"))
        if number not in self._photos and (held := photo_inside(value, self.where(number))):
            self._photos[number] = self.inside.add(held, self.where(number))
        return self._photos.get(number) or str(value)


def _with_photos(frame: DataFrame, options: ReadOptions) -> DataFrame:
    """Return a frame with the photos as a column, if they are its index."""
    if options.columns.image_column or frame.index.nlevels > 1 or not len(frame):
        return frame
    cells = (value for row in frame.head(SAMPLE).itertuples(index=False) for value in row)
    if any(isinstance(cell, str | Path) and is_photo(cell) for cell in cells):
        return frame
    if not all(isinstance(name, str) and is_photo(name) for name in frame.index[:SAMPLE]):
        return frame
    return frame.reset_index(names="image") if "image" not in frame else frame


def _names(frame: DataFrame) -> list[str]:
    """Return the names of columns; of several levels, the last ones if they tell them apart."""
    if frame.columns.nlevels == 1:
        return [str(name) for name in frame.columns]
    levels = [[str(level) for level in name if str(level)] for name in frame.columns]
    last = [name[-1] if name else "" for name in levels]
    return last if len(set(last)) == len(last) else [" ".join(name) for name in levels]


def _cell(value: object, where: str) -> Cell:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        labels = sorted(value, key=str) if isinstance(value, set | frozenset) else tuple(value)
        if odd := [label for label in labels if not isinstance(label, str)]:
            msg = f"{where}: expected a list of labels as text, got {odd[0]!r} in it"
            raise DataError(msg)
        return tuple(labels)
    text = str(value)
    return BOOLEANS.get(text, text)
