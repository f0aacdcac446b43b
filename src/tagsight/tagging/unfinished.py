"""Lines of a run that has not ended, kept beside their file, so that the same run goes on.

The folder ``.NAME.unfinished`` has the lines so far, and a record of each photo: its path, size and
time, and length and checksum of its line, or why it was left out. The next run that would write the
same lines keeps the longest beginning in which records, lines and photos agree. So it does not
matter how much of either file a kill or a power cut took away, nor whether photos came or changed
since: what follows is the same as if nothing had been there.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import zlib
from collections import deque
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from tagsight.data.photos.tar_members import tar_of
from tagsight.data.remote.places import is_remote
from tagsight.runtime.claims import Claim
from tagsight.runtime.files import naming, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

LINES, RECORDS, CLAIM = "lines", "photos.jsonl", "in-use.sqlite"

LONGEST = 2**20
"""Bytes of a record."""


class Done(NamedTuple):
    """A photo that an earlier run has done.

    Attributes:
        path: The photo.
        problem: Why it was left out, or None if it has a line.
    """

    path: Path
    problem: str | None


class PhotoState(NamedTuple):
    """A photo as it is, by which a later run knows whether it has changed.

    Attributes:
        path: The photo.
        state: Size and time of the file, or of the tar that it is in; None if there is none here.
    """

    path: str
    state: list[int] | None


def state_of(photo: Path) -> PhotoState:
    """Return the state of a photo.

    Example:
        >>> _ = Path("a.jpg").write_bytes(b"...")
        >>> state_of(Path("a.jpg")).state[0], state_of(Path("b.jpg"))
        (3, PhotoState(path='b.jpg', state=None))
    """
    if is_remote(photo):
        return PhotoState(str(photo), None)
    inside = tar_of(photo)
    try:
        status = (photo if inside is None else inside[0]).stat()
    except OSError:  # it is told when it is opened
        return PhotoState(str(photo), None)
    return PhotoState(str(photo), [status.st_size, status.st_mtime_ns])


class LineWriter(Protocol):
    """Writes what comes of photos, in their order."""

    interrupted: bool
    """Whether the run ends before all photos are done."""

    def rest(self, photos: Iterable[Path], on_done: Callable[[Done], object]) -> Iterator[Path]:
        """Yield the photos that are to be done, after telling those that are done."""

    def add(self, line: str) -> None:
        """Write the line of the next photo."""

    def leave_out(self, problem: str) -> None:
        """Note why the next photo has no line."""


@contextmanager
def written_lines(
    out: Path | TextIO, origin: Sequence[object], header: str, footer: str, *, step: int
) -> Iterator[LineWriter]:
    """Yield a writer of lines; a file gets its name when the block has ended.

    After an error, a kill or an interruption what is done is kept beside the file, and the same
    call goes on. An interruption gives the file the lines so far as well.

    Args:
        out: The file, or a stream, of which nothing is kept.
        origin: Everything that decides the lines but the photos, as values for JSON.
        header: Text before the first line.
        footer: Text after the last one.
        step: Photos that are recognised together. A run goes on after a multiple of them, as the
            last digits of scores depend on it.

    Raises:
        DataError: If another process writes to the same file.

    Example:
        >>> photos, done = [Path("a.jpg"), Path("b.jpg")], []
        >>> def write(photos, problems):
        ...     with written_lines(Path("tags.txt"), ["model"], "", "end", step=1) as writer:
        ...         for photo in writer.rest(photos, done.append):
        ...             if photo.name in problems:
        ...                 raise OSError("the drive is gone")
        ...             writer.add(f"{photo.name}, ")
        >>> try:
        ...     write(photos, problems=["b.jpg"])
        ... except OSError:
        ...     write(photos, problems=[])
        >>> done, Path("tags.txt").read_text()
        ([Done(path=PosixPath('a.jpg'), problem=None)], 'a.jpg, b.jpg, end')
    """
    if not isinstance(out, Path):
        writer = _StreamLines(out)
        writer.add(header)
        yield writer
        writer.add(footer)
        return
    folder = out.with_name(f".{out.name}.unfinished")
    refusal = (
        f"expected one run at a time to write {out}, got another that has not ended: wait for it, "
        "or choose another `out`"
    )
    with naming(out, folder), _claimed_folder(folder, out, refusal):
        lines = _UnfinishedLines(folder, origin, header, step)
        try:
            yield lines
            lines.put_in_place(out, footer)
        finally:
            lines.close()
            if lines.is_over:
                lines.delete()


@contextmanager
def _claimed_folder(folder: Path, out: Path, refusal: str) -> Iterator[None]:
    """Hold a folder, which is made if it does not exist, and deleted if it is empty at the end."""
    claim = None
    try:
        while claim is None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                if isinstance(error, FileExistsError) and not _is_other_than_folder(folder):
                    continue  # `mkdir` looks twice, and another run deleted the folder in between
                raise OSError(error.errno, error.strerror, str(out)) from error
            with suppress(FileNotFoundError):  # another run has just deleted the folder
                claim = Claim(folder / CLAIM, refusal)
        yield
    finally:
        if claim is not None:
            claim.delete()
        with suppress(OSError):  # it has lines, or is another run's
            folder.rmdir()


def _is_other_than_folder(path: Path) -> bool:
    """Tell whether something that is no folder has a name, by one look."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()  # to what does not exist


