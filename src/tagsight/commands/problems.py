"""Photos that a command leaves out: all of them in a table, the first of them told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tagsight.commands.output import print_info
from tagsight.runtime.escaping import csv_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

MOST_TOLD = 20


class LeftOut:
    """Photos that are left out, and why.

    Args:
        table: Where all of them are written, if anywhere.

    Attributes:
        count: How many there are.
    """

    def __init__(self, table: TextIO | None) -> None:
        self._table = table
        self._first: list[str] = []
        self.count = 0
        if self._table is not None:
            self._table.write(csv_line(["photo", "problem"]))

    def append(self, photo: Path, reason: str) -> None:
        """Add a photo, or what cannot be searched for any."""
        self.count += 1
        if self.count <= MOST_TOLD:
            self._first.append(reason)
        if self._table is not None:
            self._table.write(csv_line([photo, reason]))

    def tell(self) -> None:
        """Name the first of them on standard error."""
        for reason in self._first:
            print_info(f"left out: {reason}")
        if (more := self.count - len(self._first)) > 0:
            print_info(f"left out: {more:,} more; --problems FILE lists them all")


@contextmanager
def listed(file: Path | None) -> Iterator[LeftOut]:
    """Collect photos that are left out, for a file that appears when it is complete."""
    if file is None:
        yield LeftOut(None)
        return

    from tagsight.runtime.files import replacing

    with (
        replacing(file) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as table,
    ):
        yield LeftOut(table)
