"""Lists of photos: a path in each line of a file, or of what another program writes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from typing import BinaryIO

LARGEST = 2**30
"""Bytes of a list."""

_CONTROL = re.compile(rb"[\x01-\x08\x0b-\x1f]")
"""Characters that files other than lists have, apart from tabs and ends of lines."""

LONGEST = 2**15
"""Bytes of a path; no file system has longer ones."""


def read_path_list(file: BinaryIO, name: str) -> list[Path]:
    r"""Read paths that are separated by ends of lines, or by null bytes if there are any.

    Empty lines are passed over. A path may have any bytes but control characters.

    Args:
        file: The list, open for reading.
        name: What messages call it.

    Raises:
        DataError: If it is too large, or a line is no path.

    Example:
        >>> from io import BytesIO
        >>> [path.name for path in read_path_list(BytesIO(b"a b.jpg\r\n\nc.jpg\n"), "list.txt")]
        ['a b.jpg', 'c.jpg']
        >>> [path.name for path in read_path_list(BytesIO(b"a\nb.jpg\0c.jpg\0"), "find -print0")]
        ['a\nb.jpg', 'c.jpg']
    """
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        msg = f"{name}: expected at most {LARGEST:,} bytes of paths, got more: divide the list"
        raise DataError(msg)
    if b"\0" in content:
        lines = content.split(b"\0")
    else:
        lines = [
            line.removesuffix(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        ]
    for number, line in enumerate(lines, 1):
        if _CONTROL.search(line):
            msg = f"{name}: line {number}: expected the path of a photo, got {ascii(line[:20])[1:]}"
            raise DataError(f"{msg}: a list is text, and no photo itself")
        if len(line) > LONGEST:
            msg = f"{name}: line {number}: expected the path of a photo, got "
            raise DataError(msg + amount(len(line), "byte"))
    return [Path(os.fsdecode(line)) for line in lines if line]
