"""Tables of labels at URLs: a copy is read here, and its photos are looked for there."""

from __future__ import annotations

import functools
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tagsight.data.remote.fetching import local_file
from tagsight.data.remote.places import is_remote

if TYPE_CHECKING:
    from tagsight.data.format import Labelled


def table_at(source: Path) -> Path:
    """Return a path, or a copy of the file at its URL, in a folder with nothing else.

    Raises:
        DataError: If it cannot be fetched.
    """
    if not is_remote(source):
        return source
    file = local_file(source)
    copy = Path(_copies().name, file.stem, source.name)
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(file, copy)
    return copy


@functools.cache
def _copies() -> TemporaryDirectory[str]:
    """Create a folder that goes when this process ends."""
    return TemporaryDirectory(prefix="tagsight-", ignore_cleanup_errors=True)


def moved(part: Labelled, copy: Path, source: Path) -> Labelled:
    """Return what was read from a copy, as if it had been read at its URL."""
    if copy == source:
        return part
    here, there = copy.parent, source.parent
    folders = [
        there / folder.relative_to(here) if folder.is_relative_to(here) else folder
        for folder in part.folders
    ]
    return replace(part, source=source, folders=tuple(folders))
