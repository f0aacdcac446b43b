"""Random access to members of tar files: an index of their headers, and nothing is extracted.

The path of a member is that of its tar and its own name below it, ``train-000.tar/000001.jpg``.
"""

from __future__ import annotations

import tarfile
from threading import Lock
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from tagsight.data.source import is_file, photo_name, require_file
from tagsight.data.tar_headers import LARGEST_HEADER, BoundedReads, require_few_shared
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".tar"
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MOST_MEMBERS = 2_000_000
LARGEST_TAR = 2**42
LARGEST_MEMBER = 2**30
"""Bytes of a member, which is read into memory."""

_COMPRESSION = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd"}


class Span(NamedTuple):
    """Position of a member in its tar, in bytes."""

    offset: int
    size: int


class _Index(NamedTuple):
    state: tuple[int, int]
    members: Mapping[str, Span]


_indices: dict[Path, _Index] = {}
_lock = Lock()


def is_tar(path: Path) -> bool:
    """Return whether a path is a file that is named as a tar.

    Example:
        >>> from pathlib import Path
        >>> with tarfile.open("photos.tar", "w"):
        ...     pass
        >>> is_tar(Path("photos.tar")), is_tar(Path("photos.zip"))
        (True, False)
    """
    return path.suffix.lower() == SUFFIX and is_file(path)


def members(tar: Path) -> Mapping[str, Span]:
    """Index the files in a tar, in their order; the index is kept until the tar changes.

    Args:
        tar: The file, not compressed.

    Returns:
        Position of each member by its name, with forward slashes and without a leading ``./``.

    Raises:
        DataError: If the tar is damaged, or has links, devices, sparse files, repeated names, names
            that lead out of it, or more than `MOST_MEMBERS`.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.jpg").write_bytes(b"...")
        >>> with tarfile.open("shard.tar", "w") as tar:
        ...     tar.add("a.jpg")
        >>> members(Path("shard.tar"))
        {'a.jpg': Span(offset=1536, size=3)}
    """
    state = _state(tar)
    known = _indices.get(tar)
    if known is None or known.state != state:
        with _lock:
            known = _indices.get(tar)
            if known is None or known.state != state:
                known = _indices[tar] = _Index(state, _indexed(tar))
    return known.members


def tar_of(path: Path) -> tuple[Path, str] | None:
    """Split a path into its tar and the name within, or return None for an ordinary path.

    Example:
        >>> from pathlib import Path
        >>> with tarfile.open("shard.tar", "w"):
        ...     pass
        >>> tar, name = tar_of(Path("shard.tar/more/a.jpg"))
        >>> str(tar), name, tar_of(Path("more/a.jpg"))
        ('shard.tar', 'more/a.jpg', None)
    """
    if SUFFIX not in str(path).lower():
        return None
    for parent in path.parents:
        if parent in _indices or is_tar(parent):
            return parent, path.relative_to(parent).as_posix()
    return None


def read_member(tar: Path, name: str) -> bytes:
    """Read one member; safe to call from any thread.

    Raises:
        DataError: If there is no such member, it is too large, or the tar is truncated.
        OSError: If the tar cannot be read.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.jpg").write_bytes(b"...")
        >>> with tarfile.open("shard.tar", "w") as tar:
        ...     tar.add("a.jpg")
        >>> read_member(Path("shard.tar"), "a.jpg")
        b'...'
    """
    span = members(tar).get(name)
    if span is None:
        msg = f"does not exist in {tar.name}"
        raise DataError(msg)
    with tar.open("rb") as file:
        return read_span(file, span)


def read_span(file: IO[bytes], span: Span) -> bytes:
    """Read a member of an open tar.

    Raises:
        DataError: If it is too large, or the tar is truncated.

    Example:
        >>> from io import BytesIO
        >>> read_span(BytesIO(b"head...tail"), Span(offset=4, size=3))
        b'...'
    """
    if span.size > LARGEST_MEMBER:
        msg = f"expected at most {LARGEST_MEMBER:,} bytes, got {span.size:,}"
        raise DataError(msg)
    file.seek(span.offset)
    content = file.read(span.size)
    if len(content) < span.size:
        msg = f"expected {span.size:,} bytes in the tar, got {len(content):,}"
        raise DataError(msg)
    return content


def _state(tar: Path) -> tuple[int, int]:
    status = tar.stat()
    return status.st_size, status.st_mtime_ns


class _Headers(BoundedReads):
    """Wrap an open tar of which only headers are read; each member may have `LARGEST_HEADER`."""

    def __init__(self, file: IO[bytes], tar: Path) -> None:
        super().__init__(file, tar)
        self._left = LARGEST_HEADER

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes.

        Raises:
            DataError: If these, or all since the last member, exceed `LARGEST_HEADER`.
        """
        self._left -= size
        return super().read(max(size, LARGEST_HEADER - self._left) if self._left < 0 else size)

    def start_member(self) -> None:
        """Reset the count for the next member."""
        self._left = LARGEST_HEADER


def _indexed(tar: Path) -> dict[str, Span]:
    size = require_file(tar, largest=LARGEST_TAR).stat().st_size
    found: dict[str, Span] = {}
    try:
        with tar.open("rb") as file:
            _require_uncompressed(file.read(2), tar)
            file.seek(0)
            headers = _Headers(file, tar)
            with tarfile.open(fileobj=cast("IO[bytes]", headers), mode="r:") as opened:
                for number, member in enumerate(opened, 1):
                    headers.start_member()
                    require_few_shared(opened, tar)
                    _require_plain(member, number, tar)
                    opened.members = []  # type: ignore[attr-defined]  # or all stay in memory
                    if member.isreg():
                        _add(found, member, tar, size)
                file.seek(opened.offset)
                _require_end(file.read(LARGEST_HEADER), tar)
    # Extension headers are read recursively, so that a long chain of them exhausts the stack.
    except (tarfile.TarError, EOFError, RecursionError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        msg = f"{tar}: expected a sound tar, got: {error}"
        raise DataError(msg) from error
    return found


def _require_uncompressed(start: bytes, tar: Path) -> None:
    if kind := _COMPRESSION.get(start):
        msg = (
            f"{tar}: expected a tar that is not compressed, got {kind}, which can only be read "
            "from its beginning; uncompress it, which hardly makes photos larger"
        )
        raise DataError(msg)


def _require_end(rest: bytes, tar: Path) -> None:
    """Require the end mark: `tarfile` stops at a damaged header as it does at the end."""
    if not rest or any(rest):
        msg = (
            f"{tar}: expected a sound tar, got a damaged header or no mark at its end: was it "
            "copied as a whole?"
        )
        raise DataError(msg)


def _require_plain(member: tarfile.TarInfo, number: int, tar: Path) -> None:
    if number > MOST_MEMBERS:
        msg = f"{tar}: expected at most {MOST_MEMBERS:,} members, got more; write smaller shards"
        raise DataError(msg)
    if member.issparse() or not (member.isreg() or member.isdir()):
        kind = "a sparse file" if member.issparse() else "a link or device"
        msg = f"{tar}: expected files and folders, got {kind}: {member.name!r}"
        raise DataError(msg)


def _add(found: dict[str, Span], member: tarfile.TarInfo, tar: Path, size: int) -> None:
    name = photo_name(member.name, str(tar))
    end = member.offset_data + member.size
    if member.size < 0 or end > size:
        msg = f"{tar}: expected {name!r} to lie within the file, got one of another size"
        raise DataError(msg)
    if name in found:
        msg = f"{tar}: expected every file once, got {name!r} twice"
        raise DataError(msg)
    found[name] = Span(member.offset_data, member.size)
