"""The rank of this process among those that a launcher such as ``torchrun`` started.

Imports no torch, so that commands can use it before they import anything heavy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from tagsight.errors import DataError


@dataclass(frozen=True)
class Launch:
    """The rank of this process, and the number of processes.

    Attributes:
        rank: Counted from 0 over all machines; only process 0 writes and prints.
        count: Processes on all machines.
        local_rank: Counted from 0 on this machine; the index of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def launched() -> Launch:
    """Read the environment variables ``WORLD_SIZE``, ``RANK`` and ``LOCAL_RANK`` of a launcher.

    Raises:
        DataError: If there are several processes, and a number is missing or out of range.

    Example:
        >>> launched()  # not started by a launcher
        Launch(rank=0, count=1, local_rank=0)
    """
    count = _number("WORLD_SIZE", 1)
    if count == 1:
        return Launch()
    found = Launch(_number("RANK"), count, _number("LOCAL_RANK"))
    if not (0 <= found.rank < count and found.local_rank >= 0):
        msg = f"expected RANK from 0 to WORLD_SIZE - 1 = {count - 1}, got {found.rank}"
        raise DataError(msg)
    return found


def _number(name: str, otherwise: int | None = None) -> int:
    text = os.environ.get(name)
    if text is None and otherwise is not None:
        return otherwise
    if text is None or not text.isdecimal():
        msg = f"expected the launcher's number in the environment variable {name}, got {text!r}"
        raise DataError(msg)
    return int(text)
