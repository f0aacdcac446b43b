"""Files beside a table that name its labels, a line each."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import clean_name
from tagsight.data.tables.text import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

NAME_FILES = ("labels.txt", "label_list.txt", "classes.txt", "names.txt", "classnames.txt")
NUMBERED = re.compile(r"(\d+)[\s:,;]+(.+)")
LARGEST_NAMES = 2**22


class NameFile(NamedTuple):
    """Names of labels.

    Attributes:
        file: The file.
        names: The names, in its order.
        first: The number of the first one, if each line begins with its own: ``0 dog``.
    """

    file: Path
    names: list[str]
    first: int | None = None


def name_files(
    source: Path | str, folder: Path | None, encoding: str | None = None
) -> Iterator[NameFile]:
    r"""Yield the names of labels from each file beside a table, or other labels.

    Args:
        source: The table.
        folder: Its folder, if it has one.
        encoding: Encoding of files that are not in Unicode.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("classes.txt").write_text("0 dog\n1 sky\n")
        >>> [(one.names, one.first) for one in name_files(Path("table.csv"), Path())]
        [(['dog', 'sky'], 0)]
    """
    for file in (folder / name for name in NAME_FILES) if folder else ():
        if file != source and file.is_file() and 0 < file.stat().st_size <= LARGEST_NAMES:
            lines = text_of(file, largest=LARGEST_NAMES, otherwise=encoding).splitlines()
            yield _numbered(file, [name for one in lines if (name := clean_name(one, str(file)))])


def _numbered(file: Path, names: list[str]) -> NameFile:
    found = [match for name in names if (match := NUMBERED.fullmatch(name))]
    numbers = [int(match[1]) for match in found]
    for first in (0, 1):
        if numbers == list(range(first, first + len(names))):
            return NameFile(file, [match[2].strip() for match in found], first)
    return NameFile(file, names)


def named_by_number(
    labels: Sequence[str], source: Path | str, folder: Path | None, encoding: str | None = None
) -> list[str]:
    r"""Return labels that are all numbers by the names in a file beside, if one has all of them.

    Lines count from 0 if there is a 0, and from 1 if the largest number is that of the last line.
    If neither is so, either may be meant, and labels stay numbers.

    Args:
        labels: The labels.
        source: The table, or other labels.
        folder: Its folder, if it has one.
        encoding: Encoding of files that are not in Unicode.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("classes.txt").write_text("dog\ncat\nsky\n")
        >>> table = Path("table.csv"), Path()
        >>> named_by_number(["2", "0"], *table), named_by_number(["3", "1"], *table)
        (['sky', 'dog'], ['sky', 'dog'])
        >>> named_by_number(["17"], *table), named_by_number(["sea"], *table)
        (['17'], ['sea'])
        >>> named_by_number(["1", "2"], *table)
        ['1', '2']
    """
    if not labels or not all(label.isdecimal() and len(label) < 10 for label in labels):
        return list(labels)
    numbers = list(map(int, labels))
    for file, names, first in name_files(source, folder, encoding):
        counted = int(max(numbers) == len(names)) if first is None else first
        is_sure = first is not None or counted == 1 or min(numbers) == 0
        if is_sure and counted <= min(numbers) and max(numbers) < counted + len(names):
            logger.info("%s: names of the labels, by their numbers, from %s", source, file)
            return [names[number - counted] for number in numbers]
    return list(labels)
