"""Prodigy: JSON lines of answered questions about photos."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, read_json_lines, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.photos.inside import PhotosInside, photo_inside
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

ANSWERS = ("accept", "reject", "ignore")
HASHES = frozenset({"_input_hash", "_task_hash"})
"""Keys that Prodigy gives to each task."""

SUGGESTED = frozenset({"image", "classification"})
"""Views that show what a program suggests, so that the rest of a photo remains unknown."""

WHAT = "an object with 'answer' and 'image' or 'path'"


@dataclass
class _Said:
    """Answers to the tasks of a photo: all of its labels, or whether it has some of them."""

    all_present: set[str] | None = None
    asked: dict[str, set[bool]] = field(default_factory=lambda: defaultdict(set))

    def labels(self, photo: str, names: set[str]) -> PhotoLabels:
        """Return what is known; a label with different answers, or that nobody asked, is not."""
        yes = {name for name, answers in self.asked.items() if answers == {True}}
        no = {name for name, answers in self.asked.items() if answers == {False}}
        if self.all_present is None:
            return PhotoLabels(photo, yes, names - yes - no, absent=no)
        present = (self.all_present | yes) - no
        unsure = (self.all_present & no) | (self.asked.keys() - yes - no)
        return PhotoLabels(photo, present - unsure, unsure, absent=no - unsure)


def recognises(source: Path) -> bool:
    r"""Return whether a file begins with an answered task of Prodigy about a photo.

    Example:
        >>> from pathlib import Path
        >>> task = '{"image": "a.jpg", "_task_hash": 7, "label": "dog", "answer": "accept"}'
        >>> _ = Path("tasks.jsonl").write_text(f"{task}\n")
        >>> recognises(Path("tasks.jsonl"))
        True
    """
    _, keys, _ = outline(source)
    return bool(HASHES & keys.keys()) and "answer" in keys and bool({"image", "path"} & keys.keys())


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read choices, labels of regions, and answers to questions about one label.

    A photo has the choices and the labels of regions of the tasks that were accepted, and no other.
    Where a task asks for one label, accepting says that the photo has it, and rejecting that it has
    not; other labels are then unknown. Other tasks that were rejected, and those that were ignored,
    say nothing; a photo that has only such tasks is left out.

    Args:
        source: The file, of JSON lines or a list.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If a task cannot be understood, or no photo has an answer.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> task = '{"image": "%s", "_task_hash": 7, "label": "dog", "answer": "%s"}\n'
        >>> _ = Path("tasks.jsonl").write_text(
        ...     task % ("a.jpg", "accept") + task % ("b.jpg", "reject")
        ... )
        >>> (found,) = read(Path("tasks.jsonl"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('dog',), [[1], [0]])
    """
    if outline(source).top == "[":
        tasks = list(enumerate(read_json(source, list, "a list of tasks"), 1))
    else:
        tasks = list(read_json_lines(source, WHAT))
    inside = PhotosInside(source, write=options.write_photos)
    said: dict[str, _Said] = {}
    left: Counter[str] = Counter()
    for line, task in tasks:
        where = f"{source}:{line}"
        answer = _answer(task, where)
        is_question = isinstance(task.get("label"), str) and not {"options", "spans"} & task.keys()
        if answer == "ignore" or (answer == "reject" and not is_question):
            left[answer] += 1
            continue
        one = said.setdefault(_photo(task, where, inside), _Said())
        labels = {clean_name(task["label"], where)} if is_question else _labels(task, where)
        if is_question or task.get("_view_id") in SUGGESTED:
            for label in labels:
                one.asked[label].add(answer == "accept")
        else:
            one.all_present = labels | (one.all_present or set())
    if not said:
        msg = f"{source}: expected tasks that were accepted, got {amount(len(tasks), 'task')}"
        raise DataError(f"{msg} that were rejected or ignored")
    for answer, count in left.items():
        tasks_left = amount(count, "task")
        logger.info("%s: %s left out that were answered by %s", source, tasks_left, answer)
    inside.log()
    names = set().union(*(one.asked for one in said.values()))
    names |= set().union(*(one.all_present or () for one in said.values()))
    photos = [one.labels(photo, names) for photo, one in said.items()]
    folders = inside.folders(options.folders_around(source.parent))
    return [tabulate(source, photos, folders=folders)]


def _answer(task: Any, where: str) -> str:  # noqa: ANN401 - plain-data border
    answer = task.get("answer") if isinstance(task, dict) else None
    if answer not in ANSWERS:
        msg = f"{where}: expected an answer among {', '.join(ANSWERS)}, got {shortened(answer)}"
        raise DataError(msg)
    return str(answer)


def _photo(task: dict[str, Any], where: str, inside: PhotosInside) -> str:
    """Return the path of a photo, or the name of the file that it was written to."""
    meta = task.get("meta")
    file = meta.get("file") if isinstance(meta, dict) else None
    for named in (task.get("path"), file, task.get("image")):
        if isinstance(named, str) and named and not named.startswith("data:"):
            return photo_path(named.partition("?")[0] if "://" in named else named, where)
    if (held := photo_inside(task.get("image"), where)) is not None:
        return inside.add(held, where)
    msg = f"{where}: expected {WHAT}, got {shortened(task)}"
    raise DataError(msg)


def _labels(task: dict[str, Any], where: str) -> set[str]:
    """Return the choices, the labels of regions, and the label, of an accepted task."""
    options = {
        str(one.get("id")): one for one in task.get("options") or [] if isinstance(one, dict)
    }
    chosen = task.get("accept") or []
    chosen = [str(one) for one in (chosen if isinstance(chosen, list) else [chosen])]
    names = [_option(options.get(one, {}), one) for one in chosen]
    names += [
        span["label"]
        for span in task.get("spans") or []
        if isinstance(span, dict) and isinstance(span.get("label"), str)
    ]
    return {clean_name(name, where) for name in names} - {""}


def _option(option: dict[str, Any], chosen: str) -> str:
    """Return the name of a choice: what it is called by, or its text if that is a number."""
    text = option.get("text")
    return text if isinstance(text, str) and text and chosen.lstrip("-").isdecimal() else chosen


FORMAT = Format(
    "prodigy",
    "JSON lines of Prodigy: choices, labels of regions, or a question about one label",
    '{"image": "a.jpg", "_task_hash": 7, "options": [{"id": "dog"}, {"id": "sky"}],\n'
    ' "accept": ["dog"], "answer": "accept"}',
    recognises,
    read,
)
