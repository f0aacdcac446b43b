"""Draw a label graph: labels on a circle, arrows in the direction of messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tagsight.inference.lettering import drawable, font
from tagsight.nn.graph import edge_probability
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tagsight.labels.space import LabelSpace
    from tagsight.nn.config import GraphConfig

MOST_LABELS = 200
"""Most labels drawn, the most frequent ones."""

MOST_EDGES = 1000
"""Most edges drawn, the most probable ones."""

_SMOOTH = 2
"""Scale at which the picture is drawn and then reduced: Pillow draws lines without smoothing."""

_MOST_UPRIGHT = 24
"""Most labels whose names are horizontal; names of more labels are rotated outwards."""

_MOST_NUMBERS = 30
"""Most edges whose probabilities are written beside them; more only have colours."""

_LONGEST_NAME = 28

_PAPER = (255, 255, 255)
_INK = (38, 42, 48)
_FAINT = (150, 156, 164)
_DOT = (66, 84, 110)
_WEAK = np.array([176, 194, 214])
_STRONG = np.array([178, 38, 24])


class _Canvas(NamedTuple):
    """Picture at twice its size, and positions of the labels in its pixels."""

    picture: Image.Image
    pen: ImageDraw.ImageDraw
    font_size: int
    radius: float
    centre: NDArray[np.float64]
    dots: NDArray[np.float64]
    dot_radii: NDArray[np.float64]


def draw_graph(labels: LabelSpace, config: GraphConfig) -> Image.Image:
    """Draw the edges between labels that remain with some settings.

    An arrow leads from the label that sends to the label that receives. Its colour shows the
    probability; the area of a dot shows the number of training photos with the label. Linked
    labels are close to each other where possible; labels without edges are grey and come last.

    Args:
        labels: Labels and their counts; the 200 most frequent labels and their 1,000 most
            probable edges are drawn.
        config: Settings of the graph.

    Returns:
        An RGB picture, about 800 pixels wide for 12 labels and 1,300 for 80.

    Example:
        >>> import torch
        >>> from tagsight import LabelSpace
        >>> from tagsight.nn.config import GraphConfig
        >>> targets = torch.tensor([[1, 1], [1, 0], [1, 1]])
        >>> draw_graph(LabelSpace.from_targets(["person", "dog"], targets), GraphConfig()).height
        736
    """
    counts = labels.counts.cpu().numpy()
    probability = edge_probability(labels.cooccurrence, config).to_dense().cpu().numpy()
    drawn = np.sort(np.argsort(-counts, kind="stable")[:MOST_LABELS])
    order = drawn[_circle_order(probability[np.ix_(drawn, drawn)])]
    counts, probability = counts[order], probability[np.ix_(order, order)]
    names = [drawable(labels.names[i], _LONGEST_NAME) for i in order]
    canvas = _prepared(names, counts)
    edges = sorted(np.argwhere(probability), key=lambda edge: probability[tuple(edge)])
    for target, source in edges[-MOST_EDGES:]:
        _draw_arrow(canvas, source, target, _strength(probability[target, source], config))
    if len(edges) <= _MOST_NUMBERS:
        taken: list[NDArray[np.float64]] = []
        for target, source in edges:
            place = _free_place(_curve(canvas, source, target), taken, 2 * canvas.font_size)
            taken.append(place)
            _draw_number(canvas, place, probability[target, source])
    linked = np.maximum(probability.max(0), probability.max(1)) > 0
    for i, name in enumerate(names):
        _draw_label(canvas, i, name, linked=bool(linked[i]), upright=len(names) <= _MOST_UPRIGHT)
    _draw_legend(canvas, labels, config, len(edges))
    return canvas.picture.reduce(_SMOOTH)


def _circle_order(probability: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order labels on the circle so that linked ones are close; isolated labels come last.

    Local search: swap two labels as long as that reduces the sum over edges of probability times
    distance along the circle.
    """
    weight = np.maximum(probability, probability.T)
    linked = weight.max(0) > 0
    order = np.concatenate([np.flatnonzero(linked), np.flatnonzero(~linked)])
    size, swapped = int(linked.sum()), True
    steps = np.abs(np.subtract.outer(np.arange(len(order)), np.arange(len(order))))
    distance = np.minimum(steps, len(order) - steps)
    while swapped:
        swapped = False
        for i in range(size):
            gains = _swap_gains(weight[np.ix_(order, order)], distance, i)[:size]
            j = int(gains.argmax())
            if gains[j] > 1e-9:
                order[[i, j]] = order[[j, i]]
                swapped = True
    return order


