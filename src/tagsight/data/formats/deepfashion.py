"""DeepFashion's lists: a category, or attributes, of each photo, and their names beside."""

from __future__ import annotations

import logging
from array import array
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.source import clean_name, is_file, photo_path, require_file
from tagsight.data.tables.names import SPLIT_NAMES, UNKNOWN, is_photo
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import ReadOptions

logger = logging.getLogger(__name__)

NAMES = {
    "category_label": "list_category_cloth.txt",
    "attribute_labels": "list_attr_cloth.txt",
}
"""Files of names, by the header of the column whose numbers they name."""

LISTS = ("list_category_img.txt", "list_attr_img.txt")
MARKS = {"1": 1, "-1": 0, "0": UNKNOWN}
"""Targets, as unsigned bytes, by the marks of attributes."""

PARTITION = "Eval/list_eval_partition.txt"
LARGEST_FILE, LARGEST_NAMES = 2**31, 2**22
LONGEST_LINE = 2**16
ABOVE = 2
"""Lines above the rows: their number, and a header."""


def recognises(source: Path) -> bool:
    r"""Return whether a file begins as one of the lists of photos, or a folder has some.

    Example:
        >>> from pathlib import Path
        >>> text = "1\nimage_name  category_label\nimg/a.jpg  1\n"
        >>> _ = Path("list_category_img.txt").write_text(text)
        >>> recognises(Path("list_category_img.txt"))
        True
    """
    return bool(_lists(source))


def _lists(source: Path) -> list[Path]:
    places = [source / name for name in ("", "Anno", "Anno_coarse")] if source.is_dir() else []
    files = [place / name for place in places for name in LISTS] or [source]
    return [file for file in files if _column(file) is not None]


def _column(file: Path) -> str | None:
    """Return the header of the labels, if a file is such a list."""
    if not is_file(file):
        return None
    with file.open(encoding="utf-8-sig", errors="replace") as handle:
        count, header = handle.readline(100).strip(), handle.readline(100).split()
    is_list = count.isdecimal() and len(header) == 2 and header[0] == "image_name"
    return header[1] if is_list and header[1] in NAMES else None


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the number of a category, or 1, -1 and 0 for each attribute: present, absent, unknown.

    Args:
        source: ``list_category_img.txt`` or ``list_attr_img.txt``, or a folder with one; beside it
            must be the list of names, ``list_category_cloth.txt`` or ``list_attr_cloth.txt``. The
            splits are those of ``Eval/list_eval_partition.txt``, if it is there.
        options: Folder of the photos; by default the one above ``Anno``.

    Raises:
        DataError: If a list is missing, or a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("list_attr_cloth.txt").write_text("2\nname type\nlace 2\nabstract floral 1\n")
        >>> _ = Path("list_attr_img.txt").write_text(
        ...     "2\nimage_name attribute_labels\nimg/a.jpg -1 1\nimg/b.jpg 1 0\n"
        ... )
        >>> (found,) = read(Path("list_attr_img.txt"), DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('lace', 'abstract floral'), [[0, 1], [1, -1]])
    """
    lists = _lists(source)
    if len(lists) != 1:
        got = " and ".join(file.name for file in lists) or "none"
        msg = f"{source}: expected one list of DeepFashion, {' or '.join(LISTS)}, got {got}"
        raise DataError(f"{msg}; give the file that is meant")
    (source,) = lists
    column = str(_column(source))
    names = _names(source.with_name(NAMES[column]))
    is_category = column == "category_label"
    photos, targets = _photos_and_targets(source, names, is_category=is_category)
    base = source.parent
    base = base.parent if base.name.startswith("Anno") else base
    return [
        Labelled(
            source=source,
            names=tuple(names),
            photos=tuple(photos),
            targets=targets,
            splits=_splits(base / PARTITION, photos),
            folders=tuple(options.folders(base, base / "Img", source.parent)),
            lists_present=is_category,
        )
    ]


def _photos_and_targets(
    source: Path, names: Sequence[str], *, is_category: bool
) -> tuple[list[str], Tensor]:
    """Return the ``N`` photos of a list, and their ``(N, L)`` int8 targets."""
    photos: dict[str, int] = {}
    values = bytearray()
    numbers = array("q")
    for number, photo, marks in _rows(source, 1 if is_category else len(names)):
        where = f"{source}:{number}"
        if photos.setdefault(photo_path(photo, where), number) != number:
            msg = f"{where}: expected each photo once, got {photo!r} again"
            raise DataError(msg)
        if is_category:
            numbers.append(_category(marks[0], len(names), where))
        else:
            values += _attributes(marks, where)
    if not photos:
        msg = f"{source}: expected photos below the header, got none"
        raise DataError(msg)
    if is_category:
        targets = target_table(len(photos), len(names), value=0, source=source)
        targets.numpy()[np.arange(len(photos)), np.frombuffer(numbers, dtype=np.int64)] = 1
    else:
        targets = torch.frombuffer(values, dtype=torch.int8).view(len(photos), len(names))
    return list(photos), targets


def _rows(file: Path, count: int) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the number of each line, its photo, and as many marks behind it."""
    with require_file(file, largest=LARGEST_FILE).open(encoding="utf-8-sig", errors="replace") as h:
        lines = enumerate(iter(lambda: h.readline(LONGEST_LINE), ""), 1)
        for number, line in islice(lines, ABOVE, None):
            photo, *marks = line.rsplit(None, count) or [""]
            if not photo:
                continue
            if len(marks) != count or not is_photo(photo):
                expected = f"a photo and {amount(count, 'mark')}"
                msg = f"{file}:{number}: expected {expected}, got {line[:80]!r}"
                raise DataError(msg)
            yield number, photo.strip(), marks


