"""Set of very many values of which only hashes are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

    from numpy.typing import NDArray


class Hashes:
    """Values seen by this process, as sorted hashes of eight bytes each.

    Rarely, a value is taken for another that was seen.

    Args:
        parts: Values that have been seen, in parts.

    Example:
        >>> seen = Hashes([["a", "b"], ["c"]])
        >>> seen.add(["d", "e"]), seen.add(["e", "f"])
        (False, True)
    """

    def __init__(self, parts: Iterable[Collection[Hashable]] = ()) -> None:
        self._sorted = np.sort(np.concatenate([_hashes([]), *map(_hashes, parts)]))

    def __contains__(self, value: Hashable) -> bool:
        return bool(self._has(_hashes([value])).any())

    def add(self, values: Collection[Hashable]) -> bool:
        """Add values, and return whether one of them had been seen."""
        hashes = _hashes(values)
        seen = bool(self._has(hashes).any())
        self._sorted = np.sort(np.concatenate([self._sorted, np.sort(hashes)]), kind="stable")
        return seen

    def _has(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        places = np.searchsorted(self._sorted, hashes)
        places[places == len(self._sorted)] = 0
        return self._sorted[places] == hashes if len(self._sorted) else np.zeros(len(hashes), bool)


def _hashes(values: Collection[Hashable]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, values), np.int64, len(values))
