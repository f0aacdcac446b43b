"""Safe reading of files from others: sizes are bounded, paths stay in the photos' folder."""

from __future__ import annotations

import os
import re
from heapq import nsmallest
from typing import TYPE_CHECKING

from tagsight.data.remote.places import is_remote
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, which a terminal would obey, lone surrogates, which no file can store, and
two noncharacters, which XML does not allow."""

INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Letters that show nothing, not even where words join: two names would look the same."""

PLAIN = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*")
"""Paths that `photo_name` and `photo_path` return as they are, as most are."""

_BEGINNING = re.compile(r"\A(?:file:)?(?:[A-Za-z]:)?/*(?:\.{1,2}/+)*")


LOOKED_INTO = 20
"""Files of a folder that are opened to find out whether it is of a format, the first by name."""


class NoFileError(DataError):
    """A folder, a device or nothing is where a file was expected."""


def require_file(path: Path, *, largest: int) -> Path:
    """Return a path if it is a regular, nonempty file of at most ``largest`` bytes.

    Raises:
        NoFileError: If it is no file.
        DataError: If it is empty or too large.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "labels.csv")
        ...     _ = file.write_text("image,labels")
        ...     require_file(file, largest=1000).name
        'labels.csv'
    """
    if not path.is_file():
        state = "a folder or device" if path.exists() else "nothing"
        msg = f"expected a file at {path}, got {state}"
        raise NoFileError(msg)
    size = path.stat().st_size
    if not size:
        msg = f"expected annotations in {path}, got an empty file"
        raise DataError(msg)
    if size > largest:
        msg = f"expected at most {largest:,} bytes in {path}, got {size:,}"
        raise DataError(msg)
    return path


def is_file(path: Path) -> bool:
    """Return whether a path is a file.

    Paths that cannot be examined count as no file: circular links, names that are too long, and
    entries of folders without permission.

    Example:
        >>> from pathlib import Path
        >>> is_file(Path("nowhere.jpg")), is_file(Path("a" * 1000))
        (False, False)
    """
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder, as a place of a URL may be.

    Paths that cannot be examined count as none.

    Example:
        >>> from pathlib import Path
        >>> is_folder(Path()), is_folder(Path("a" * 1000))
        (True, False)
    """
    try:
        return is_remote(path) or path.is_dir()
    except OSError:
        return False


def first_of(paths: Iterable[Path], most: int) -> list[Path]:
    """Return the first paths by name, in that order.

    What a folder of many files is taken for then does not depend on the order in which its disk
    lists them.

    Example:
        >>> from pathlib import Path
        >>> [path.name for path in first_of(map(Path, ("c", "a", "b")), 2)]
        ['a', 'b']
    """
    return nsmallest(most, paths, key=str)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, each folder by name, its own files first.

    Example:
        >>> from pathlib import Path
        >>> Path("a").mkdir()
        >>> for name in ("c", "a/d", "b"):
        ...     Path(name).touch()
        >>> [path.as_posix() for path in files_below(Path())]
        ['b', 'c', 'a/d']
    """
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (folder.joinpath(place, name) for name in sorted(names))


def files_that(fit: Callable[[Path], bool], files: Iterable[Path]) -> list[Path]:
    """Return all files that fit, by name, or none if the first `LOOKED_INTO` do not fit.

    A folder that may have a file for each of its photos is recognised without opening them all.

    Example:
        >>> from pathlib import Path
        >>> files = [Path(f"{name}.json") for name in ("c", "b", "a")]
        >>> [str(file) for file in files_that(lambda file: file.stem != "b", files)]
        ['a.json', 'c.json']
    """
    ordered = sorted(files)
    if not any(map(fit, ordered[:LOOKED_INTO])):
        return []
    return [file for file in ordered if fit(file)]


def photo_name(text: str, where: str) -> str:
    r"""Normalise a photo's path below the folder of the photos, with forward slashes.

    Args:
        text: The path as written in the file.
        where: File and place in it, for the error.

    Raises:
        DataError: If it is empty, absolute, leads out of the folder, or has control characters.

    Example:
        >>> photo_name(".\\2007\\a.jpg", "labels.csv:2")
        '2007/a.jpg'
    """
    name = text.strip().replace("\\", "/")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    leads_out = name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name)
    if not parts or leads_out:
        msg = f"{where}: expected a photo's path inside the folder of the photos, got {text!r}"
        raise DataError(msg)
    if FORBIDDEN.search(name):
        msg = (
            f"{where}: expected a photo's path without control characters, got {text!r}: rename "
            "the photo"
        )
        raise DataError(msg)
    return "/".join(parts)


def require_text(path: Path) -> None:
    r"""Require a path whose name files and databases can hold.

    Raises:
        DataError: If it has bytes that are not in UTF-8.

    Example:
        >>> from pathlib import Path
        >>> require_text(Path("caf\u00e9.jpg"))
        >>> require_text(Path("caf\udce9.jpg"))
        Traceback (most recent call last):
        tagsight.errors.DataError: expected a path in UTF-8, got other bytes: rename it
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        msg = "expected a path in UTF-8, got other bytes: rename it"
        raise DataError(msg) from None


def photo_path(text: str, where: str) -> str:
    r"""Normalise a photo's path as `photo_name` does, and make it relative if it is not.

    An absolute path, or one that begins outside, names a place on the machine of whoever wrote the
    labels. Without its beginning its end can be looked for in the folders of the photos
    (`tagsight.data.locating`), outside of which nothing is opened.

    Args:
        text: The path as written in the file.
        where: File and place in it, for the error.

    Raises:
        DataError: If it is empty, or leads out of a folder in the middle.

    Example:
        >>> photo_path("C:\\photos\\a.jpg", "labels.csv:2"), photo_path("../b.jpg", "labels.csv:3")
        ('photos/a.jpg', 'b.jpg')
    """
    return photo_name(_BEGINNING.sub("", text.strip().replace("\\", "/")), where)


def check_labels(names: Sequence[str]) -> Sequence[str]:
    """Return the labels of a model from others, if a label file could contain each of them.

    Raises:
        DataError: If one is empty or repeated, or has control characters or superfluous blanks.

    Example:
        >>> check_labels(["cat", "polar bear"])
        ['cat', 'polar bear']
    """
    seen: set[str] = set()
    for name in names:
        if not name or name != " ".join(name.split()) or FORBIDDEN.search(name):
            msg = (
                "expected labels without control characters and superfluous blanks, got "
                f"{name!r:.100}"
            )
            raise DataError(msg)
        if name in seen:
            msg = f"expected each of the labels once, got {name!r:.100} again"
            raise DataError(msg)
        seen.add(name)
    return names


def clean_name(text: str, where: str = "") -> str:
    """A label's name without surrounding or repeated white space, and without invisible letters.

    Args:
        text: What the file says.
        where: File and place in it, for the error.

    Raises:
        DataError: If it holds control characters, which a terminal would obey.

    Example:
        >>> clean_name("  polar   bear ")
        'polar bear'
    """
    name = " ".join(text.split())
    if not name.isascii():
        name = " ".join(name.translate(INVISIBLE).split())
    if FORBIDDEN.search(name):
        place = f"{where}: " if where else ""
        msg = f"{place}expected a label's name without control characters, got {name!r}"
        raise DataError(msg)
    return name
