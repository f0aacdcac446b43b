"""Projects of ``tagsight label``: judgements of people, photo by photo and label by label."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.photos.check import Check
from tagsight.data.photos.traits import Look, PhotoTraits
from tagsight.data.source import clean_name, is_file, photo_name
from tagsight.data.splits.near_twins import near_twins
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.format import ReadOptions

DATABASE = "project.sqlite"
"""The file in a project's folder that holds photos, labels and judgements."""

APPLICATION = 0x7461_6773
"""SQLite's ``application_id`` of such a file."""

LONGEST_READING = 300.0
"""Seconds after which the reading of a project is given up, which may be made to take forever."""

_HEADER = b"SQLite format 3\0"
_ID_PLACE = slice(68, 72)
_LOOK = np.dtype([("gradients", "<u8"), ("colour", "u1", 3)])

_JUDGED = """
SELECT j.photo, j.label, j.value FROM judgements j
JOIN (SELECT max(id) AS id FROM judgements GROUP BY photo, label) latest ON j.id = latest.id
WHERE j.value IS NOT NULL
"""


class ProjectPhoto(NamedTuple):
    """A photo of a project.

    Attributes:
        name: Path below the folder of the photos, with forward slashes.
        content: Hash of the content, or None if it has not been read yet.
        look: Fingerprint of its look, or None.
    """

    name: str
    content: bytes | None
    look: Look | None


def recognises(source: Path) -> bool:
    """Return whether a folder is a project.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.project import Project
        >>> with Project(Path("project"), Path()):
        ...     recognises(Path("project"))
        True
    """
    file = source / DATABASE
    if not is_file(file):
        return False
    with file.open("rb") as handle:
        head = handle.read(_ID_PLACE.stop)
    return head.startswith(_HEADER) and head[_ID_PLACE] == APPLICATION.to_bytes(4, "big")


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the photos that somebody has judged; what nobody has judged is unknown.

    Near twins are a group, which stays on one side of a split.

    Args:
        source: The project's folder.
        options: Folder of the photos; by default the one that the project was made for.

    Raises:
        DataError: If it is not a sound project, or nothing has been judged.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.tagging.labelling.project import Project
        >>> with Project(Path("project"), Path()) as project:
        ...     photos = project.photos.note([("a.jpg", 1, 1), ("b.jpg", 1, 1), ("c.jpg", 1, 1)])
        ...     dog = project.labels.make("dog").id
        ...     judged = [project.judge([photos[place]], dog, place, "me") for place in (0, 1)]
        >>> (found,) = read(Path("project"), DEFAULTS)
        >>> found.photos, found.targets.tolist()
        (('a.jpg', 'b.jpg'), [[0], [1]])
    """
    try:
        with closing(_opened(source / DATABASE)) as database:
            return [_read(source, database, options.images)]
    except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        msg = f"{source / DATABASE}: expected a project of 'tagsight label', got: {error}"
        raise DataError(msg) from error


def _opened(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    end = time.monotonic() + LONGEST_READING
    database.set_progress_handler(lambda: time.monotonic() > end, 1_000_000)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _read(source: Path, database: sqlite3.Connection, images: Path | None) -> Labelled:
    judged = database.execute(_JUDGED).fetchall()
    photos, labels = _photos(source, database), _labels(source, database)
    judged = [one for one in judged if one[0] in photos and one[1] in labels]
    if not judged:
        msg = f"{source}: expected photos that somebody has judged, got none"
        raise DataError(msg)
    rows = {photo: row for row, photo in enumerate(sorted({photo for photo, _, _ in judged}))}
    used = sorted({label for _, label, _ in judged}, key=labels.__getitem__)
    columns = {label: column for column, label in enumerate(used)}
    targets = target_table(len(rows), len(used), value=-1, source=source)
    table = targets.numpy()
    for photo, label, value in judged:
        if value not in (0, 1):
            msg = f"{source / DATABASE}: expected judgements 1 and 0, got {value!r}"
            raise DataError(msg)
        table[rows[photo], columns[label]] = value
    shown = [photos[photo] for photo in rows]
    return Labelled(
        source=source,
        names=tuple(labels[label] for label in used),
        photos=tuple(photo.name for photo in shown),
        targets=targets,
        folders=_folders(source, database, images),
        groups=tuple(shown[first].name for first in twin_groups(shown)),
    )


def _folders(source: Path, database: sqlite3.Connection, images: Path | None) -> tuple[Path, ...]:
    if images is not None:
        return (images,)
    ((noted,),) = database.execute("SELECT value FROM settings WHERE name = 'photos'")
    folder = Path(noted)  # if the project was moved, its photos may lie beside it as before
    return folder.absolute(), source.parent / folder.name


def _photos(source: Path, database: sqlite3.Connection) -> dict[int, ProjectPhoto]:
    query = (
        "SELECT id, path, content, look FROM photos WHERE NOT gone AND problem IS NULL "
        "AND id IN (SELECT photo FROM judgements)"
    )
    where = str(source / DATABASE)
    return {
        number: ProjectPhoto(photo_name(path, where), content, unpacked_look(look))
        for number, path, content, look in database.execute(query)
    }


def _labels(source: Path, database: sqlite3.Connection) -> dict[int, str]:
    rows = database.execute("SELECT id, name FROM labels WHERE NOT hidden")
    return {number: clean_name(name, str(source)) for number, name in rows}


def packed_look(look: Look | None) -> bytes | None:
    """Write a fingerprint as eleven bytes.

    Example:
        >>> unpacked_look(packed_look(Look(7, (1, 2, 3))))
        Look(gradients=7, colour=(1, 2, 3))
    """
    return None if look is None else np.array(tuple(look), _LOOK).tobytes()


def unpacked_look(content: bytes | None) -> Look | None:
    """Read what `packed_look` has written; None for anything else.

    Example:
        >>> look = Look(gradients=2**63, colour=(100, 12, 0))
        >>> unpacked_look(packed_look(look)) == look, unpacked_look(b"damaged")
        (True, None)
    """
    if content is None or len(content) != _LOOK.itemsize:
        return None
    gradients, colour = np.frombuffer(content, _LOOK)[0].tolist()
    red, green, blue = np.asarray(colour).tolist()
    return Look(gradients, (red, green, blue))


def twin_groups(photos: Sequence[ProjectPhoto]) -> list[int]:
    """Find the first photo of each photo's group: near twins, and copies, are a group.

    Example:
        >>> look = Look(7, (1, 2, 3))
        >>> photos = [ProjectPhoto(name, name.encode(), look) for name in "ab"]
        >>> twin_groups([*photos, ProjectPhoto("c", None, None)])
        [0, 0, 2]
    """
    paths = [Path(photo.name) for photo in photos]
    hashes = [photo.content or photo.name.encode() for photo in photos]
    traits = {path: PhotoTraits((0, 0), one.look) for path, one in zip(paths, photos, strict=True)}
    twins = near_twins(Check((), dict(zip(paths, hashes, strict=True)), traits))
    alike = {path: group[0] for group in twins for path in group}
    first: dict[Path | bytes, int] = {}
    return [
        first.setdefault(alike.get(path, content), place)
        for place, (path, content) in enumerate(zip(paths, hashes, strict=True))
    ]


FORMAT = Format(
    "label-project",
    "a project of 'tagsight label': the judgements of people",
    "project.sqlite",
    recognises,
    read,
    (DATABASE,),
    certain=True,
)
