"""A table to fill in: a row for each photo of a folder, and columns for labels."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from tagsight.data.photos.finding import find_photos
from tagsight.data.source import FORBIDDEN, clean_name
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_line
from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)


def write_template(folder: Path, file: Path, labels: Sequence[str] = ()) -> int:
    r"""Write a CSV table of the photos in a folder, without labels.

    Args:
        folder: A folder of photos, searched with its folders.
        file: The table, which must not exist; photos are named relative to its folder.
        labels: Labels that get a column each; without any there is one column ``labels``.

    Returns:
        The number of photos; those with control characters in their names are left out.

    Raises:
        DataError: If the table exists, a label is empty or repeated, or there are no photos.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as place:
        ...     Path(place, "a.jpg").touch()
        ...     count = write_template(Path(place), Path(place, "labels.csv"), ["dog", "sky"])
        ...     Path(place, "labels.csv").read_text()
        'image,dog,sky\na.jpg,,\n'
    """
    names = [clean_name(label) for label in labels]
    if "" in names or len(set(names)) < len(names):
        msg = f"expected different labels with names for the template, got {names!r}"
        raise DataError(msg)
    if not folder.is_dir():
        msg = f"expected a folder of photos for a template, got {folder}"
        raise DataError(msg)
    base = file.absolute().parent
    there = find_photos([folder], only_files=True)
    found = [os.path.relpath(photo.absolute(), base) for photo in there]
    photos = [photo for photo in found if not FORBIDDEN.search(photo)]
    if odd := next((photo for photo in found if FORBIDDEN.search(photo)), None):
        logger.warning(
            "%s: %s left out, whose names no table can hold, such as %r: rename them",
            *(folder, amount(len(found) - len(photos), "photo"), odd),
        )
    if not photos:
        msg = f"expected photos in {folder}, got none"
        raise DataError(msg)
    if file.exists():
        msg = f"expected a new file for the template, got {file}, which exists"
        raise DataError(msg)
    columns = names or ["labels"]
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as table:
        table.write(csv_line(["image", *columns]))
        for photo in photos:
            table.write(csv_line([photo.replace(os.sep, "/"), *("" for _ in columns)]))
    return len(photos)
