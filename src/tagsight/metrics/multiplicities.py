"""Multiplicities of photos in many samples, packed so that one addition serves eight samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Totals = NDArray[np.int32] | NDArray[np.float64]

SAMPLES_AT_ONCE = 256
"""Samples that are summed together; their counts of a photo are a few lines of the cache."""

LONGEST_RUN = 64

LARGEST_TOTAL = 2**27
"""Sums below it are integers of 32 bits, which also hold ten times as much."""

WORD = np.dtype(np.uint64)


class Multiplicities:
    """Multiplicities of ``N`` photos in some samples.

    Narrow counts lie side by side in words of 64 bits. Adding words adds all their counts, as long
    as none overflows, so that photos are summed in short runs, and then the runs.

    Args:
        counts: ``(N, R)`` int, at least 0.

    Example:
        >>> drawn = Multiplicities(np.array([[1, 0], [2, 1], [0, 3]]))
        >>> drawn.running_sums(np.array([2, 0, 1]), np.array([1, 3]))(slice(2)).tolist()
        [[0, 3], [3, 4]]
    """

    def __init__(self, counts: NDArray[np.integer]) -> None:
        photos, self.samples = counts.shape
        most = max(int(counts.max(initial=0)), 1)
        size = next(size for size in (1, 2, 4, 8) if 2 ** (8 * size) > 2 * most)
        kind = np.dtype(f"u{size}")
        self._longest = min((2 ** (8 * size) - 1) // most, LONGEST_RUN)
        lanes = WORD.itemsize // size
        # The last row stands for no photo, and fills runs up.
        packed = np.zeros((photos + 1, -(-self.samples // lanes) * lanes), kind)
        packed[:-1, : self.samples] = counts
        self._words, self._kind, self._none = packed.view(WORD), kind, photos
        # NumPy adds up integers in a sixth of the time that floats take.
        self._total = np.dtype(np.int32 if photos * most < LARGEST_TOTAL else np.float64)

    def running_sums(
        self, rows: NDArray[np.integer], ends: NDArray[np.integer]
    ) -> Callable[[slice], Totals]:
        """Sum the multiplicities of the first rows, for several numbers of them.

        Args:
            rows: ``(M,)`` int, photos in an order.
            ends: ``(G,)`` int, strictly increasing numbers of rows from 1 to ``M``.

        Returns:
            A function that gives the sums of some samples, ``(r, G)`` int32, or float64 where
            they may exceed ``LARGEST_TOTAL``.
        """
        sizes = np.diff(ends, prepend=0)
        length = max(1, min(self._longest, -(-int(ends[-1]) // len(ends))))
        runs = -(-sizes // length)
        last = runs.cumsum()
        table = np.full(int(last[-1]) * length, self._none)
        shift = (last - runs) * length - (ends - sizes)
        table[np.arange(ends[-1]) + np.repeat(shift, sizes)] = rows[: ends[-1]]
        sums = np.ascontiguousarray(self._sums(np.ascontiguousarray(table.reshape(-1, length).T)).T)

        def running(samples: slice) -> Totals:
            totals: Totals = np.cumsum(sums[samples], axis=1, dtype=self._total)
            return totals if len(last) == totals.shape[1] else totals[:, last - 1]

        return running

    def totals(self, rows: NDArray[np.integer]) -> Totals:
        """Sum the multiplicities of rows, in every sample: ``(M,) -> (R,)``, as `running_sums`.

        Example:
            >>> Multiplicities(np.array([[1, 0], [2, 1]])).totals(np.array([0, 1])).tolist()
            [3, 1]
        """
        if not len(rows):
            return np.zeros(self.samples, self._total)
        return self.running_sums(rows, np.array([len(rows)]))(slice(self.samples))[:, 0]

    def _sums(self, table: NDArray[np.integer]) -> NDArray[np.integer]:
        """Sum each column of rows: ``(length, runs) -> (runs, R)``."""
        words = self._words[table[0]]
        more = np.empty_like(words)
        for rows in table[1:]:
            np.take(self._words, rows, axis=0, out=more, mode="clip")
            words += more
        return words.view(self._kind)[:, : self.samples]


def in_parts(counts: NDArray[np.integer]) -> Iterator[Multiplicities]:
    """Divide ``(N, R)`` counts into parts of at most `SAMPLES_AT_ONCE` samples.

    Example:
        >>> [part.samples for part in in_parts(np.ones((3, 600), int))]
        [256, 256, 88]
    """
    for start in range(0, counts.shape[1], SAMPLES_AT_ONCE):
        yield Multiplicities(counts[:, start : start + SAMPLES_AT_ONCE])
