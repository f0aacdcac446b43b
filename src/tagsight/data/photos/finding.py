"""Search for photos in files, folders and tars."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.photos.tar_members import is_tar, members, tar_of
from tagsight.data.remote.fetching import files_below
from tagsight.data.remote.places import is_remote, place
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

OnProblem = Callable[[Path, str], object]
"""Called with a path that is skipped, and the reason."""


def find_photos(paths: Iterable[Path], *, on_problem: OnProblem | None = None) -> Iterator[Path]:
    """Find the photos in files, folders, tars and at URLs, in alphabetical order in each folder.

    A given file is yielded whatever its suffix; in folders and tars, files with a suffix of
    `PHOTO_SUFFIXES` are, except in hidden folders or with hidden names. Each folder is entered
    once, so that circular links do no harm.

    Args:
        paths: Files, folders, tars, and URLs (see `place`).
        on_problem: Called with each path that cannot be examined, and the reason: broken or
            circular links, and files and folders without permission. The search continues. By
            default a warning is logged.

    Raises:
        DataError: If a path does not exist, before anything is yielded, or a tar is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("b.JPG", "a.png", "notes.md", ".hidden.png"):
        ...         Path(folder, name).touch()
        ...     print([photo.name for photo in find_photos([Path(folder)])])
        ['a.png', 'b.JPG']
    """
    given = [place(path) for path in paths]
    for path in given:
        if not is_remote(path) and not _is_there(path) and tar_of(path) is None:
            msg = f"expected a photo or a folder of photos, got {path}, which does not exist"
            raise DataError(msg)
    return _found(given, on_problem or _warn)


def _is_there(path: Path) -> bool:
    """Return whether a path exists, even if it cannot be examined."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _found(given: list[Path], on_problem: OnProblem) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    for path in given:
        if is_remote(path):
            yield from _at_url(path)
            continue
        if tar_of(path) is not None:
            yield path
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            on_problem(path, _unexamined(path, error))
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(path, entered, on_problem)
        elif is_tar(path):
            names = (Path(name) for name in members(path))
            yield from (path / name for name in names if name.suffix.lower() in PHOTO_SUFFIXES)
        else:
            yield path


def _at_url(place: Path) -> Iterator[Path]:
    for file in files_below(place):
        below = file.relative_to(place).parts
        is_hidden = any(name.startswith(".") for name in below)
        if not below or (file.suffix.lower() in PHOTO_SUFFIXES and not is_hidden):
            yield file


def _walk(folder: Path, entered: set[tuple[int, int]], on_problem: OnProblem) -> Iterator[Path]:
    stack = [_listed(folder, entered, on_problem)]
    while stack:
        path, is_folder = next(stack[-1], (None, False))
        if path is None:
            stack.pop()
        elif is_folder:
            stack.append(_listed(path, entered, on_problem))
        else:
            yield path


def _listed(
    folder: Path, entered: set[tuple[int, int]], on_problem: OnProblem
) -> Iterator[tuple[Path, bool]]:
    """Return the photos and folders in a folder, and whether each is a folder.

    Only file names are kept in memory.
    """
    names: list[str] = []
    folders: set[str] = set()
    try:
        status = folder.stat()
        identity = status.st_dev, status.st_ino
        if identity in entered:
            return iter(())
        entered.add(identity)
        with os.scandir(folder) as listing:
            for entry in listing:
                kind = None if entry.name.startswith(".") else _kind_of(entry, on_problem)
                if kind is not None:
                    names.append(entry.name)
                if kind == "folder":
                    folders.add(entry.name)
    except OSError as error:
        on_problem(folder, _unexamined(folder, error, "searched"))
    return ((folder / name, name in folders) for name in sorted(names))


def _kind_of(entry: os.DirEntry[str], on_problem: OnProblem) -> Literal["photo", "folder"] | None:
    try:
        if entry.is_dir():
            return "folder"
        if not entry.is_file():
            entry.stat()  # raises for a broken link, for which the calls above return False
        elif Path(entry.name).suffix.lower() in PHOTO_SUFFIXES:
            return "photo"
    except OSError as error:
        on_problem(Path(entry.path), _unexamined(entry.path, error))
    return None


def _unexamined(path: Path | str, error: OSError, what: str = "examined") -> str:
    return f"{path}: cannot be {what}: {error.strerror}"


def _warn(_: Path, reason: str) -> None:
    logger.warning(reason)
