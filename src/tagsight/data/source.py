"""Safe reading of files from others: sizes are bounded, paths stay in the photos' folder."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, which a terminal would obey, lone surrogates, which no file can store, and
two noncharacters, which XML does not allow."""


def require_file(path: Path, *, largest: int) -> Path:
    """Return a path if it is a regular, nonempty file of at most ``largest`` bytes.

    Raises:
        DataError: If it is not.
    """
    if not path.is_file():
        state = "a folder or device" if path.exists() else "nothing"
        msg = f"expected a file at {path}, got {state}"
        raise DataError(msg)
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
    """
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; paths that cannot be examined count as none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def photo_name(text: str, where: str) -> str:
    r"""Normalise a photo's path below the folder of the photos, with forward slashes.

    Args:
        text: The path as written in the file.
        where: File and place in it, for the error.

    Raises:
        DataError: If it is empty, absolute, or leads out of the folder.

    Example:
        >>> photo_name(".\\2007\\a.jpg", "labels.csv:2")
        '2007/a.jpg'
    """
    name = text.strip().replace("\\", "/")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    leads_out = name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name)
    if not parts or leads_out or FORBIDDEN.search(name):
        msg = f"{where}: expected a photo's path inside the folder of the photos, got {text!r}"
        raise DataError(msg)
    return "/".join(parts)


def check_labels(names: Sequence[str]) -> Sequence[str]:
    """Return the labels of a model from others, if a label file could contain each of them.

    Raises:
        DataError: If one is empty or repeated, or has control characters or superfluous blanks.
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


def photo_folder(
    names: Sequence[str],
    candidates: Iterable[Path],
    *,
    source: Path | str,
    labels_only: bool = False,
) -> Path:
    """Find the folder of a source's photos.

    Args:
        names: Every photo's path below that folder.
        candidates: Folders to try, the likeliest first.
        source: The label file or folder, for the error.
        labels_only: Return the likeliest folder if none of the photos exists.

    Raises:
        DataError: If none of the photos is in any of the folders, and they are needed.
    """
    folders = list(candidates)
    folder = find_folder(names, folders)
    if folder is not None:
        return folder
    if labels_only:
        return folders[0]
    tried = " nor in ".join(str(folder) for folder in folders)
    msg = (
        f"expected the photos of {source}, found none of {len(names):,}: {names[0]!r} is not in "
        f"{tried}; give their folder as `images`"
    )
    raise DataError(msg)


def find_folder(names: Sequence[str], candidates: Iterable[Path]) -> Path | None:
    """Return the folder with most of the first 20 photos, else the first with any, else None."""
    folders = [folder for folder in candidates if folder.is_dir()]
    found = [sum(is_file(folder / name) for name in names[:20]) for folder in folders]
    if any(found):
        return folders[found.index(max(found))]
    for folder in folders:
        if any(is_file(folder / name) for name in islice(names, 20, None)):
            return folder
    return None
