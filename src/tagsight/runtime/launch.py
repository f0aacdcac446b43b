"""Whether this process is one of several that a launcher such as ``torchrun`` started."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tagsight.errors import DataError


@dataclass(frozen=True)
class Launch:
    """Which of the processes of one command this is.

    Attributes:
        rank: From 0 over all machines; the first process alone writes and prints.
        count: Processes over all machines.
        local_rank: From 0 on this machine: its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def launched() -> Launch:
    """Read what the launcher says: ``WORLD_SIZE``, ``RANK`` and ``LOCAL_RANK``, as torchrun sets.

    Raises:
        DataError: If there are several processes, and a number is missing or out of its range.
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
