"""Finds the header of a table: below titles and remarks, in one row or in several."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.tables.names import IMAGE_COLUMNS, is_photo, is_target, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMENT = re.compile(r"#+(?:\s|$)")
MOST_LEVELS = 4
"""Rows of a header, at most."""


def rows_above(rows: Sequence[Sequence[str]], is_named: Callable[[Sequence[str]], bool]) -> int:
    """Return how many rows are above the header: titles and remarks, if one names photos below.

    Args:
        rows: The first rows.
        is_named: Returns whether a row has a name of a column that the user gave.

    Example:
        >>> rows_above([["My photos", ""], ["image", "dog"], ["a.jpg", "1"]], lambda row: False)
        1
    """
    width = next((len(cells) for cells in rows if any(map(is_photo, cells))), 0)
    for number, cells in enumerate(rows):
        filled = [cell for cell in cells if cell.strip()]
        is_remark = cells[0].lstrip().startswith("#") and not is_photo(cells[0])
        if len(filled) > 1 and not is_remark:
            keys = set(map(key_of, cells))
            is_header = keys & IMAGE_COLUMNS or is_named(cells)
            if is_header or lacks_photos(cells, rows[number + 1 :]):
                return number
            if len(cells) >= width:  # a shorter one is a title with a delimiter in it
                return 0
        if any(map(is_photo, filled)):
            return 0
    return 0


def is_comment(cells: Sequence[str]) -> bool:
    """Return whether a row is a comment: a mark ``#``, a blank, and words that name no photo.

    A header may begin with such a mark; it names the column of photos.

    Example:
        >>> is_comment(["# checked in May", " all of them"]), is_comment(["# image", "tags"])
        (True, False)
        >>> is_comment(["#12", "dog"]), is_comment(["# 1.jpg", "dog"])
        (False, False)
    """
    return (
        cells[0][:1] == "#"
        and COMMENT.match(cells[0]) is not None
        and not any(map(is_photo, cells))
        and (len(cells) == 1 or not IMAGE_COLUMNS & set(map(key_of, cells)))
    )


def lacks_photos(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether a header names all columns but the first, of photos, as CelebA and R write it.

    Args:
        first: The row that may be a header.
        below: Rows below.

    Example:
        >>> lacks_photos(["dog", "cat"], [["a.jpg", "1", "-1"], ["b.jpg", "-1", "1"]])
        True
        >>> lacks_photos(["image", "dog"], [["a.jpg", "1"]])
        False
        >>> lacks_photos(["image", "dog"], [["a.jpg", "1", "0"]])  # a cell too many
        False
    """
    are_named = bool(below) and all(map(str.strip, first)) and not any(map(is_photo, first))
    are_named = are_named and not IMAGE_COLUMNS & set(map(key_of, first))
    return are_named and all(len(row) == len(first) + 1 and is_photo(row[0]) for row in below)


def header_in_comment(comments: Sequence[Sequence[str]], first: Sequence[str]) -> list[str] | None:
    """Return the header that the last comment above a table without one is, or None.

    It has a name for each cell of the row below, which has a photo.

    Args:
        comments: The comments above, perhaps none.
        first: The first row.

    Example:
        >>> header_in_comment([["# by Ann"], ["# x", "dog", "sky"]], ["a.jpg", "1", "0"])
        ['x', 'dog', 'sky']
        >>> header_in_comment([["# by Ann"]], ["a.jpg", "1", "0"])
    """
    names = comments[-1] if comments else ()
    if not 1 < len(names) == len(first) or not any(map(is_photo, first)):
        return None
    return [names[0].lstrip("# \t"), *names[1:]]


class Levels(NamedTuple):
    """A header of several rows, groups above labels, as pandas and spreadsheets write it.

    Attributes:
        rows: How many rows.
        names: The name of each column: that of the lowest row, or with its groups, as
            ``animals/dog``, where several columns have it.
    """

    rows: int
    names: tuple[str, ...]


def levels_of(rows: Sequence[Sequence[str]]) -> Levels | None:
    """Return the header of a table if it has several rows, or None.

    There are rows of text above the first photo. The lowest names the column of photos, or the
    first, where groups are repeated or left blank, does not name each column.

    Args:
        rows: The first rows, without those above the header.

    Example:
        >>> levels_of([["", "animals", ""], ["image", "dog", "cat"], ["a.jpg", "1", "0"]])
        Levels(rows=2, names=('image', 'dog', 'cat'))
        >>> levels_of([["image", "dog", "cat"], ["a.jpg", "1", "0"]])
    """
    first = next((n for n, cells in enumerate(rows) if any(map(is_photo, cells))), 0)
    if not 1 < first <= MOST_LEVELS:
        return None
    above = [list(cells) for cells in rows[:first]]
    width = len(rows[first])
    place = next(i for i, cell in enumerate(rows[first]) if is_photo(cell))
    below = [cell for cells in above[1:] for cell in cells if cell.strip()]
    alike = any(cells == above[0] for cells in above[1:])  # a header that is repeated
    if alike or any(len(cells) != width for cells in above) or any(map(is_target, below)):
        return None
    named = any(key_of(cells[place]) in IMAGE_COLUMNS for cells in above[1:])
    others = [cell.strip() for i, cell in enumerate(above[0]) if i != place]
    repeats = len(set(others)) < len(others) and not any(c[place].strip() for c in above[1:])
    if not named and not repeats:
        return None
    return Levels(first, _names(above, place))


def _names(rows: list[list[str]], place: int) -> tuple[str, ...]:
    """Return a name for each column; a blank group is that of the column before."""
    image = next((cells[place] for cells in reversed(rows) if cells[place].strip()), "image")
    rows = [cells for cells in rows if any(c.strip() for i, c in enumerate(cells) if i != place)]
    for cells in rows[:-1]:
        for column in range(1, len(cells)):
            if not cells[column].strip() and column not in {place, place + 1}:
                cells[column] = cells[column - 1]
    paths = [[c for c in map(str.strip, column) if c] for column in zip(*rows, strict=True)]
    leaves = [path[-1] if path else "" for path in paths]
    counts = Counter(leaf for i, leaf in enumerate(leaves) if i != place)
    pairs = zip(paths, leaves, strict=True)
    names = ["/".join(path) if counts[leaf] > 1 else leaf for path, leaf in pairs]
    return (*names[:place], image, *names[place + 1 :])
