"""Drafts: the new contents of many files, which take their places once they are on the disk."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from tagsight.runtime.files import NEW, draft_of, permissions, sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

WAITING = 4
"""Threads that wait for the disk at the same time."""


class Draft:
    """A file whose new content is on the disk, under another name.

    Args:
        path: The file.
        temporary: The other name, in the same folder.
        mode: Permissions to give it; None if it has those of a new file already.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with drafts([(Path(folder) / "notes.txt", b"done")], "0123abcd") as (draft,):
        ...         draft.put_in_place()
        ...     draft.path.read_bytes()
        b'done'
    """

    def __init__(self, path: Path, temporary: Path, mode: int | None) -> None:
        self.path = path
        self.temporary = temporary
        self.mode = mode
        self.in_place = False

    def put_in_place(self) -> None:
        """Give the new content the name of the file.

        Raises:
            OSError: If that is impossible; the file is then as it was.
        """
        if self.mode is not None:
            self.temporary.chmod(self.mode)
        self.temporary.replace(self.path)
        self.in_place = True


@contextmanager
def drafts(contents: Sequence[tuple[Path, bytes]], ending: str) -> Iterator[list[Draft | OSError]]:
    """Write the new contents of many files under other names, and wait for the disk once.

    Writing begins before anybody waits, and the waits overlap, so that the file system can write
    them together. At the end of the block drafts that were not put in place are deleted, and the
    new names of the others are on the disk.

    Args:
        contents: Files and their contents; folders are created.
        ending: Eight hexadecimal digits of the names of drafts, by which `remove_drafts` finds them
            after a kill. No other process has the same.

    Yields:
        For each file its draft, or the reason why there is none.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     files = [Path(folder) / name for name in ("a.txt", "b.txt")]
        ...     with drafts([(file, b"done") for file in files], "0123abcd") as (first, second):
        ...         first.put_in_place()
        ...     [file.exists() for file in files]
        [True, False]
    """
    written: list[Draft | OSError] = []
    try:
        folders: set[Path] = set()
        for path, content in contents:
            written.append(_written_draft(path, content, ending, folders))
        with ThreadPoolExecutor(WAITING) as pool:
            # One task a thread, as a task of its own costs more than many a wait.
            parts = [range(start, len(written), WAITING) for start in range(WAITING)]
            for synced in pool.map(partial(_synced_drafts, written), parts):
                for place, draft in synced.items():
                    written[place] = draft
        yield written
        # Until a folder is written, a power cut takes the new names of its files back.
        for folder in {d.path.parent for d in written if isinstance(d, Draft) and d.in_place}:
            with suppress(OSError):  # some network file systems cannot
                sync(folder)
    finally:
        for draft in written:
            if isinstance(draft, Draft) and not draft.in_place:
                draft.temporary.unlink(missing_ok=True)


def remove_drafts(files: Iterable[Path], ending: str) -> None:
    """Delete drafts of files that a process was writing when it was killed.

    Args:
        files: The files, not their drafts.
        ending: The digits of the names of its drafts. Those of other processes stay.

    Example:
        >>> from pathlib import Path
        >>> _ = Path(".notes.txt.0123abcd~").write_text("not whole")
        >>> remove_drafts([Path("notes.txt")], "0123abcd")
        >>> Path(".notes.txt.0123abcd~").exists()
        False
    """
    for file in files:
        with suppress(OSError):  # mostly, there is none
            draft_of(file, ending).unlink()


def _written_draft(path: Path, content: bytes, ending: str, folders: set[Path]) -> Draft | OSError:
    """Write a draft; ``folders`` are those that exist, to which its folder is added."""
    folder = path.parent
    temporary = draft_of(path, ending)
    try:
        if folder not in folders:
            folder.mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        mode = permissions(path)
        # Until it is in place, nobody else may read what may be private.
        handle = os.open(temporary, NEW, 0o666 if mode is None else 0o600)
    except OSError as error:
        return error
    try:
        with os.fdopen(handle, "wb", buffering=0):
            _write(handle, content)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return error
    return Draft(path, temporary, mode)


def _write(handle: int, content: bytes) -> None:
    """Write all of a content, and let the system begin to write it to the disk, if it can."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]
    if sys.platform == "linux":
        # That pages are no longer needed makes Linux write those that are not on the disk.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _synced_draft(draft: Draft | OSError) -> Draft | OSError:
    if isinstance(draft, OSError):
        return draft
    try:
        sync(draft.temporary)
    except OSError as error:
        draft.temporary.unlink(missing_ok=True)
        return error
    return draft


def _synced_drafts(
    written: Sequence[Draft | OSError], places: Iterable[int]
) -> dict[int, Draft | OSError]:
    return {place: _synced_draft(written[place]) for place in places}
