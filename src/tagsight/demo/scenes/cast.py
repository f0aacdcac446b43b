"""Choice of the terrain and of the objects in a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.demo.scenes.colours import one_of
from tagsight.demo.scenes.objects import KINDS
from tagsight.demo.scenes.objects.clutter import CLUTTER, GRASS
from tagsight.demo.scenes.terrain import GROUNDS, Ground

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.objects.kind import Kind

COUNTS: dict[str, tuple[int, int]] = {
    "sun": (1, 1),
    "moon": (1, 1),
    "star": (2, 6),
    "boat": (1, 3),
    "house": (1, 3),
    "tree": (1, 5),
    "car": (1, 3),
    "person": (1, 4),
    "bird": (1, 4),
    "flower": (2, 8),
}
"""Smallest and largest number of objects of a label that is present."""

CLUTTER_COUNT = (1, 5)
GRASS_COUNT = (0, 9)
ON_LAND = frozenset({"house", "tree", "car", "person", "flower"})
SHARE_WITH_ROAD = 0.75
"""Fraction of the scenes with a car that have a road."""


class Thing(NamedTuple):
    """An object to draw; clutter has no label."""

    label: str | None
    kind: Kind


def lie_of_the_land(rng: Generator, labels: frozenset[str], size: tuple[int, int]) -> Ground:
    """Choose the horizon, the shore, the road and the surface.

    Without a label that needs land, the sea may fill the photo to its lower edge.

    Example:
        >>> import numpy as np
        >>> rng, labels = np.random.default_rng(0), frozenset({"sea", "flower"})
        >>> ground = lie_of_the_land(rng, labels, (320, 240))
        >>> ground.horizon < ground.shore < 240, ground.surface
        (True, 'grass')
    """
    height = size[1]
    horizon = round(height * rng.uniform(0.36, 0.64))
    shore = horizon
    if "sea" in labels:
        land = bool(labels & ON_LAND) or rng.random() < 0.5
        share = rng.uniform(0.3, 0.62) if land else 1.2
        shore = round(horizon + share * (height - horizon))
    surfaces = list(GROUNDS)
    if "flower" in labels:
        surfaces = ["grass", "meadow", "heath"]
    elif "sea" in labels:
        surfaces = ["sand", "sand", "grass", "earth", "paving"]
    road = None
    if "car" in labels and rng.random() < SHARE_WITH_ROAD:
        upper = shore + rng.uniform(0.12, 0.45) * (height - shore)
        road = round(upper), round(upper + rng.uniform(0.22, 0.4) * (height - shore))
    return Ground(size, horizon, shore, one_of(rng, surfaces), road)


def choose_things(rng: Generator, labels: frozenset[str], ground: Ground) -> list[Thing]:
    """Choose one or two looks for each label, the number of objects, and the clutter.

    Example:
        >>> import numpy as np
        >>> ground = Ground((320, 240), 100, 100, "grass", None)
        >>> things = choose_things(np.random.default_rng(0), frozenset({"bird"}), ground)
        >>> sum(thing.label == "bird" for thing in things)  # one to four of them; clutter besides
        3
    """
    things = []
    for label, kinds in KINDS.items():
        if label in labels:
            possible = [kind for kind in kinds if _belongs(kind, labels, ground)]
            looks = [one_of(rng, possible) for _ in range(2)]
            fewest, most = COUNTS[label]
            count = int(rng.integers(fewest, most + 1))
            things += [Thing(label, one_of(rng, looks)) for _ in range(count)]
    possible = [kind for kind in CLUTTER if _belongs(kind, labels, ground)]
    things += [
        Thing(None, one_of(rng, possible))
        for _ in range(int(rng.integers(*CLUTTER_COUNT, endpoint=True)))
    ]
    if _belongs(GRASS, labels, ground):
        things += [Thing(None, GRASS)] * int(rng.integers(*GRASS_COUNT, endpoint=True))
    return things


def _belongs(kind: Kind, labels: frozenset[str], ground: Ground) -> bool:
    if kind.place == "sea":
        return "sea" in labels
    if kind.place == "land" and ground.shore >= ground.size[1]:
        return False
    return not kind.surfaces or ground.surface in kind.surfaces
