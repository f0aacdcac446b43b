"""Names of labels in the values of records."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from tagsight.data.formats.record_keys import is_mark
from tagsight.data.json_files import shortened
from tagsight.data.tables.names import NAME_KEYS, is_remark, key_of, target_of
from tagsight.data.tables.pairs import is_word
from tagsight.data.tables.said import is_denied
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tagsight.data.formats.record_keys import Record

logger = logging.getLogger(__name__)

STATED = {
    **dict.fromkeys(("positive", "positives", "present"), 1),
    **dict.fromkeys(("negative", "negatives", "absent"), 0),
}
"""Keys, as `key_of` gives them, of lists of the labels that are present, or absent."""

LISTED = ("categories", "category", "labels", "label", "names", "name", "classes", "class")
"""Keys of the names, where one object holds a list of each property of a photo's objects."""


def value_of(record: Record, key: str) -> Any:  # noqa: ANN401 - plain-data border
    """Return what a record has under a key; of a list for each property of objects, the names.

    Example:
        >>> value_of({"objects": {"bbox": [[0, 0, 9, 9]], "category": ["cat"]}}, "objects")
        ['cat']
    """
    value = record.get(key)
    if isinstance(value, dict):
        listed = (value[name] for name in LISTED if isinstance(value.get(name), list))
        found = next(listed, None)
        return with_marks(value, key) if found is None else found
    return value


def with_said(records: Sequence[Record], key: str, where: str) -> Sequence[Record]:
    """Return records with 1 and 0 for each label, if objects in their lists say that some are not.

    Args:
        records: The records.
        key: The key of the lists.
        where: What messages call the records.

    Example:
        >>> rows = [{"tags": [{"name": "dog", "present": False}, {"name": "sky", "present": True}]}]
        >>> with_said(rows, "tags", "a.json")
        [{'tags': {'dog': 0, 'sky': 1}}]
    """
    lists = (record.get(key) for record in records)
    if not any(is_denied(one) for listed in lists if isinstance(listed, list) for one in listed):
        return records
    logger.info("%s: objects under %r say which labels are present", where, key)
    return [
        {
            **record,
            key: {name_of(one, (), where): 0 if is_denied(one) else 1 for one in record[key]},
        }
        if isinstance(record.get(key), list)
        else record
        for record in records
    ]


def names_in(value: object, classes: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the names of a list, perhaps of lists or of objects, or of one value.

    Args:
        value: The list or the value.
        classes: Names of labels that are given as numbers.
        where: What errors call it.

    Raises:
        DataError: If one is no text, and no number of a class.

    Example:
        >>> names_in([["dog"], {"name": "sky"}, 7], (), "a.json")
        ('dog', 'sky', '7')
    """
    listed = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(one, list) for one in listed):
        listed = [two for one in listed for two in (one if isinstance(one, list) else [one])]
    return tuple(name_of(one, classes, where) for one in listed if one is not None)


def name_of(value: object, classes: Sequence[str], where: str) -> str:
    """Return the name of one value, as `names_in` does.

    Example:
        >>> name_of(1, ["dog", "sky"], "a.json")
        'sky'
    """
    if isinstance(value, Mapping):
        value = next((value[key] for key in NAME_KEYS if key in value), None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if not classes:
            return str(value)
        if 0 <= value < len(classes):
            return classes[value]
    elif isinstance(value, str):
        return value
    msg = f"{where}: expected labels as text, got {shortened(value)}"
    raise DataError(msg)


def with_marks(value: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return 1 and 0 for each label, if an object lists those that are present and absent.

    Raises:
        DataError: If a label is in both lists.

    Example:
        >>> with_marks({"positive": ["dog"], "negative": ["sky", "sea"]}, "a.json")
        {'dog': 1, 'sky': 0, 'sea': 0}
    """
    if not value or any(key_of(key) not in STATED for key in value):
        return value
    if not all(isinstance(names, list) for names in value.values()):
        return value
    marks: dict[str, int] = {}
    for key, names in value.items():
        for name in names_in(names, (), where):
            if marks.setdefault(name, STATED[key_of(key)]) != STATED[key_of(key)]:
                msg = f"{where}: expected {name!r} as present or absent, got both"
                raise DataError(msg)
    return marks


def names_of_question(question: str, value: object) -> list[str]:
    """Return the names that an object has for a question, or none if that is a label itself.

    Example:
        >>> names_of_question("scene", "city"), names_of_question("dog", "yes")
        (['city'], [])
    """
    listed = value if isinstance(value, list) else [value]
    names = [one for one in listed if isinstance(one, str) and one]
    is_answer = isinstance(value, list) or not all(map(is_word, names))
    return names if is_answer and not is_remark(question) else []


def shared_names(objects: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names that several questions have, as yes and no.

    Example:
        >>> shared_names([{"scene": ["city"], "sky": ["blue"]}, {"sea": ["blue"]}])
        {'blue'}
    """
    questions: dict[str, set[str]] = {}
    for key, value in chain.from_iterable(one.items() for one in objects):
        for name in names_of_question(key, value):
            questions.setdefault(name, set()).add(key)
    logger.info("labels are the answers to %s", ", ".join(sorted(set().union(*questions.values()))))
    return {name for name, keys in questions.items() if len(keys) > 1}


def names_by_question(value: object, where: str, shared: Collection[str]) -> tuple[str, ...]:
    """Return the names of an object with some for each question, and questions that are marked.

    Args:
        value: The object, or a list of names.
        where: What errors call it.
        shared: Names that several questions have, which are named with them.

    Raises:
        DataError: If one is no text.

    Example:
        >>> answers = {"scene": ["city"], "sky": "blue", "indoor": False}
        >>> names_by_question(answers, "a.json", {"blue"})
        ('city', 'sky: blue')
    """
    if not isinstance(value, dict):
        return names_in(value, (), where)
    found: list[str] = []
    for question, said in value.items():
        mark = target_of(said) if isinstance(said, str) and is_word(said) else said
        if is_remark(question):
            continue
        if is_mark(mark):
            found += [question] * (mark == 1)
            continue
        names = names_in(said, (), where)
        found += [f"{question}: {name}" if name in shared else name for name in names]
    return tuple(filter(None, found))
