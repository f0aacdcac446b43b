"""Files beside a table that name its labels: a line each, or a number and a name."""

from __future__ import annotations

import csv
import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.json_files import outline, read_json
from tagsight.data.remote.places import is_remote
from tagsight.data.source import clean_name
from tagsight.data.tables.names import is_photo, key_of
from tagsight.data.tables.text import DELIMITERS, text_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

NAME_FILES = (
    *("labels.txt", "label_list.txt", "classes.txt", "names.txt", "classnames.txt"),
    "synsets.txt",
)
TABLES_OF_NAMES = ("classes.csv", "class_names.csv", "labels.csv", "label_map.csv", "classes.tsv")
JSON_OF_NAMES = (
    *("classes.json", "class_names.json", "labels.json", "label_map.json"),
    *("id2label.json", "label2id.json", "class_to_idx.json", "idx_to_class.json"),
)
"""Files of numbers with names, in either order."""

MAP_OF_NAMES = re.compile(
    r"(?:label|class|categor|id|idx|num)\w*[_-](?:map|mapping|names?|dict|to|2).*\.json"
    r"|.*[_-](?:label|class|category|disease)[_-](?:map|mapping|names?|dict)\.json",
    re.IGNORECASE,
)
"""Names of other such JSON, as ``label_num_to_disease_map.json``."""

KEYS_OF_NAMES = frozenset(
    {"classes", "classnames", "labels", "labelnames", "labelmap", "names", "categories"}
    | {"id2label", "label2id", "classtoidx", "idxtoclass", "idx2label", "label2idx"}
)
"""Names of keys, as `key_of` gives them, of the names of labels in one object with photos."""

NUMBERED = re.compile(r"(\d+)[\s:,;]+(.+)")
LARGEST_NAMES, LONGEST_NUMBER = 2**22, 10


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


def _numbered_files(
    source: Path | str, folder: Path | None, encoding: str | None
) -> Iterator[NameFile]:
    """Yield the names from tables and JSON of numbers with names beside a table."""
    files = [folder / name for name in (*TABLES_OF_NAMES, *JSON_OF_NAMES)] if folder else []
    if folder and not is_remote(folder):
        maps = (one for one in sorted(folder.glob("*.json")) if MAP_OF_NAMES.fullmatch(one.name))
        files += [one for one in maps if one not in files]
    for file in files:
        if file == source or not file.is_file() or not 0 < file.stat().st_size <= LARGEST_NAMES:
            continue
        try:
            is_json = file.suffix.lower() == ".json"
            pairs = _pairs_of_json(file) if is_json else _pairs_of_table(file, encoding)
        except (DataError, csv.Error):  # a file of something else
            continue
        if names := _whole(file, pairs):
            yield names


def _whole(file: Path, pairs: Sequence[tuple[str, str]]) -> NameFile | None:
    """Return names by numbers, or None if numbers from 0 or 1 on are missing or not unique."""
    name_of = {int(n): clean_name(name, str(file)) for n, name in pairs}
    first, count = min(name_of, default=2), len(name_of)
    is_whole = count == len(pairs) and sorted(name_of) == list(range(first, first + count))
    if first not in {0, 1} or not is_whole or any(map(is_photo, name_of.values())):
        return None
    return NameFile(file, [name_of[n] for n in range(first, first + count)], first)


def _pairs_of_json(file: Path) -> list[tuple[str, str]]:
    """Return the numbers and names of an object, or of a list of names."""
    if outline(file).top == "[":
        return [(str(place), str(one)) for place, one in enumerate(read_json(file, list, "names"))]
    return _pairs_of_object(read_json(file, dict, "names by number"))


def _pairs_of_object(content: object) -> list[tuple[str, str]]:
    """Return the numbers and names of an object of either by the other, or of a list of both."""
    if isinstance(content, list) and all(isinstance(one, dict) for one in content):
        pairs = [(one.get("id"), one.get("name")) for one in content]
    else:
        pairs = list(content.items()) if isinstance(content, dict) else []
    return _in_order([(str(first), str(second)) for first, second in pairs])


def _pairs_of_table(file: Path, encoding: str | None) -> list[tuple[str, str]]:
    """Return the numbers and names of a table of two columns, with or without a header."""
    lines = text_of(file, largest=LARGEST_NAMES, otherwise=encoding).splitlines()
    mark = max(DELIMITERS, key=lines[0].count) if lines else ","
    rows = [tuple(map(str.strip, row)) for row in csv.reader(lines, delimiter=mark) if row]
    if not rows or any(len(row) != 2 for row in rows):
        return []
    pairs = [(row[0], row[1]) for row in rows]
    has_header = not any(cell.isdecimal() for cell in rows[0])
    return _in_order(pairs[has_header:])


def _in_order(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return pairs with the number first; none if neither column has numbers alone."""
    for first, second in ((0, 1), (1, 0)):
        if all(pair[first].isdecimal() and len(pair[first]) < LONGEST_NUMBER for pair in pairs):
            return [(pair[first], pair[second]) for pair in pairs]
    return []


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
    If neither is so, either may be meant, and labels stay numbers. ``labels.csv``,
    ``label_map.json`` and the like have the number beside each name.

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
        >>> _ = Path("classes.txt").rename("label_map.json").write_text('{"dog": 1, "cat": 2}')
        >>> named_by_number(["1", "2"], *table)
        ['dog', 'cat']
    """
    if not _are_numbers(labels):
        return list(labels)
    files = (*name_files(source, folder, encoding), *_numbered_files(source, folder, encoding))
    for file in files:
        if named := _named(labels, file):
            logger.info("%s: names of the labels, by their numbers, from %s", source, file.file)
            return named
    return list(labels)


def named_within(labels: Sequence[str], source: Path, content: Mapping[str, Any]) -> list[str]:
    """Return labels that are all numbers by the names that the object around them has.

    Args:
        labels: The labels.
        source: The file.
        content: Its object, perhaps with names under a key such as ``classes``: a list, or an
            object of names by number, or of numbers by name.

    Example:
        >>> from pathlib import Path
        >>> named_within(["1", "0"], Path("a.json"), {"classes": ["dog", "sky"], "images": []})
        ['sky', 'dog']
    """
    if not _are_numbers(labels):
        return list(labels)
    for key, value in content.items():
        if key_of(key) not in KEYS_OF_NAMES:
            continue
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            names: NameFile | None = NameFile(source, value)
        else:
            names = _whole(source, _pairs_of_object(value))
        if names is not None and (named := _named(labels, names)):
            logger.info("%s: names of the labels, by their numbers, from %r", source, key)
            return [clean_name(name, str(source)) for name in named]
    return list(labels)


def _are_numbers(labels: Sequence[str]) -> bool:
    return bool(labels) and all(label.isdecimal() and len(label) < 10 for label in labels)


def _named(labels: Sequence[str], names: NameFile) -> list[str]:
    """Return labels by their numbers, or nothing if it is not sure which they are."""
    numbers, first = list(map(int, labels)), names.first
    counted = int(max(numbers) == len(names.names)) if first is None else first
    is_sure = first is not None or counted == 1 or min(numbers) == 0
    if is_sure and counted <= min(numbers) and max(numbers) < counted + len(names.names):
        return [names.names[number - counted] for number in numbers]
    return []
