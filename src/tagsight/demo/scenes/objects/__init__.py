"""The ways to draw each label, and the objects without a label."""

from __future__ import annotations

from tagsight.demo.scenes.objects import (
    birds,
    boats,
    cars,
    flowers,
    houses,
    people,
    sky,
    trees,
)
from tagsight.demo.scenes.objects.kind import Kind

KINDS: dict[str, tuple[Kind, ...]] = {
    "sun": sky.SUN,
    "moon": sky.MOON,
    "star": sky.STAR,
    "boat": boats.BOATS,
    "house": houses.HOUSES,
    "tree": trees.TREES,
    "car": cars.CARS,
    "person": people.PEOPLE,
    "bird": birds.BIRDS,
    "flower": flowers.FLOWERS,
}
"""Clouds and the sea, which have no outline to draw, are made elsewhere."""
