"""Label Studio's exports and storage: JSON here, JSON_MIN and CSV in `label_studio_rows`."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.format import Format
from tagsight.data.formats.label_studio_rows import read_rows
from tagsight.data.formats.label_studio_storage import is_storage, stored_tasks
from tagsight.data.formats.label_studio_values import (
    folders,
    labels_in,
    photo_field,
    task_photo,
    without_prefixes,
)
from tagsight.data.json_files import outline, read_json, read_json_lines
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.photos.inside import PhotosInside
from tagsight.data.source import clean_name
from tagsight.data.tables.label_studio import is_label_studio
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Columns, Labelled, ReadOptions

logger = logging.getLogger(__name__)


NAMELESS = ""
"""Label, and control, of a region that has no label."""

GEOMETRY = frozenset({"x", "points", "vertices", "rle", "imageDataURL"})


class Answer(NamedTuple):
    """Labels that one annotation gives through one control of the labelling page.

    Attributes:
        control: Its name.
        labels: The labels.
        is_region: Whether they are of a region, and not of the whole photo.
    """

    control: str
    labels: frozenset[str]
    is_region: bool


def recognises(source: Path) -> bool:
    """Return whether a file is one of Label Studio's exports, or a folder its target storage.

    Example:
        >>> from pathlib import Path
        >>> file = Path("project.json")
        >>> _ = file.write_text('[{"id": 1, "annotations": [], "data": {"image": "a.jpg"}}]')
        >>> recognises(file)
        True
    """
    return _is_json(source) or is_storage(source) or is_label_studio(source)


def _is_json(source: Path) -> bool:
    top, keys, _ = outline(source)
    answers = {"annotations", "completions", "predictions"}
    return bool(top) and keys.get("data") == "{" and bool(keys.keys() & answers)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the choices, taxonomies and labels of regions that people have given to a task's photo.

    A label that an annotation does not give is absent. Tasks without an annotation, and those that
    were skipped or cancelled, are left out. Of several annotations, the one marked as ground truth
    counts; without one, they are united. Predictions are no labels. A path of a taxonomy is one
    label, ``animal/dog``. A region with a label says that the photo has it. Labels that several
    questions about the whole photo offer are named with their control, ``indoor: yes``.

    Args:
        source: JSON, JSON_MIN or CSV; or a folder that Label Studio has synced annotations to, a
            file for each.
        options: Folder of the photos, by default that of the file; and Label Studio's own folder of
            files, for uploads and local storage. Photos that are in tasks (``data:``) are written
            to the cache. Columns of JSON_MIN and CSV.

    Raises:
        DataError: If the file cannot be understood.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> result = [{"from_name": "tags", "value": {"choices": ["dog", "sky"]}}]
        >>> task = {"id": 1, "annotations": [{"result": result}], "data": {"image": "/data/a.jpg"}}
        >>> file = Path("project.json")
        >>> _ = file.write_text(json.dumps([task]))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.names
        (('data/a.jpg',), ('dog', 'sky'))
    """
    inside = PhotosInside(source, write=options.write_photos)
    base = source / "annotations" if source.is_dir() else source
    if source.is_dir() or _is_json(source):
        _require_no_columns(source, options.columns)
        tasks = stored_tasks(source) if source.is_dir() else _tasks(source)
        photos = _photos(source, tasks, inside)
    else:
        photos = read_rows(source, inside, options.columns)
    inside.log()
    table = tabulate(source, photos, folders=inside.folders(folders(base, options)))
    names = [str(photo) for photo in table.photos]
    return [replace(table, other_names=without_prefixes(names), columns=options.columns)]


def _require_no_columns(source: Path, columns: Columns) -> None:
    if named := [name for name in columns.options if name != "encoding"]:
        msg = f"expected rows of labels for `{named[0]}`, got tasks at {source}, with no columns"
        raise DataError(msg)


def _tasks(source: Path) -> list[Any]:
    what = "a list of tasks"
    if outline(source).top == "[":
        return read_json(source, list, what)
    if outline(source).lines or source.suffix.lower() in {".jsonl", ".ndjson"}:
        return [task for _, task in read_json_lines(source, "a task")]
    return [read_json(source, dict, what)]


