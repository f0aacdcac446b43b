"""Photos over which a process died: noted while they are decoded, and tried apart afterwards.

A decoder is a large C library, in which a broken photo may end the process, and then no line of
Python is left to say which. So each process notes on the disk what it is decoding at the moment,
in memory that the system writes whatever becomes of the process. Whoever meets such a photo after a
death tries it in a process of its own first: if that dies as well, the photo is refused as any
other that cannot be read; if not, something else was to blame, and the photo is decoded as usual.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tagsight.data.photos.tar_members import tar_of
from tagsight.data.remote.places import is_remote
from tagsight.errors import DataError
from tagsight.runtime.claims import Claim, claimed
from tagsight.runtime.files import default_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 64
"""Photos that a process decodes at the same time; of more, some are not noted."""

SIZE = 16
"""Bytes of a note: a digest of the photo's path, size and time."""

KEPT = 90 * 24 * 3600
"""Seconds for which a photo that nobody meets again is remembered."""

LONGEST = 120.0
"""Seconds in which a photo must be decoded when it is tried; `open_photo` bounds the work."""

NOTES, CLAIM, SUSPECT = ".photos", ".claim", ".suspect"


@contextmanager
def watched() -> Iterator[None]:
    """Note the photos that this process decodes during the block, and refuse those that are fatal.

    Where the cache cannot be written, photos are decoded as without it.

    Example:
        >>> from PIL import Image
        >>> from tagsight.data.photos.reading import open_photo
        >>> Image.new("RGB", (64, 48)).save("a.png")
        >>> with watched():
        ...     open_photo(Path("a.png")).size
        (64, 48)
    """
    _watch.begin()
    try:
        yield
    finally:
        _watch.end()


@contextmanager
def noted(photo: object, **options: int | None) -> Iterator[None]:
    """Note a photo while the block decodes it, if this process is `watched`.

    Args:
        photo: The photo; what is no path is not noted.
        options: Arguments of `open_photo` that decode it as the block does.

    Raises:
        DataError: If a process died over it, and so does another that decodes nothing else.

    Example:
        >>> with noted(Path("a.jpg"), least_side=448):
        ...     pass
    """
    notes = _watch.notes() if isinstance(photo, Path) else None
    if notes is None or not isinstance(photo, Path) or (key := _key(photo)) is None:
        yield
        return
    notes.require_harmless(key, photo, options)
    place = notes.begin(key)
    try:
        yield
    finally:
        notes.end(place)


class _Watch:
    """The notes of this process, from the first photo of a part that is watched."""

    def __init__(self) -> None:
        self._notes: _Notes | None = None
        self._is_tried = False  # whether the cache could be written, or could not
        self._parts = 0
        self._lock = Lock()

    def begin(self) -> None:
        with self._lock:
            self._parts += 1

    def notes(self) -> _Notes | None:
        """Return the notes, if this process is watched and the cache can be written."""
        if self._parts and not self._is_tried:
            with self._lock:
                if not self._is_tried:
                    with suppress(OSError, DataError):
                        self._notes = _Notes(default_cache() / "decoding")
                    self._is_tried = True
        return self._notes

    def end(self) -> None:
        with self._lock:
            self._parts -= 1
            if self._parts == 0:
                notes, self._notes, self._is_tried = self._notes, None, False
                if notes is not None:
                    notes.close()


_watch = _Watch()


class _Notes:
    """What this process is decoding, and the photos over which others died.

    Args:
        folder: The folder for the notes of all processes, and an empty file for each photo over
            which one may have died.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = secrets.token_hex(8)
        self._claim = Claim(folder / (self._name + CLAIM), "expected notes of this process")
        with (folder / (self._name + NOTES)).open("w+b") as file:
            file.truncate(PLACES * SIZE)
            self._memory = mmap.mmap(file.fileno(), PLACES * SIZE)
        self._free = deque(range(PLACES))
        self._fatal: dict[bytes, str] = {}
        _collect(folder, self._name)
        self._suspects = _suspects(folder)

    def begin(self, key: bytes) -> int | None:
        try:
            place = self._free.pop()
        except IndexError:
            return None
        self._memory[place * SIZE : (place + 1) * SIZE] = key
        return place

    def end(self, place: int | None) -> None:
        if place is not None:
            self._memory[place * SIZE : (place + 1) * SIZE] = bytes(SIZE)
            self._free.append(place)

    def require_harmless(self, key: bytes, photo: Path, options: dict[str, int | None]) -> None:
        if key not in self._suspects:
            return
        if key not in self._fatal:
            death = _death(photo, options)
            if death is None:
                self._suspects.discard(key)
                (self._folder / (key.hex() + SUSPECT)).unlink(missing_ok=True)
                return
            self._fatal[key] = death
        msg = (
            "expected a photo that no process dies of, got one that a process which was decoding "
            f"it died of, and so did another that decoded nothing else ({self._fatal[key]}): save "
            "it in another format, or take it out"
        )
        raise DataError(msg)

    def close(self) -> None:
        """Delete the notes, of which none are left."""
        self._memory.close()
        (self._folder / (self._name + NOTES)).unlink(missing_ok=True)
        self._claim.delete()


def _collect(folder: Path, own: str) -> None:
    """Make suspects of the photos that processes were decoding which have died since."""
    for notes in folder.glob("*" + NOTES):
        if notes.stem == own:
            continue
        claim = notes.with_suffix(CLAIM)
        with suppress(OSError, DataError), claimed(claim, "expected notes of a process that died"):
            content = notes.read_bytes()[: PLACES * SIZE]
            for start in range(0, len(content), SIZE):
                key = content[start : start + SIZE]
                if any(key):
                    (folder / (key.hex() + SUSPECT)).touch()
            notes.unlink()


def _suspects(folder: Path) -> set[bytes]:
    oldest, found = time.time() - KEPT, set()
    for file in folder.glob("*" + SUSPECT):
        with suppress(OSError, ValueError):
            if file.stat().st_mtime < oldest:
                file.unlink()
            else:
                found.add(bytes.fromhex(file.stem))
    return found


def _key(photo: Path) -> bytes | None:
    """Digest path, size and time of a photo, or of the tar that it is in; None if it is missing."""
    state: tuple[int, ...] = ()
    if not is_remote(photo):
        try:
            inside = tar_of(photo)
            status = (photo if inside is None else inside[0]).stat()
        except OSError:
            return None
        state = status.st_size, status.st_mtime_ns
    return blake2b(os.fsencode(photo.absolute()) + repr(state).encode(), digest_size=SIZE).digest()


def _death(photo: Path, options: dict[str, int | None]) -> str | None:
    """Decode a photo in a process of its own, and return how that died; None if it did not."""
    request = {"path": os.fspath(photo.absolute()), **options}
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tagsight.data.photos.trial"],
            input=json.dumps(request).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST:.0f} seconds"
    except OSError:  # no Python to start
        return None
    code = done.returncode
    if 0 <= code < 256:  # Windows has larger numbers for what Unix has signals for
        return None
    return signal.Signals(-code).name if code < 0 else f"exit code {code:#x}"