def _swap_gains(
    weight: NDArray[np.float64], distance: NDArray[np.int_], i: int
) -> NDArray[np.float64]:
    """Compute by how much edges shorten if positions ``i`` and ``j`` swap, for each ``j``."""
    own = (weight * distance).sum(1)
    here = weight @ distance[i]
    there = distance @ weight[i]
    # The edge i-j keeps its length, but counts as 0 in `here` and `there`: take it out twice.
    return own[i] + own - here - there - 2 * weight[i] * distance[i]


def _prepared(names: Sequence[str], counts: NDArray[np.int_]) -> _Canvas:
    size = len(names)
    radius = _SMOOTH * float(np.clip(6 * size, 240, 1000))
    font_size = _SMOOTH * (18 if size <= _MOST_UPRIGHT else 15)
    spacing = 2 * math.pi * radius / size
    largest = min(22.0 * _SMOOTH, 0.45 * spacing)
    dot_radii = np.maximum(largest * np.sqrt(counts / max(counts.max(), 1)), 3.0 * _SMOOTH)
    aside = max(font(font_size, name).getbbox(name)[2] for name in names)
    above = 2 * font_size if size <= _MOST_UPRIGHT else aside
    margin = radius + largest + 24 * _SMOOTH
    width = round(max(2 * (margin + aside), 620 * _SMOOTH))
    height = round(2 * (margin + above) + 92 * _SMOOTH)
    centre = np.array([width / 2, margin + above])
    angles = 2 * math.pi * np.arange(size) / size - math.pi / 2
    dots = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    picture = Image.new("RGB", (width, height), _PAPER)
    return _Canvas(picture, ImageDraw.Draw(picture), font_size, radius, centre, dots, dot_radii)


def _strength(probability: float, config: GraphConfig) -> float:
    return (probability - config.epsilon) / max(1 - config.epsilon, 1e-9)


def _colour(strength: float) -> tuple[int, int, int]:
    red, green, blue = (_WEAK + strength * (_STRONG - _WEAK)).round().astype(int).tolist()
    return red, green, blue


def _curve(canvas: _Canvas, source: int, target: int) -> NDArray[np.float64]:
    """Points of an arrow: a parabola bent towards the centre and slightly to its right."""
    start, end = canvas.dots[source], canvas.dots[target]
    along = end - start
    right = np.array([-along[1], along[0]])
    bend = 0.15 + 0.4 * min(1.0, float(np.linalg.norm(along)) / canvas.radius)
    control = bend * canvas.centre + (1 - bend) * (start + end) / 2 + 0.07 * right
    start = start + canvas.dot_radii[source] * _unit(control - start)
    end = end + (canvas.dot_radii[target] + 2 * _SMOOTH) * _unit(control - end)
    t = np.linspace(0, 1, 40)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _draw_arrow(canvas: _Canvas, source: int, target: int, strength: float) -> None:
    points = _curve(canvas, source, target)
    colour = _colour(strength)
    width = _SMOOTH * (1.3 + 1.7 * strength)
    forward = _unit(points[-1] - points[-3])
    side = np.array([-forward[1], forward[0]])
    length = _SMOOTH * (8 + 4 * strength)
    tip, base = points[-1], points[-1] - length * forward
    outside = np.flatnonzero(np.linalg.norm(points - tip, axis=1) > length)
    body = [*points[: outside.max(initial=0) + 1], base]
    canvas.pen.line([tuple(p) for p in body], fill=colour, width=round(width), joint="curve")
    head = [tip, base + 0.42 * length * side, base - 0.42 * length * side]
    canvas.pen.polygon([tuple(p) for p in head], fill=colour)


