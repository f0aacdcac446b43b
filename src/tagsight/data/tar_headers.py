"""Headers of tar files from strangers, read within bounds."""

from __future__ import annotations

import tarfile
from typing import IO, TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_HEADER = 2**20
"""Bytes of the headers of one member of a tar, such as a long name."""

MOST_SHARED = 100
"""Global headers of a tar, which `tarfile` copies into every member."""


class BoundedReads:
    """Wrap an open tar so that no header is read that claims an excessive length.

    Contents are read in far smaller pieces.

    Args:
        file: The open tar.
        name: Its path, for the error.

    Example:
        >>> import io
        >>> from pathlib import Path
        >>> BoundedReads(io.BytesIO(b"12345"), Path("photos.tar")).read(3)
        b'123'
    """

    def __init__(self, file: IO[bytes], name: Path) -> None:
        self.name = name
        self.seek = file.seek
        self.tell = file.tell
        self._file = file

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes.

        Raises:
            DataError: If ``size`` exceeds `LARGEST_HEADER`.
        """
        if size > LARGEST_HEADER:
            msg = f"{self.name}: expected headers of at most {LARGEST_HEADER:,} bytes, got {size:,}"
            raise DataError(msg)
        return self._file.read(size)


def require_few_shared(opened: tarfile.TarFile, archive: Path) -> None:
    """Refuse a tar with many global headers, as each member would hold a copy of them.

    Raises:
        DataError: If there are more than `MOST_SHARED`.

    Example:
        >>> import io
        >>> from pathlib import Path
        >>> with tarfile.open(mode="w", fileobj=io.BytesIO()) as opened:
        ...     require_few_shared(opened, Path("photos.tar"))
    """
    if len(opened.pax_headers) > MOST_SHARED:
        msg = f"{archive}: expected at most {MOST_SHARED} headers for all members, got more"
        raise DataError(msg)