def _photos(source: Path, tasks: Sequence[Any], inside: PhotosInside) -> list[PhotoLabels]:
    answers = dict(_answered(source, tasks))
    if not answers:
        msg = (
            f"{source}: expected tasks with annotations, got none among {len(tasks):,}; "
            "predictions become labels when somebody submits them"
        )
        raise DataError(msg)
    if left := len(tasks) - len(answers):
        logger.info("%s: %s left out, which nobody has annotated", source, amount(left, "task"))
    field = photo_field((tasks[number]["data"] for number in answers), str(source))
    return [
        PhotoLabels(
            task_photo(tasks[number]["data"].get(field), f"{source}: [{number}]", inside),
            labels - {NAMELESS},
            has_nameless=NAMELESS in labels,
        )
        for number, labels in _distinct(source, answers).items()
    ]


def _answered(source: Path, tasks: Sequence[Any]) -> Iterator[tuple[int, list[Answer]]]:
    """Yield the position and the answers of each task that somebody has annotated."""
    several = differing = 0
    for number, task in enumerate(tasks):
        where = f"{source}: [{number}]"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            msg = f"{where}: expected a task with 'data', got {str(task)[:80]!r}"
            raise DataError(msg)
        annotations = _list(task, "annotations" if "annotations" in task else "completions", where)
        counted = [one for one in annotations if not _is_cancelled(one)]
        counted = [one for one in counted if one.get("ground_truth") is True] or counted
        if not counted:
            continue
        each = [list(_answers(_list(one, "result", where), where)) for one in counted]
        several += len(each) > 1
        differing += any(_merged(answers) != _merged(each[0]) for answers in each)
        yield number, [answer for answers in each for answer in answers]
    if several:
        logger.warning(
            "%s: %s annotated several times, %d of them differently: labels are united",
            source,
            amount(several, "task"),
            differing,
        )


def _is_cancelled(annotation: Any) -> bool:  # noqa: ANN401 - plain-data border
    if not isinstance(annotation, dict):
        return True
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def _answers(results: Sequence[Any], where: str) -> Iterator[Answer]:
    """Yield the labels of results; those of a region may be in another result of the same id."""
    regions: set[str] = set()
    named: set[str] = set()
    for position, result in enumerate(results):
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict):
            labels = frozenset(labels_in(value, where))
            region = str(result.get("id", f"#{position}"))
            (named if labels else regions if GEOMETRY & value.keys() else set()).add(region)
            if labels:
                of_region = any(key.endswith("labels") for key in value)
                yield Answer(str(result.get("from_name", "")), labels, of_region)
    if regions - named:
        yield Answer(NAMELESS, frozenset({NAMELESS}), is_region=True)


def _merged(answers: Sequence[Answer]) -> set[tuple[str, str]]:
    """Return the labels given, with the control of those of the whole photo."""
    return {
        ("" if answer.is_region else answer.control, label)
        for answer in answers
        for label in answer.labels
    }


def _distinct(source: Path, answers: dict[int, list[Answer]]) -> dict[int, set[str]]:
    """Name labels of the whole photo that several controls give with their control."""
    controls: dict[str, set[str]] = defaultdict(set)
    for given in answers.values():
        for control, label in _merged(given):
            controls[label] |= {control} - {""}
    shared = set().union(*(names for names in controls.values() if len(names) > 1))
    if shared:
        listed = ", ".join(sorted(shared))
        logger.info("%s: %s offer the same labels, which are named with them", source, listed)
    return {
        number: {
            clean_name(f"{control}: {label}", str(source)) if control in shared else label
            for control, label in _merged(given)
        }
        for number, given in answers.items()
    }


def _list(entry: dict[str, Any], key: str, where: str) -> list[Any]:
    value = entry.get(key) or []
    if isinstance(value, list):
        return value
    msg = f"{where}.{key}: expected a list, got {str(value)[:80]!r}"
    raise DataError(msg)


FORMAT = Format(
    "label-studio",
    "an export of Label Studio: JSON, JSON_MIN or CSV; or the folder of its target storage",
    '[{"data": {"image": "/data/upload/1/0a1b2c3d-a.jpg"},\n'
    '  "annotations": [{"result": [{"from_name": "tags", "value": {"choices": ["dog"]}}]}]}]',
    recognises,
    read,
    certain=True,
    has_columns=True,
    is_text=True,
)