def _free_place(
    curve: NDArray[np.float64], taken: Sequence[NDArray[np.float64]], room: float
) -> NDArray[np.float64]:
    # Arrows converge at their targets, so numbers have more room near the sources.
    places = curve[[14, 10, 18, 7, 22, 26]]
    if not taken:
        return places[0]
    apart = np.linalg.norm(places[:, None] - np.stack(taken), axis=2).min(1)
    return places[int((apart > room).argmax() if (apart > room).any() else apart.argmax())]


def _draw_number(canvas: _Canvas, place: NDArray[np.float64], probability: float) -> None:
    canvas.pen.text(
        tuple(place),
        f"{probability:.2f}",
        fill=_INK,
        font=ImageFont.load_default(0.72 * canvas.font_size),
        anchor="mm",
        stroke_width=2 * _SMOOTH,
        stroke_fill=_PAPER,
    )


def _draw_label(canvas: _Canvas, i: int, name: str, *, linked: bool, upright: bool) -> None:
    (x, y), r = canvas.dots[i], canvas.dot_radii[i]
    canvas.pen.ellipse((x - r, y - r, x + r, y + r), fill=_DOT if linked else _FAINT)
    colour = _INK if linked else _FAINT
    outward = _unit(canvas.dots[i] - canvas.centre)
    place = canvas.dots[i] + (r + 7 * _SMOOTH) * outward
    letters = font(canvas.font_size, name)
    if upright:
        across = "m" if abs(outward[0]) < 0.2 else "l" if outward[0] > 0 else "r"
        down = "m" if across != "m" else "d" if outward[1] < 0 else "a"
        canvas.pen.text(tuple(place), name, fill=colour, font=letters, anchor=across + down)
        return
    width, height = max(1, letters.getbbox(name)[2]), round(1.3 * canvas.font_size)
    text = Image.new("L", (math.ceil(width), height))
    ImageDraw.Draw(text).text((0, height / 2), name, fill=255, font=letters, anchor="lm")
    angle = math.degrees(math.atan2(-outward[1], outward[0]))
    readable = angle if outward[0] >= 0 else angle + 180
    turned = text.rotate(readable, Image.Resampling.BICUBIC, expand=True)
    corner = place + width / 2 * outward - np.array(turned.size) / 2
    canvas.picture.paste(colour, (round(corner[0]), round(corner[1])), turned)


def _draw_legend(canvas: _Canvas, labels: LabelSpace, config: GraphConfig, edges: int) -> None:
    present, too = ("A", "B") if config.direction == "given_source" else ("B", "A")
    most = int(labels.counts.max())
    lines = [
        f"An arrow from A to B: where {present} is present, {too} is too, with the probability",
        f"that its colour tells, and B learns from A. Dots: photos with a label, at most {most:,}.",
    ]
    if len(labels) > MOST_LABELS:
        lines.append(f"The {MOST_LABELS} most frequent of {amount(len(labels), 'label')}.")
    elif edges > MOST_EDGES:
        lines.append(f"The {MOST_EDGES:,} most probable of {amount(edges, 'edge')}.")
    letters = font(14 * _SMOOTH)
    left, top = 16 * _SMOOTH, canvas.picture.height - 84 * _SMOOTH
    for i, line in enumerate(lines):
        canvas.pen.text((left, top + i * 20 * _SMOOTH), line, fill=_INK, font=letters)
    middle, start, end = top + 68 * _SMOOTH, left + 36 * _SMOOTH, left + 196 * _SMOOTH
    for x in range(start, end):
        box = (x, middle - 5 * _SMOOTH, x, middle + 5 * _SMOOTH)
        canvas.pen.rectangle(box, fill=_colour((x - start) / (end - start)))
    gap = 6 * _SMOOTH
    low = f"{config.epsilon:g}"
    canvas.pen.text((start - gap, middle), low, fill=_INK, font=letters, anchor="rm")
    canvas.pen.text((end + gap, middle), "1", fill=_INK, font=letters, anchor="lm")
