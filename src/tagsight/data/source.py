"""Files that other people wrote: bounded, and never a way out of the photos' folder."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, which a terminal would obey, halves of characters, which no file has, and two
that are none, which XML does not have."""


def require_file(path: Path, *, largest: int) -> Path:
    """The path, if it is a regular file of a sensible size.

    Args:
        path: Any path.
        largest: Bytes.

    Raises:
        DataError: If it is no file, is empty, or is too large.
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
    """Whether a path is a file; what cannot be examined is none.

    Such are links in a circle, names that are too long, and what lies in a folder that one may not
    enter.
    """
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; what cannot be examined is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def photo_name(text: str, where: str) -> str:
    """A photo's path below the folder of the photos, with forward slashes.

    Args:
        text: What the file says.
        where: File and place in it, for the error.

    Raises:
        DataError: If it is empty, absolute, or leads out of the folder.
    """
    name = text.strip().replace("\\", "/")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    leads_out = name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name)
    if not parts or leads_out or FORBIDDEN.search(name):
        msg = f"{where}: expected a photo's path inside the folder of the photos, got {text!r}"
        raise DataError(msg)
    return "/".join(parts)


def check_labels(names: Sequence[str]) -> Sequence[str]:
    """The labels of a model of others, if each is a name that a label file could have given.

    Raises:
        DataError: If one is empty, comes twice, or has control characters or superfluous blanks.
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
    """The folder in which a source's photos lie.

    Args:
        names: Every photo's path below that folder.
        candidates: Where they may lie, the likeliest first.
        source: The label file or folder, for the error.
        labels_only: Give the likeliest folder if none of the photos exists.

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
    """The folder that has the most of the first photos, or else the first that has any, or None."""
    folders = [folder for folder in candidates if folder.is_dir()]
    found = [sum(is_file(folder / name) for name in names[:20]) for folder in folders]
    if any(found):
        return folders[found.index(max(found))]
    for folder in folders:
        if any(is_file(folder / name) for name in islice(names, 20, None)):
            return folder
    return None
