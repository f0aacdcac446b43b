"""Random labels with dependencies: first the light of a scene, then one label after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from numpy.random import Generator

LightName: TypeAlias = Literal["day", "dusk", "night"]

LABELS = (
    "sun",
    "cloud",
    "sea",
    "boat",
    "house",
    "tree",
    "car",
    "person",
    "moon",
    "star",
    "bird",
    "flower",
)

LIGHTS: dict[LightName, float] = {"day": 0.5, "dusk": 0.22, "night": 0.28}
"""Probability of each light."""

DEPENDENCIES: dict[str, dict[str, float]] = {
    "sun": {"night": 0.0, "dusk": 0.5, "day": 0.48},
    "moon": {"night": 0.75, "sun": 0.0, "dusk": 0.6, "day": 0.0},
    "star": {"night moon": 0.75, "night": 0.6, "sun": 0.0, "dusk": 0.2, "day": 0.0},
    "cloud": {"star": 0.1, "sun": 0.5, "night": 0.25, "": 0.35},
    "sea": {"": 0.36},
    "boat": {"sea": 0.6, "": 0.0},
    "house": {"boat": 0.15, "sea": 0.25, "": 0.45},
    "car": {"house": 0.6, "sea": 0.04, "": 0.25},
    "tree": {"boat": 0.1, "sea": 0.3, "house": 0.6, "car": 0.3, "": 0.5},
    "person": {"boat": 0.2, "house": 0.45, "sea": 0.4, "": 0.3},
    "flower": {"night": 0.1, "sea": 0.12, "car": 0.12, "tree": 0.65, "": 0.4},
    "bird": {"night": 0.1, "sea": 0.6, "tree": 0.35, "": 0.25},
}
"""Probability of each label given the light and the earlier labels.

Labels are drawn in this order. A row names a light and labels that must all be present; the first
row that matches applies, and the empty row always matches. So a boat needs the sea, a star excludes
the sun, and cars are more likely beside houses.
"""


def draw_labels(rng: Generator) -> tuple[LightName, frozenset[str]]:
    """Draw the light and the labels of one scene.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> scenes = [labels for _, labels in (draw_labels(rng) for _ in range(200))]
        >>> any({"sun", "star"} <= labels for labels in scenes)
        False
        >>> all("sea" in labels for labels in scenes if "boat" in labels)
        True
    """
    names = list(LIGHTS)
    light = names[int(rng.choice(len(names), p=list(LIGHTS.values())))]
    facts: set[str] = {light}
    for label, rows in DEPENDENCIES.items():
        chance = next(chance for row, chance in rows.items() if facts.issuperset(row.split()))
        if rng.random() < chance:
            facts.add(label)
    return light, frozenset(facts - {light})
