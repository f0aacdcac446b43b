"""Collects skipped photos; logs the first 20."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tagsight.commands.output import FAILED, print_info, shown_source
from tagsight.runtime.escaping import csv_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

MOST_PRINTED = 20


class LeftOut:
    r"""Skipped photos and reasons.

    Args:
        table: CSV table to write all of them to, if any.

    Attributes:
        count: Number of skipped photos.

    Example:
        >>> import io
        >>> from pathlib import Path
        >>> table = io.StringIO()
        >>> left_out = LeftOut(table)
        >>> left_out.append(Path("a.jpg"), "a.jpg: cut off")
        >>> left_out.count, table.getvalue()
        (1, 'photo,problem\na.jpg,a.jpg: cut off\n')
    """

    def __init__(self, table: TextIO | None) -> None:
        self._table = table
        self._first: list[str] = []
        self.count = 0
        if self._table is not None:
            self._table.write(csv_line(["photo", "problem"]))

    def append(self, photo: Path, reason: str) -> None:
        """Add a photo, or a folder that cannot be searched."""
        self.count += 1
        if self.count <= MOST_PRINTED:
            self._first.append(reason)
        if self._table is not None:
            self._table.write(csv_line([photo, reason]))

    def print_first(self) -> None:
        """Print the first of them to standard error."""
        for reason in self._first:
            print_info(f"left out: {reason}")
        if (more := self.count - len(self._first)) > 0:
            print_info(f"left out: {more:,} more; --problems FILE lists them all")


@contextmanager
def listed(file: Path | None) -> Iterator[LeftOut]:
    r"""Collect skipped photos; the table appears when it is complete.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "problems.csv"
        ...     with listed(file) as left_out:
        ...         left_out.append(Path("a.jpg"), "a.jpg: cut off")
        ...         before = file.exists()
        ...     before, file.read_text()
        (False, 'photo,problem\na.jpg,a.jpg: cut off\n')
    """
    if file is None:
        yield LeftOut(None)
        return

    from tagsight.runtime.files import replacing

    with (
        replacing(file) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as table,
    ):
        yield LeftOut(table)


def no_photo_found(paths: Sequence[Path]) -> int:
    """Say that there is no photo at some paths, and return the exit code.

    Example:
        >>> from pathlib import Path
        >>> no_photo_found([Path("empty")])
        1
    """
    from tagsight.data.photos.archives import archive_in

    print_info(f"no photo found in {', '.join(map(shown_source, paths))}")
    if archive := next(filter(None, map(archive_in, paths)), None):
        print_info(f"{archive} is an archive: unpack it, and give the folder")
    return FAILED
