"""Safe unpacking of tar and zip archives: inside a folder, within bounds."""

from __future__ import annotations

import errno
import shutil
import stat
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, cast

from tagsight.data.tar_headers import BoundedReads, require_few_shared
from tagsight.errors import DataError
from tagsight.runtime.files import naming

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_MEMBERS = 500_000
MOST_BYTES = 64 * 2**30
"""Bytes of all members of an archive, unpacked."""

_UNREADABLE = (EOFError, NotImplementedError, RuntimeError, tarfile.TarError, zipfile.BadZipFile)


def unpack(
    archive: Path, folder: Path, *, progress: Callable[[int, int | None], None] | None = None
) -> None:
    """Unpack files and folders of a tar or zip archive.

    Links, devices, absolute names and names that lead out of the folder are refused. Owners and
    permissions are ignored.

    Args:
        archive: The archive.
        folder: The target folder; no file in it is overwritten.
        progress: Called with the number of members done, and their total if it is known.

    Raises:
        DataError: If it is no archive, is damaged, exceeds `MOST_MEMBERS` or `MOST_BYTES`, or has
            a member that is refused.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     archive, folder = Path(name) / "photos.zip", Path(name) / "photos"
        ...     with zipfile.ZipFile(archive, "w") as opened:
        ...         opened.writestr("a/photo.jpg", b"12345")
        ...     unpack(archive, folder)
        ...     (folder / "a" / "photo.jpg").stat().st_size
        5
    """
    told = progress or (lambda _done, _total: None)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with naming(folder):
            if zipfile.is_zipfile(archive):
                _unpack_zip(archive, folder, told)
            else:
                _unpack_tar(archive, folder, told)
    except DataError:
        raise
    except FileExistsError as error:
        msg = f"{archive}: expected every file once, got {error.filename} more than once"
        raise DataError(msg) from error
    except (*_UNREADABLE, OSError, zlib.error) as error:
        # Damaged archives make the decoder seek before the beginning, which is EINVAL.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        msg = f"{archive}: expected a sound tar or zip archive, got: {error}"
        raise DataError(msg) from error


def _unpack_zip(archive: Path, folder: Path, progress: Callable[[int, int | None], None]) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _require_bounds(archive, len(members), sum(member.file_size for member in members))
        for done, member in enumerate(members, 1):
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                _refuse(archive, member.filename, "a link or device")
            target = _inside(archive, member.filename, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.is_dir():
                target.mkdir(exist_ok=True)
            else:
                with opened.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 2**20)
            progress(done, len(members))


def _unpack_tar(archive: Path, folder: Path, progress: Callable[[int, int | None], None]) -> None:
    size = 0
    with (
        archive.open("rb") as file,
        tarfile.open(fileobj=cast("IO[bytes]", BoundedReads(file, archive)), mode="r:") as opened,
    ):
        for done, member in enumerate(opened, 1):
            size += member.size
            _require_bounds(archive, done, size)
            require_few_shared(opened, archive)
            if not (member.isreg() or member.isdir()):
                _refuse(archive, member.name, "a link or device")
            target = _inside(archive, member.name, folder)
            if member.isreg() and target.exists():
                raise FileExistsError(None, "", member.name)
            opened.extract(member, folder, filter="data")
            opened.members = []  # type: ignore[attr-defined]  # or every header stays in memory
            progress(done, None)


def _inside(archive: Path, name: str, folder: Path) -> Path:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
        _refuse(archive, name, "a name that leads out of the folder")
    return folder.joinpath(*parts)


def _refuse(archive: Path, name: str, what: str) -> None:
    msg = f"{archive}: expected files and folders inside the archive, got {what}: {name!r}"
    raise DataError(msg)


def _require_bounds(archive: Path, members: int, size: int) -> None:
    if members > MOST_MEMBERS or size > MOST_BYTES:
        msg = (
            f"{archive}: expected at most {MOST_MEMBERS:,} members and {MOST_BYTES:,} bytes, "
            f"got {members:,} and {size:,}"
        )
        raise DataError(msg)