def _names(file: Path) -> list[str]:
    """Return the names of a list, each of which a number follows."""
    if not is_file(file):
        msg = f"expected the names of the labels in {file}, which does not exist"
        raise DataError(msg)
    lines = require_file(file, largest=LARGEST_NAMES).read_text("utf-8", "replace").splitlines()
    rows = [line.rsplit(None, 1) for line in lines[ABOVE:] if line.strip()]
    names = [clean_name(row[0], str(file)) for row in rows]
    if not names or len(set(names)) < len(names):
        msg = f"{file}: expected a different name in each line below the header, got {names[:5]!r}"
        raise DataError(msg)
    return names


def _category(mark: str, count: int, where: str) -> int:
    """Return the position of a category."""
    if mark.isdecimal() and 1 <= int(mark) <= count:
        return int(mark) - 1
    msg = f"{where}: expected the number of a category, 1 to {count}, got {mark[:60]!r}"
    raise DataError(msg)


def _attributes(marks: Sequence[str], where: str) -> bytes:
    """Return the targets of a photo's attributes, as bytes."""
    try:
        return bytes(map(MARKS.__getitem__, marks))
    except KeyError as error:
        msg = f"{where}: expected 1, -1 or 0 for each attribute, got {str(error)[:60]}"
        raise DataError(msg) from None


def _splits(file: Path, photos: Sequence[str]) -> tuple[str, ...] | None:
    """Return the split of each photo, if the partition has all of them."""
    if not is_file(file):
        return None
    words = {
        photo_path(photo, f"{file}:{number}"): SPLIT_NAMES.get(word.lower())
        for number, photo, (word,) in _rows(file, 1)
    }
    splits = [split for photo in photos if (split := words.get(photo)) is not None]
    if len(splits) < len(photos):
        logger.warning(
            "%s: not used, as it lacks %s", file, amount(len(photos) - len(splits), "photo")
        )
        return None
    return tuple(splits)


FORMAT = Format(
    "deepfashion",
    "DeepFashion's list_category_img.txt or list_attr_img.txt, with the names beside",
    "list_attr_cloth.txt   2\n                      attribute_name  attribute_type\n"
    "                      lace            2\n                      a-line          3\n"
    "list_attr_img.txt     1\n                      image_name  attribute_labels\n"
    "                      img/a.jpg    1 -1",
    recognises,
    read,
    certain=True,
)
