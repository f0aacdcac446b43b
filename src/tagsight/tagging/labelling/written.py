"""Judgements written for other programs: CSV, sidecars, COCO, Label Studio."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args
from urllib.parse import quote

import numpy as np

from tagsight.data.tables.names import is_no_label, key_of
from tagsight.data.tables.row_flags import is_row_flag
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import write_atomically
from tagsight.runtime.threads import batched
from tagsight.tagging.labelling.errors import disk_problems
from tagsight.tagging.labelling.views import Written
from tagsight.tagging.sidecars.edit import Tag
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import XMP, Places
from tagsight.tagging.sidecars.writing import JudgementWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tagsight.tagging.labelling.labels import Label
    from tagsight.tagging.labelling.photos import Photo
    from tagsight.tagging.labelling.project import Project

PHOTO_OR_SPLIT = {"image", "split", "splitname"}
"""Names of columns, in letters and digits, that are those of the photo and of its split."""

WrittenFormat = Literal["csv", "sidecars", "coco", "label-studio"]

PART = 256
"""Photos whose sidecars are read before any of them is written."""

LABEL_CONTROL, IMAGE_OBJECT = "labels", "image"
"""Names of the control and of the object in Label Studio's labelling page."""


class _JudgedPhoto(NamedTuple):
    """A photo and what is said of it.

    Attributes:
        photo: The photo.
        said: 1 present or 0 absent, by id of the label.
    """

    photo: Photo
    said: Mapping[int, int]

    def present(self, labels: Sequence[Label]) -> list[str]:
        """Return the names of the labels that it has."""
        return [label.name for label in labels if self.said.get(label.id) == 1]


def write_labels(project: Project, written: WrittenFormat, journal: Path) -> Written:
    r"""Write the photos that somebody has judged.

    Args:
        project: The project; files are written into its folder, sidecars beside the photos.
        written: The format.
        journal: Records changes of sidecars, so that they can be undone.

    Raises:
        DataError: If nothing is judged, the format is unknown, or a file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.project import Project
        >>> with Project(Path("project"), Path()) as project:
        ...     photos = project.photos.note([("a.jpg", 1, 1), ("b.jpg", 1, 1)])
        ...     _ = project.judge(photos[:1], project.labels.make("dog").id, 1, "me")
        ...     written = write_labels(project, "csv", Path("journal.sqlite"))
        >>> Path(written.path).read_text()
        'image,dog\na.jpg,1\n'
    """
    photos, labels = _judged_photos(project), project.labels.shown
    if not photos:
        msg = f"expected photos that somebody has judged, got none in {project.folder}"
        raise DataError(msg)
    if written == "sidecars":
        return _write_sidecars(project, photos, labels, journal)
    if written not in _TEXTS:
        msg = f"expected a format of {list(get_args(WrittenFormat))!r}, got {written!r}"
        raise DataError(msg)
    name, text, remark = _TEXTS[written]
    file = project.folder / name
    written_text = text(photos, labels)
    with disk_problems(file):
        write_atomically(file, written_text)
    report = f"{amount(len(photos), 'photo')} in {file}; {remark}"
    return Written(str(file), len(photos), report)


def _judged_photos(project: Project) -> list[_JudgedPhoto]:
    """Return the photos that are there and that somebody has judged, in the order of their ids."""
    table, _ = project.targets()
    shown = [label.id - 1 for label in project.labels.shown]
    judged = np.flatnonzero((table[:, shown] >= 0).any(1)) + 1
    ids = np.intersect1d(project.photos.there(), judged).tolist()
    rows = zip(project.photos.rows(ids), project.judged(ids), strict=True)
    return [_JudgedPhoto(*row) for row in rows]


