"""Minimisation of smooth convex functions by L-BFGS.

Liu and Nocedal, On the Limited Memory BFGS Method for Large Scale Optimization, Mathematical
Programming 45, 1989. torch has it too, but loads its compiler at the first step, for seconds, and
its line search asks for more values than well scaled problems need.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    Function = Callable[[Tensor], tuple[float, Tensor]]

MEMORY = 10
"""Pairs of steps and changes of the gradient that are remembered."""

SUFFICIENT = 1e-4
"""Share of the decrease promised by the gradient that a step must reach (Armijo)."""

SHORTEST = 1e-3
"""Factor of a step below which the search ends."""


def minimised(function: Function, start: Tensor, *, steps: int, tolerance: float) -> Tensor:
    """Minimise a convex function whose Hessian is near the identity.

    Args:
        function: Returns the value at a point of the shape of ``start``, and the gradient there.
        start: The first point.
        steps: Largest number of steps.
        tolerance: Decrease that a step is expected to make, relative to the value, below which the
            search ends.

    Example:
        >>> import torch
        >>> wanted = torch.tensor([3.0, -2.0])
        >>> def distance(point: torch.Tensor) -> tuple[float, torch.Tensor]:
        ...     return (point - wanted).square().sum().item() / 2, point - wanted
        >>> minimised(distance, torch.zeros(2), steps=10, tolerance=1e-9).tolist()
        [3.0, -2.0]
    """
    point, (value, gradient) = start, function(start)
    pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=MEMORY)
    for _ in range(steps):
        direction = _direction(gradient, pairs)
        slope = float((direction * gradient).sum())
        if -slope <= 2 * tolerance * abs(value):
            break
        factor = 1.0
        while True:
            moved = point + factor * direction
            value_there, gradient_there = function(moved)
            if value_there <= value + SUFFICIENT * factor * slope:
                break
            factor /= 2
            if factor < SHORTEST:
                return point
        step, change = moved - point, gradient_there - gradient
        if float((step * change).sum()) > 0:
            pairs.append((step, change))
        point, value, gradient = moved, value_there, gradient_there
    return point


def _direction(gradient: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Approximate the Newton direction by the two loops over the remembered pairs."""
    direction = -gradient
    weights = []
    for step, change in reversed(pairs):
        weight = (step * direction).sum() / (step * change).sum()
        direction = direction - weight * change
        weights.append(weight)
    if pairs:
        step, change = pairs[-1]
        direction = direction * ((step * change).sum() / change.square().sum())
    for (step, change), weight in zip(pairs, reversed(weights), strict=True):
        direction = direction + (weight - (change * direction).sum() / (step * change).sum()) * step
    return direction
