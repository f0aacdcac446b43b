"""The run lengths in which Label Studio keeps what is painted with a brush.

The format is that of rle-pack (https://www.npmjs.com/package/@thi.ng/rle-pack), in bits. A header
says how many values there are (32 bits), how many bits a value has, less 1 (5), and how many each
of four kinds of lengths, less 1 (4 times 4). Then come runs: whether all values are equal (1), the
kind of the length (2), the length less 1, and the value. The values are red, green, blue and
opacity of each pixel, row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LENGTH_BITS = (3, 4, 8, 16)
"""Bits of a length, of each kind; those that Label Studio writes itself."""

CHANNELS = 4
"""Values of a pixel, each of 8 bits."""

MOST_PIXELS = 2**30 - 1


def run_lengths(mask: NDArray[np.uint8]) -> list[int]:
    """Encode a mask: ``(height, width)`` in {0 outside, 255 inside} -> bytes.

    Raises:
        ValueError: If it has no pixel, or more than `MOST_PIXELS`, which the format cannot count.

    Example:
        >>> run_lengths(np.array([[0, 255]], np.uint8))
        [0, 0, 0, 8, 57, 27, 252, 96, 17, 255, 128]
    """
    if not 0 < mask.size <= MOST_PIXELS:
        msg = f"expected 1 to {MOST_PIXELS:,} pixels, got {mask.size:,}"
        raise ValueError(msg)
    values = mask.ravel()
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, values.size)
    lengths = CHANNELS * np.diff(ends, prepend=0)
    header = f"{CHANNELS * values.size:032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in LENGTH_BITS)
    runs = zip(lengths.tolist(), values[ends - 1].tolist(), strict=True)
    bits = header + "".join(code for length, value in runs for code in _codes(length, value))
    whole = bits + "0" * (-len(bits) % 8)
    return list(int(whole, 2).to_bytes(len(whole) // 8, "big"))


def _codes(length: int, value: int) -> Iterator[str]:
    """Yield the bits of a run, in pieces of at most the longest length."""
    while length:
        piece = min(length, 2 ** LENGTH_BITS[-1])
        kind = next(kind for kind, bits in enumerate(LENGTH_BITS) if piece <= 2**bits)
        yield f"1{kind:02b}{piece - 1:0{LENGTH_BITS[kind]}b}{value:08b}"
        length -= piece
