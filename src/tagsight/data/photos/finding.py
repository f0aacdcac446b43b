"""Search for photos in files, folders and tars."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagsight.data.photos.hidden import is_hidden
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.photos.tar_members import SUFFIX as TAR
from tagsight.data.photos.tar_members import is_tar, members, tar_of
from tagsight.data.remote.fetching import files_below
from tagsight.data.remote.places import is_remote, place
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

OnProblem = Callable[[Path, str], object]
"""Called with a path that is skipped, and the reason."""


def find_photos(
    paths: Iterable[Path], *, on_problem: OnProblem | None = None, only_files: bool = False
) -> Iterator[Path]:
    """Find the photos in files, folders, tars and at URLs, in alphabetical order in each folder.

    A given file is yielded whatever its suffix; in folders and tars, files with a suffix of
    `PHOTO_SUFFIXES` are, unless they or their folders are hidden (`is_hidden`). In a given folder
    without any photo, those in its tars are found: they are shards. Each folder is entered once,
    so that circular links do no harm.

    Args:
        paths: Files, folders, tars, and URLs (see `place`).
        on_problem: Called with each path that cannot be examined, and the reason: broken or
            circular links, and files and folders without permission. The search continues. By
            default a warning is logged.
        only_files: Leave tars alone that are in folders, also in those without any photo.

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
    return _found(given, on_problem or _warn, only_files=only_files)


def _is_there(path: Path) -> bool:
    """Return whether a path exists, even if it cannot be examined."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _found(given: list[Path], on_problem: OnProblem, *, only_files: bool) -> Iterator[Path]:
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
            photos = _walk(path, _is_photo, entered, on_problem)
            yield from photos if only_files else _else_in_shards(photos, path)
        elif is_tar(path):
            yield from _in_tar(path)
        else:
            yield path


def _else_in_shards(photos: Iterator[Path], folder: Path) -> Iterator[Path]:
    """Yield the photos of a folder, or those in its tars if it has none."""
    if (first := next(photos, None)) is not None:
        yield first
        yield from photos
    elif next(_walk(folder, _is_photo, set(), _nothing), None) is None:  # not even one seen before
        for tar in _walk(folder, _is_tar, set(), _nothing):
            yield from _in_tar(tar)


def _in_tar(tar: Path) -> Iterator[Path]:
    yield from (tar / name for name in members(tar) if _is_photo(name))


def _is_photo(name: str) -> bool:
    return Path(name).suffix.lower() in PHOTO_SUFFIXES


def _is_tar(name: str) -> bool:
    return name.lower().endswith(TAR)


def _at_url(place: Path) -> Iterator[Path]:
    for file in files_below(place):
        below = file.relative_to(place).parts
        hides = any(map(is_hidden, below))
        if not below or (file.suffix.lower() in PHOTO_SUFFIXES and not hides):
            yield file


def _walk(
    folder: Path,
    is_wanted: Callable[[str], bool],
    entered: set[tuple[int, int]],
    on_problem: OnProblem,
) -> Iterator[Path]:
    """Yield the files below a folder whose names are wanted."""
    stack = [_listed(folder, is_wanted, entered, on_problem)]
    while stack:
        path, is_folder = next(stack[-1], (None, False))
        if path is None:
            stack.pop()
        elif is_folder:
            stack.append(_listed(path, is_wanted, entered, on_problem))
        else:
            yield path


def _listed(
    folder: Path,
    is_wanted: Callable[[str], bool],
    entered: set[tuple[int, int]],
    on_problem: OnProblem,
) -> Iterator[tuple[Path, bool]]:
    """Return the wanted files and the folders in a folder, and whether each is a folder.

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
                kind = None
                if not is_hidden(entry.name):
                    kind = _kind_of(entry, is_wanted, on_problem)
                if kind is not None:
                    names.append(entry.name)
                if kind == "folder":
                    folders.add(entry.name)
    except OSError as error:
        on_problem(folder, _unexamined(folder, error, "searched"))
    return ((folder / name, name in folders) for name in sorted(names))


def _kind_of(
    entry: os.DirEntry[str], is_wanted: Callable[[str], bool], on_problem: OnProblem
) -> Literal["file", "folder"] | None:
    try:
        if entry.is_dir():
            return "folder"
        if not entry.is_file():
            entry.stat()  # raises for a broken link, for which the calls above return False
        elif is_wanted(entry.name):
            return "file"
    except OSError as error:
        on_problem(Path(entry.path), _unexamined(entry.path, error))
    return None


def _unexamined(path: Path | str, error: OSError, what: str = "examined") -> str:
    return f"{path}: cannot be {what}: {error.strerror}"


def _warn(_: Path, reason: str) -> None:
    logger.warning(reason)


def _nothing(*_: object) -> None:
    pass
