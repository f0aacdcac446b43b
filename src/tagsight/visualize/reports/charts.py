"""Charts of reports as inline SVG, in the colours of the page."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, NamedTuple

from tagsight.visualize.reports.elements import Html, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point = tuple[float, float]

WIDTH, HEIGHT = 360, 250
"""Size of a chart in units of its text, which is drawn at 12."""

LEFT, TOP, RIGHT, BOTTOM = 56, 12, 12, 40
"""Margins."""

INTERVALS = 5
"""Between the numbers beside an axis, at most, within its values."""

MOST_POINTS = 40
"""Points of a small curve."""


class Axis(NamedTuple):
    """An axis of a chart.

    Attributes:
        title: What it shows, and its unit.
        low: Value at its beginning.
        high: Value at its end, above ``low``.
        ticks: Values that are written beside it.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[float]

    def share(self, value: float) -> float:
        """Return where a value stands, in [0, 1].

        Example:
            >>> Axis("recall, percent", 0, 100, PERCENT).share(25)
            0.25
        """
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        points: Its points, in the units of the axes.
        kind: ``main``, ``second`` or ``faint``.
        sizes: Radius of a dot at each point; by default there are none.
    """

    points: Sequence[Point]
    kind: str = "main"
    sizes: Sequence[float] = ()


PERCENT = (0, 25, 50, 75, 100)


def percent_axis(title: str) -> Axis:
    """Return an axis from 0 to 100 %.

    Example:
        >>> percent_axis("recall in %").share(50)
        0.5
    """
    return Axis(title, 0, 100, PERCENT)


def fitting_axis(title: str, values: Sequence[float]) -> Axis:
    """Return an axis that holds all values, with a few round numbers at equal distances.

    Args:
        title: What it shows.
        values: At least one. The axis of whole numbers, such as epochs, ends with them; others end
            with round numbers.

    Example:
        >>> fitting_axis("mAP in %", [70.3, 74.6]).ticks
        (70.0, 71.0, 72.0, 73.0, 74.0, 75.0)
        >>> fitting_axis("epoch", [1, 2, 8]).ticks, fitting_axis("epoch", [1, 2]).ticks
        ((2.0, 4.0, 6.0, 8.0), (1.0, 2.0))
    """
    low, high = min(values), max(values)
    high = high if high > low else low + 1
    is_whole = all(float(value).is_integer() for value in values)
    step = _round_step((high - low) / INTERVALS, is_whole=is_whole)
    first, last = (ceil, floor) if is_whole else (floor, ceil)
    # A value that is a multiple of the step but for rounding is taken for one.
    numbers = range(first(round(low / step, 6)), last(round(high / step, 6)) + 1)
    ticks = tuple(float(f"{number * step:.12g}") for number in numbers)
    return Axis(title, min(low, ticks[0]), max(high, ticks[-1]), ticks)


def _round_step(least: float, *, is_whole: bool) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least so much."""
    power = 10.0 ** floor(log10(max(least, 1) if is_whole else least))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))


def chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> Html:
    """Draw lines in a frame of two axes.

    Args:
        title: What the chart shows, for those who do not see it.
        x: The axis below.
        y: The axis on the left.
        lines: In the order in which they are drawn.

    Example:
        >>> axis = percent_axis("recall in %")
        >>> svg = chart("<b>", axis, axis, [Line([(0, 0), (100, 50)])])
        >>> 'aria-label="&lt;b&gt;"' in svg, "56.0,210.0 348.0,111.0" in svg
        (True, True)
    """
    return element(
        "svg",
        _grid(x, y),
        [_line(line, x, y) for line in lines],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="chart",
        role="img",
        aria_label=title,
    )


