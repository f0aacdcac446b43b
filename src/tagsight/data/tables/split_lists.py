"""Lists of the photos of each split beside a table, such as ``train_list.txt``."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tagsight.data.source import is_file
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.data.tables.text import text_of
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tagsight.data.tables.table import Table

logger = logging.getLogger(__name__)

LARGEST_LIST = 2**26


def splits_beside(table: Table, photos: Collection[str]) -> list[str]:
    r"""Return the split of each photo by the lists beside a table, or nothing without such lists.

    A list is a text file whose name is a word for a split, with a photo a line. If the lists do not
    name each photo once, they are not used, and that is logged.

    Args:
        table: The table.
        photos: Its photos.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,labels\na.png,dog\nb.png,cat\n")
        >>> _ = Path("train_val_list.txt").write_text("a.png\n")
        >>> _ = Path("test_list.txt").write_text("b.png\n")
        >>> splits_beside(CsvTable(Path("table.csv")), ["a.png", "b.png"])
        ['train', 'test']
    """
    lists = dict(_lists(table))
    if len(set(lists.values())) < 2:  # one list alone may be of anything
        return []
    split_of: dict[str, set[str]] = {}
    for file, split in lists.items():
        for line in text_of(file, largest=LARGEST_LIST).splitlines():
            if name := line.strip().replace("\\", "/"):
                split_of.setdefault(_stem(name), set()).add(split)
    named = [split_of.get(_stem(photo), set()) for photo in photos]
    found = [next(iter(splits)) for splits in named if len(splits) == 1]
    files = ", ".join(file.name for file in lists)
    if len(found) == len(named) and len({_stem(photo) for photo in photos}) == len(named):
        logger.info("%s: the splits are those of %s", table.source, files)
        return found
    if found:
        logger.warning(
            "%s: %s name %s of %d once, so that they are not taken for the splits; a column of the "
            "table can say the split of each photo",
            *(table.source, files, amount(len(found), "photo"), len(named)),
        )
    return []


def _lists(table: Table) -> Iterator[tuple[Path, str]]:
    """Yield the lists in the folder of a table, and the split of each."""
    folder = table.source.parent if isinstance(table.source, Path) else None
    for file in sorted(folder.glob("*.txt")) if folder else ():
        split = SPLIT_NAMES.get(file.stem.lower())
        if split and file != table.source and is_file(file) and _names_photos(file):
            yield file, split


def _names_photos(file: Path) -> bool:
    """Return whether the first line of a file may be the name of a photo alone."""
    try:
        line = next(iter(text_of(file, largest=LARGEST_LIST).splitlines()), "").strip()
    except DataError:
        return False
    return is_photo(line) or (bool(line) and len(line.split()) == 1)


def _stem(name: str) -> str:
    """Return a photo's name without folders, and without the ending of a photo."""
    last = PurePosixPath(name)
    return last.stem if is_photo(last.name) else last.name