def _csv_text(photos: Sequence[_JudgedPhoto], labels: Sequence[Label]) -> str:
    r"""Write a column for each label: 1 present, 0 absent, empty where nobody has judged.

    Raises:
        DataError: If a column named like a label would be read as something else.

    Example:
        >>> from tagsight.tagging.labelling.labels import Label
        >>> from tagsight.tagging.labelling.photos import Photo
        >>> labels = [Label(1, "dog", "", None, False), Label(2, "sky", "", None, False)]
        >>> photo = Photo(1, "a.jpg", 8, 6, 0, 0, None)
        >>> _csv_text([_JudgedPhoto(photo, {2: 0})], labels)
        'image,dog,sky\na.jpg,,0\n'
    """
    for label in labels:
        is_read_otherwise = is_no_label(label.name) or is_row_flag(label.name)
        if key_of(label.name) in PHOTO_OR_SPLIT or is_read_otherwise:
            msg = (
                f"expected labels that columns of a table can be named after, got {label.name!r}, "
                "which is read as something else: rename the label, or write COCO"
            )
            raise DataError(msg)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", *(label.name for label in labels)])
    for photo, said in photos:
        writer.writerow([photo.path, *(said.get(label.id, "") for label in labels)])
    return file.getvalue()


def _coco_text(photos: Sequence[_JudgedPhoto], labels: Sequence[Label]) -> str:
    """Write COCO's images, categories and annotations, which have no boxes.

    As in LVIS, ``neg_category_ids`` of an image are the labels that it was judged not to have, so
    that what is in neither is unknown.
    """
    images = [
        {
            "id": one.photo.id,
            "file_name": one.photo.path,
            "width": one.photo.width,
            "height": one.photo.height,
            "neg_category_ids": [label for label, value in one.said.items() if value == 0],
        }
        for one in photos
    ]
    pairs = [(one.photo.id, label) for one in photos for label, v in one.said.items() if v == 1]
    shown = {label.id for label in labels}
    annotations = [
        {"id": number, "image_id": photo, "category_id": label}
        for number, (photo, label) in enumerate((p for p in pairs if p[1] in shown), 1)
    ]
    categories = [{"id": label.id, "name": label.name} for label in labels]
    return json.dumps({"images": images, "categories": categories, "annotations": annotations})


def _label_studio_text(photos: Sequence[_JudgedPhoto], labels: Sequence[Label]) -> str:
    """Write Label Studio's tasks, each with an annotation of choices.

    Photos are named as those of its local storage are, whose root is the folder of the photos.
    """
    tasks = [
        {
            "data": {IMAGE_OBJECT: f"/data/local-files/?d={quote(one.photo.path)}"},
            "annotations": [{"result": [_choices(present)] if present else []}],
        }
        for one in photos
        for present in [one.present(labels)]
    ]
    return json.dumps(tasks)


def _choices(names: list[str]) -> dict[str, object]:
    return {
        "from_name": LABEL_CONTROL,
        "to_name": IMAGE_OBJECT,
        "type": "choices",
        "value": {"choices": names},
    }


_TEXTS: dict[str, tuple[str, Callable[[Sequence[_JudgedPhoto], Sequence[Label]], str], str]] = {
    "csv": ("labels.csv", _csv_text, "1 is present, 0 absent, and an empty cell not judged"),
    "coco": (
        "coco.json",
        _coco_text,
        "what was judged absent is in neg_category_ids, which most programs ignore",
    ),
    "label-studio": (
        "label-studio.json",
        _label_studio_text,
        "the format cannot tell what is absent from what is not judged",
    ),
}
"""Name of the file, its text, and what a reader must know, by format."""


def _write_sidecars(
    project: Project, photos: Sequence[_JudgedPhoto], labels: Sequence[Label], journal: Path
) -> Written:
    folder = project.photos.folder
    changed = 0
    problems: list[str] = []
    with Journal(journal) as opened:
        writer = JudgementWriter(Places(XMP, None, [folder]), opened)
        writer.manner.check(label.name for label in labels)
        for part in batched(photos, PART):
            tagged = [
                (project.photos.path_of(one.photo), [Tag(name, 1.0) for name in names])
                for one in part
                if (names := one.present(labels))
            ]
            for outcome in writer.write(tagged):
                changed += bool(outcome.added)
                problems += [f"{outcome.photo}: {outcome.problem}"] if outcome.problem else []
    back = (
        "" if writer.run is None or not changed else f"; 'tagsight undo {writer.run}' takes it back"
    )
    left = f"; left as they were: {len(problems):,}, such as {problems[0]}" if problems else ""
    report = f"{amount(changed, 'sidecar')} changed{back}{left}"
    return Written(str(folder), changed, report)
