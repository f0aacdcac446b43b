"""A folder that Label Studio has synced annotations to: a JSON file for each, without an ending."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

from tagsight.data.json_files import outline, read_json
from tagsight.data.photos.hidden import is_hidden
from tagsight.data.source import is_file
from tagsight.data.tables.names import is_photo
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

MOST_LOOKED_AT = 20


def is_storage(folder: Path) -> bool:
    """Return whether the first files of a folder, other than photos, are annotations.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> annotation = {"id": 1, "result": [], "task": {"data": {"image": "a.jpg"}}}
        >>> _ = Path("1").write_text(json.dumps(annotation))
        >>> is_storage(Path())
        True
    """
    if not folder.is_dir():
        return False
    first = list(islice(_files(folder), MOST_LOOKED_AT))
    return bool(first) and all(map(_is_annotation, first))


def _files(folder: Path) -> Iterator[Path]:
    files = (one for one in folder.iterdir() if not is_hidden(one.name) and not is_photo(one.name))
    return filter(is_file, files)


def _is_annotation(file: Path) -> bool:
    top, keys, lines = outline(file)
    return top == "{" and not lines and keys.get("result") == "[" and "task" in keys


def stored_tasks(folder: Path) -> list[Any]:
    """Return the tasks of a folder, each with its annotations, as JSON of Label Studio has them.

    Raises:
        DataError: If an annotation does not hold its task, or there is none.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> for number in (1, 2):
        ...     annotation = {"id": number, "result": [], "task": {"id": 7, "data": {}}}
        ...     _ = Path(str(number)).write_text(json.dumps(annotation))
        >>> ((task,),) = [stored_tasks(Path())]
        >>> task["id"], [one["id"] for one in task["annotations"]]
        (7, [1, 2])
    """
    tasks: dict[object, dict[str, Any]] = {}
    others = 0
    for file in sorted(_files(folder)):
        if not _is_annotation(file):
            others += 1
            continue
        annotation = read_json(file, dict, "an annotation of Label Studio")
        task = annotation.pop("task")
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            msg = (
                f"{file}: expected an annotation with its task, got {str(task)[:20]!r} without its "
                "data: export the project as JSON"
            )
            raise DataError(msg)
        known = tasks.setdefault(task.get("id", file.name), {**task, "annotations": []})
        known["annotations"].append(annotation)
    if not tasks:
        msg = f"expected annotations of Label Studio in {folder}, got none"
        raise DataError(msg)
    if others:
        logger.warning("%s: %s left out, no annotations", folder, amount(others, "other file"))
    return list(tasks.values())
