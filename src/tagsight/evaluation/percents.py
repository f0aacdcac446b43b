"""Fractions as a report gives them: in percent, to a number of digits, or undefined."""

import math

DIGITS = 4
"""Digits after the point of every number of a report."""


def percent(fraction: float) -> float | None:
    """Convert a fraction to percent, and one that is not defined to None.

    Example:
        >>> percent(0.51234567), percent(math.nan)
        (51.2346, None)
    """
    value = 100 * fraction
    return round(value, DIGITS) if math.isfinite(value) else None


def percent_interval(interval: tuple[float, float]) -> list[float | None]:
    """Convert an interval of a fraction to percent, clipped to [0, 100].

    One without width is none: resamples that are all alike, as they are if no photo of few is
    ranked wrongly, do not tell how much other photos would change.

    Example:
        >>> percent_interval((-0.02, 0.5)), percent_interval((1.0, 1.0))
        ([0.0, 50.0], [None, None])
    """
    low, high = (percent(min(max(bound, 0.0), 1.0)) for bound in interval)
    return [None, None] if low == high else [low, high]