def small_curve(title: str, points: Sequence[Point], kind: str = "") -> Html:
    """Draw a curve for a cell of a table, both axes from 0 to 1.

    Args:
        title: What it shows, for those who do not see it.
        points: Of more than 40 every so many.
        kind: ``calibration`` marks the points, and draws the line on which both axes are equal.

    Example:
        >>> 'points="0,0 100,50 100,50"' in small_curve("dog", [(0, 1), (1, 0.5)])
        True
    """
    step = max(1, -(-len(points) // MOST_POINTS))
    chosen = [(100 * a, 100 - 100 * b) for a, b in [*points[::step], *points[-1:]]]
    path = " ".join(f"{across:.3g},{down:.3g}" for across, down in chosen)
    marked = kind == "calibration"
    return element(
        "svg",
        element("polyline", points="0,100 100,0", class_="faint") if marked else None,
        element("polyline", points=path),
        [element("circle", cx=f"{x:.3g}", cy=f"{y:.3g}", r=3.5) for x, y in chosen if marked],
        viewBox="-4 -4 108 108",
        preserveAspectRatio=None if marked else "none",
        class_=f"spark {kind}".strip(),
        role="img",
        aria_label=title,
    )


def interval_bar(value: float | None, low: float | None, high: float | None) -> Html:
    """Draw a value in percent and its interval on a scale from 0 to 100; nothing if undefined.

    Example:
        >>> 'cx="50.0"' in interval_bar(50.0, 40.0, 60.0), interval_bar(None, None, None)
        (True, '')
    """
    if value is None or low is None or high is None:
        return Html()
    return element(
        "svg",
        element("line", x1=0, x2=100, y1=4, y2=4, class_="scale"),
        element("line", x1=f"{low:.1f}", x2=f"{high:.1f}", y1=4, y2=4, class_="interval"),
        element("circle", cx=f"{value:.1f}", cy=4, r=3, class_="value"),
        viewBox="-3 0 106 8",
        class_="interval-bar",
        aria_hidden="true",
    )


def difference_bar(value: float, low: float, high: float, reach: float) -> Html:
    """Draw a difference and its interval on a scale from ``-reach`` to ``reach``, with a mark at 0.

    Example:
        >>> svg = difference_bar(5.0, 0.0, 20.0, reach=20.0)
        >>> 'cx="62.5"' in svg, 'x1="50.0" x2="100.0"' in svg
        (True, True)
    """
    middle, from_, to = (f"{50 + 50 * one / max(reach, 1e-9):.1f}" for one in (value, low, high))
    return element(
        "svg",
        element("line", x1=0, x2=100, y1=4, y2=4, class_="scale"),
        element("line", x1=50, x2=50, y1=0, y2=8, class_="scale"),
        element("line", x1=from_, x2=to, y1=4, y2=4, class_="interval"),
        element("circle", cx=middle, cy=4, r=3, class_="value"),
        viewBox="-3 0 106 8",
        class_="interval-bar",
        aria_hidden="true",
    )


def _grid(x: Axis, y: Axis) -> list[Html]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in y.ticks:
        height = f"{_place((0, tick), x, y)[1]:.1f}"
        parts.append(element("line", x1=LEFT, x2=right, y1=height, y2=height, class_="grid"))
        parts.append(
            element("text", _number(tick), x=LEFT - 6, y=height, text_anchor="end", dy=".35em")
        )
    for tick in x.ticks:
        across = f"{_place((tick, 0), x, y)[0]:.1f}"
        parts.append(element("text", _number(tick), x=across, y=bottom + 15, text_anchor="middle"))
    middle = (LEFT + right) / 2
    parts.append(element("text", x.title, x=middle, y=HEIGHT - 6, text_anchor="middle"))
    turned = f"rotate(-90 11 {(TOP + bottom) / 2})"
    parts.append(
        element("text", y.title, x=11, y=(TOP + bottom) / 2, text_anchor="middle", transform=turned)
    )
    return parts


def _line(line: Line, x: Axis, y: Axis) -> list[Html]:
    places = [_place(point, x, y) for point in line.points]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    dots = [
        element("circle", cx=f"{across:.1f}", cy=f"{down:.1f}", r=f"{size:.1f}", class_=line.kind)
        for (across, down), size in zip(places, line.sizes, strict=False)
    ]
    return [element("polyline", points=path, class_=line.kind), *dots]


def _place(point: Point, x: Axis, y: Axis) -> Point:
    return (
        LEFT + x.share(point[0]) * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y.share(point[1]) * (HEIGHT - TOP - BOTTOM),
    )


def _number(value: float) -> str:
    return f"{value:.6g}"
