"""Parts common to all exports of Label Studio: labels in values, and photos of tasks."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from tagsight.data.photos.inside import photo_inside
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.format import ReadOptions
    from tagsight.data.photos.inside import PhotosInside

PREFERRED = ("image", "img", "photo", "picture", "url")
PREFIX = re.compile(r"[0-9a-f]{8}-(?=[^/]+$)")
"""What Label Studio puts before the name of an upload."""

_UPLOAD = re.compile(r"^data/upload/(?:\d+/)?")
_BY_QUERY = re.compile(r"/data/local-files/\?d=|/resolve/\?fileuri=")


def labels_in(value: Mapping[str, object], where: str) -> set[str]:
    """Return the labels in the value of a result: choices, paths of a taxonomy, a region's labels.

    Raises:
        DataError: If one is not text.

    Example:
        >>> value = {"x": 10.5, "rectanglelabels": ["dog"], "taxonomy": [["animal", "cat"]]}
        >>> sorted(labels_in(value, "tasks.json"))
        ['animal/cat', 'dog']
    """
    found: set[str] = set()
    for key, content in value.items():
        if key in {"choices", "taxonomy"} or key.endswith("labels"):
            listed = content if isinstance(content, list) else [content]
            found |= {_label(label, f"{where}.{key}") for label in listed}
    return found - {""}


def _label(label: object, where: str) -> str:
    levels = label if isinstance(label, list) else [label]
    names = [clean_name(level, where) for level in levels if isinstance(level, str)]
    if len(names) < len(levels):
        msg = f"{where}: expected labels as text, got {str(label)[:80]!r}"
        raise DataError(msg)
    return "/".join(names)


def photo_field(tasks: Iterable[Mapping[str, object]], where: str) -> str:
    """Return the field of the tasks that holds their photos.

    Raises:
        DataError: If no field, or more than one, looks like it.

    Example:
        >>> photo_field([{"title": "My dog", "photo": "/data/upload/1/a.jpg"}], "project.json")
        'photo'
    """
    fields = {key for task in tasks for key, value in task.items() if _is_photo(value)}
    for field in PREFERRED:
        if field in fields:
            return field
    if len(fields) == 1:
        return fields.pop()
    shown = ", ".join(sorted(fields)[:5]) or "none"
    msg = f"{where}: expected one photo a task, such as in the field 'image', got {shown}"
    raise DataError(msg)


def _is_photo(value: object) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith(("/data/", "data:image/")) or _BY_QUERY.search(value):
        return True
    path = urlsplit(value).path if "://" in value[:20] else value
    return path.lower().endswith(tuple(PHOTO_SUFFIXES))


def task_photo(value: object, where: str, inside: PhotosInside) -> str:
    """Return the path of a task's photo below a folder of photos.

    Args:
        value: The photo's path or URL, or the photo itself (``data:``).
        where: File and place in it, for errors.
        inside: Takes a photo that is in the task.

    Raises:
        DataError: If it is none of these.

    Example:
        >>> from tagsight.data.photos.inside import PhotosInside
        >>> inside = PhotosInside("tasks.json", write=False)
        >>> task_photo("/data/local-files/?d=holiday/a%20b.jpg", "tasks.json", inside)
        'holiday/a b.jpg'
        >>> task_photo("https://example.org/photos/a.jpg?size=2", "tasks.json", inside)
        'photos/a.jpg'
    """
    if not isinstance(value, str):
        msg = f"{where}: expected a photo's path or URL, got {str(value)[:80]!r}"
        raise DataError(msg)
    if held := photo_inside(value, where):
        return inside.add(held, where)
    text = value
    if "://" in value[:20] or value.startswith(("/data/local-files/", "/tasks/")):
        parts = urlsplit(value)
        query = parse_qs(parts.query)
        text = unquote(parts.path)
        if "d" in query and "local-files" in text:
            text = query["d"][0]
        elif "fileuri" in query:
            text = urlsplit(_decoded(query["fileuri"][0], where)).path
    return _UPLOAD.sub("", photo_path(text, where))


def _decoded(text: str, where: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        msg = f"{where}: expected a file's address in Base64, got {text[:80]!r}"
        raise DataError(msg) from error


def without_prefixes(photos: Sequence[str]) -> tuple[str, ...]:
    """Return names of uploads as they were before Label Studio put something before them.

    Example:
        >>> without_prefixes(["0f3a9c1b-a.jpg", "b.jpg"])
        ('a.jpg', 'b.jpg')
    """
    return tuple(PREFIX.sub("", photo) for photo in photos)


def folders(file: Path, options: ReadOptions) -> list[Path]:
    """Return the folders that may hold the photos, the likeliest first.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> [folder.as_posix() for folder in folders(Path("export/project.json"), DEFAULTS)]
        ['export', 'export/images', 'export/photos', 'export/img', 'export/JPEGImages']
    """
    own = options.label_studio_files
    found = [own, own / "media" / "upload", own / "upload"] if own else []
    return [*found, *options.folders_around(file.parent)]
