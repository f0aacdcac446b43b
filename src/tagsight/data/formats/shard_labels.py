"""Labels of the samples of shards: what their files state, and the targets that follow."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.formats.record_keys import LABEL_KEYS, first_key
from tagsight.data.source import clean_name
from tagsight.data.tables.cells import SeparatorSearch
from tagsight.data.tables.name_files import named_by_number
from tagsight.data.tables.names import NAME_KEYS, TEXT_COLUMNS, key_of
from tagsight.data.tables.said import is_denied
from tagsight.data.tags.text import is_sentence
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.tables.cells import Separator

logger = logging.getLogger(__name__)

MARKS = {1: 1, 0: 0, -1: -1, None: -1}
MOST_WORDS = 6
"""Words of a label in text; more are a caption."""

Statement: TypeAlias = str | list[str] | dict[str, int]
"""Text with the labels of a photo, their names, or 1, 0 or -1 for each that is named."""


class SampleTargets(NamedTuple):
    """Targets of one sample.

    Attributes:
        marks: 1, 0 or -1 for the labels that its files name.
        others: Target of all other labels.
    """

    marks: dict[str, int]
    others: int


def statement_of(files: Sequence[tuple[str, bytes]]) -> Statement:
    """Return what the file of a sample that states labels says.

    JSON with labels comes before text. JSON without labels states none, nor does text that JSON
    calls a caption.

    Args:
        files: Name, for errors, and content of each file, JSON first.

    Raises:
        DataError: If none states labels, several texts state other ones, or one cannot be
            understood.

    Example:
        >>> statement_of([("1.json", b'{"width": 640}'), ("1.cls", b"dog")])
        'dog'
        >>> statement_of([("1.json", b'{"labels": ["dog"]}'), ("1.txt", b"A dog runs.")])
        ['dog']
    """
    captions: set[str] = set()
    texts: dict[str, str] = {}
    for where, content in files:
        text = _text(content, where)
        if where.lower().endswith(".json"):
            value = _parsed(text, where)
            if (found := _of_json(value, where)) is not None:
                return found
            captions |= _captions(value)
        elif not text.strip() or text.strip() not in captions:
            texts.setdefault(text.strip(), where)
    if len(texts) > 1:
        shown = " and ".join(f"{where} with {text[:40]!r}" for text, where in texts.items())
        msg = f"expected one file of labels a sample, got {shown}; write 'labels' in .json"
        raise DataError(msg)
    if texts:
        return next(iter(texts))
    where, content = files[-1]
    shown = content.decode("utf-8", "replace").strip()[:60]
    caption = " a caption," if captions else ""
    msg = (
        f"{where}: expected 'labels' in .json, a list of names or a table of 1, 0 and null by "
        f"name, or names in .txt or .cls, got{caption} {shown!r}"
    )
    raise DataError(msg)


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{where}: expected labels as UTF-8 text or JSON, got: {error}"
        raise DataError(msg) from error


def _parsed(text: str, where: str) -> Any:  # noqa: ANN401 - plain-data border
    try:
        return json.loads(text)
    # JSON with a number of thousands of digits raises another ValueError than JSONDecodeError.
    except (ValueError, RecursionError) as error:
        msg = f"{where}: expected labels as UTF-8 text or JSON, got: {error}"
        raise DataError(msg) from error


def _captions(value: object) -> set[str]:
    """Return the sentences that JSON has under keys such as ``caption``."""
    entries = value.items() if isinstance(value, Mapping) else ()
    return {one.strip() for key, one in entries if key_of(key) in TEXT_COLUMNS and _is_text(one)}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _of_json(value: Any, where: str) -> Statement | None:  # noqa: ANN401 - plain-data border
    """Return what JSON says of labels, or None if it says nothing of them."""
    if isinstance(value, dict):
        key = first_key(LABEL_KEYS, value)
        if key is None:
            return _marks(value, where) if value else None
        value = value[key]
    if isinstance(value, dict):
        if (marks := _marks(value, where)) is not None:
            return marks
    elif isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    elif isinstance(value, list):
        names = list(map(_name, value))
        are_targets = len(value) > 1 and all(one in {"0", "1", "-1"} for one in names)
        if None not in names and any(map(is_denied, value)):
            return {
                clean_name(str(name), where): 0 if is_denied(one) else 1
                for name, one in zip(names, value, strict=True)
            }
        if None not in names and not (are_targets and not any(map(_is_text, value))):
            return [name for name in names if name is not None]
    elif value is None:
        return None
    msg = (
        f"{where}: expected 'labels', a list of names or a table of 1, 0 and null by name, "
        f"got {str(value)[:60]!r}"
    )
    raise DataError(msg)


def _marks(value: Mapping[str, object], where: str) -> dict[str, int] | None:
    """Return the marks of an object of 1, 0 and null, or None if it has anything else."""
    if not all(
        mark is None or (isinstance(mark, int) and mark in MARKS) for mark in value.values()
    ):
        return None
    return {clean_name(name, where): MARKS[mark] for name, mark in value.items()}  # type: ignore[index] # as was just checked


def _name(value: object) -> str | None:
    """Return the name of a label in a list, or None if it is none."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in NAME_KEYS if key in value), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def targets_of(
    said: Sequence[Statement], source: Path, folder: Path, separator: str | None = None
) -> list[SampleTargets]:
    """Return the targets of samples.

    Args:
        said: What the files of each sample say. The separator of labels in text is found in that of
            all samples, as in cells of a table, and numbers are named by a file beside the shards.
        source: The shards, for messages.
        folder: Their folder.
        separator: The separator, if the user tells it.

    Raises:
        DataError: If text has sentences instead of labels.

    Example:
        >>> from pathlib import Path
        >>> found = targets_of(["dog, sky", "sky", {"dog": 0}], Path("a.tar"), Path())
        >>> found[0]
        SampleTargets(marks={'dog': 1, 'sky': 1}, others=0)
        >>> found[2]
        SampleTargets(marks={'dog': 0}, others=-1)
    """
    search = SeparatorSearch(source, separator)
    for one in said:
        if isinstance(one, str):
            search.add(one.strip())
    found = search.found()
    each = [one if isinstance(one, dict) else _names(one, found) for one in said]
    texts = [list(names) for one, names in zip(said, each, strict=True) if isinstance(one, str)]
    _require_labels(texts, source)
    names = list(dict.fromkeys(name for one in each for name in one))
    named = dict(zip(names, named_by_number(names, source, folder), strict=True))
    targets = []
    for one in each:
        if isinstance(one, dict):
            targets.append(SampleTargets({named[name]: mark for name, mark in one.items()}, -1))
        else:
            labels = [name for name in one if not _is_caption(name)]
            targets.append(SampleTargets({named[name]: 1 for name in labels}, 0))
    return targets


def _names(said: str | list[str], separator: Separator) -> list[str]:
    parts = separator.labels(said.strip(), "") if isinstance(said, str) else said
    return [name for part in parts if (name := clean_name(part))]


def _is_caption(name: str) -> bool:
    return is_sentence(name) or len(name.split()) > MOST_WORDS


def _require_labels(texts: Sequence[Sequence[str]], source: Path) -> None:
    """Refuse text that is mostly captions, and log how many photos have some."""
    captions = [name for names in texts for name in names if _is_caption(name)]
    photos = sum(any(map(_is_caption, names)) for names in texts)
    if photos and 2 * photos >= sum(map(bool, texts)):
        msg = (
            f"{source}: expected labels in the shards, got captions such as {captions[0][:60]!r}; "
            "write the labels of each photo as 'labels' in .json, or list them in a CSV beside the "
            "shards"
        )
        raise DataError(msg)
    if photos:
        logger.warning(
            "%s: sentences in the text of %s are no labels and left out, such as %r",
            *(source, amount(photos, "photo"), captions[0][:60]),
        )