class _StreamLines:
    def __init__(self, out: TextIO) -> None:
        self.interrupted = False
        self._out, self._encoding = out, out.encoding or "utf-8"

    def rest(self, photos: Iterable[Path], on_done: Callable[[Done], object]) -> Iterator[Path]:
        del on_done
        return iter(photos)

    def add(self, line: str) -> None:
        self._out.write(line.encode(self._encoding, "backslashreplace").decode(self._encoding))
        self._out.flush()

    def leave_out(self, problem: str) -> None:
        del problem


class _UnfinishedLines:
    def __init__(self, folder: Path, origin: Sequence[object], header: str, step: int) -> None:
        self.interrupted = False
        self._paths = folder / LINES, folder / RECORDS
        self._header, self._origin = header.encode(), json.dumps(origin).encode() + b"\n"
        self._step = step
        self._pending: deque[PhotoState] = deque()  # that are being recognised
        self._files: tuple[FileIO, FileIO] | None = None
        self._end = 0  # of the last line that has a record
        self._in_place = False

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to go on from."""
        _, records = self._paths
        has_records = records.exists() and records.stat().st_size > len(self._origin)
        return self._in_place or not has_records

    def rest(self, photos: Iterable[Path], on_done: Callable[[Done], object]) -> Iterator[Path]:
        remaining = iter(photos)
        for path in self._paths:
            path.touch()
        with self._paths[0].open("rb") as lines, self._paths[1].open("rb") as records:
            earlier = _Earlier(lines, records, self._header, self._origin)
            while len(group := list(islice(remaining, self._step))) == self._step:
                done = earlier.confirmed(group)
                if done is None:
                    break
                for one in done:
                    on_done(one)
        self._open(*earlier.kept)
        for photo in chain(group, remaining):
            self._pending.append(state_of(photo))
            yield photo

    def add(self, line: str) -> None:
        content = line.encode("utf-8", "backslashreplace")
        self._write(content, None)

    def leave_out(self, problem: str) -> None:
        self._write(b"", problem)

    def put_in_place(self, out: Path, footer: str) -> None:
        if self._files is None:  # interrupted before it was known how much is done
            return
        with replacing(out) as temporary:
            if self.interrupted:
                _copy(self._paths[0], temporary, self._end)
            else:
                self._paths[0].replace(temporary)
            with temporary.open("ab") as file:
                file.write(footer.encode())
        self._in_place = not self.interrupted

    def close(self) -> None:
        for file in self._files or ():
            file.close()

    def delete(self) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _open(self, lines_end: int, records_end: int) -> None:
        """Open the files to write after what is kept of them."""
        for path, end in zip(self._paths, (lines_end, records_end), strict=True):
            os.truncate(path, end)
        lines, records = (FileIO(path, "ab") for path in self._paths)
        self._files, self._end = (lines, records), lines_end
        if records_end == 0:
            _write_all(lines, self._header)
            _write_all(records, self._origin)
            self._end = len(self._header)

    def _write(self, line: bytes, problem: str | None) -> None:
        """Write a line and its record, each in one call, so that Ctrl-C falls between them."""
        assert self._files is not None
        lines, records = self._files
        photo = self._pending.popleft()
        _write_all(lines, line)
        record = [*photo, len(line), zlib.crc32(line), problem]
        _write_all(records, json.dumps(record).encode() + b"\n")
        self._end += len(line)


class _Earlier:
    """What an earlier run has left, as far as it agrees with itself and with the photos.

    Attributes:
        kept: Bytes of the lines and of the records that agree.
    """

    def __init__(self, lines: IO[bytes], records: IO[bytes], header: bytes, origin: bytes) -> None:
        self._lines, self._records = lines, records
        same = records.read(len(origin)) == origin and lines.read(len(header)) == header
        self.kept = (len(header), len(origin)) if same else (0, 0)

    def confirmed(self, photos: Sequence[Path]) -> list[Done] | None:
        """Return what was done of the next photos, if it was done of all of them."""
        if self.kept == (0, 0):
            return None
        done = [self._confirmed(photo) for photo in photos]
        found = [one for one in done if one is not None]
        if len(found) < len(done):
            return None
        self.kept = self._lines.tell(), self._records.tell()
        return found

    def _confirmed(self, photo: Path) -> Done | None:
        try:
            path, state, length, checksum, problem = json.loads(self._records.readline(LONGEST))
            line = self._lines.read(length)
            is_same = (path, state) == state_of(photo) and zlib.crc32(line) == checksum
        except (ValueError, TypeError):  # cut off, or written by somebody else
            return None
        is_whole = len(line) == length and isinstance(problem, str | None)
        return Done(photo, problem) if is_same and is_whole else None


def _write_all(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _copy(source: Path, target: Path, size: int) -> None:
    with source.open("rb") as lines, target.open("wb") as file:
        shutil.copyfileobj(lines, file)
        file.truncate(size)
