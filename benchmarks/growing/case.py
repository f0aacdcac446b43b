"""One case: what is drawn, at which sizes, and what it may take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Size = tuple[int, ...]
Work = Callable[[], object]


class Case(NamedTuple):
    """A case.

    Attributes:
        what: What is measured, with the unit of its sizes.
        draw: Draws the data of a size into a folder, and gives what is timed.
        sizes: From small to the target's; the first number of each is what time should grow with.
        seconds: Target of the largest size by the clock, with two processors to itself.
        gigabytes: Target of its peak memory, or None.
    """

    what: str
    draw: Callable[[Path, Size], Work]
    sizes: tuple[Size, ...]
    seconds: float | None = None
    gigabytes: float | None = None
