"""The share of a step that a batch is: random numbers by photo, statistics over all photos.

A loss gets the photos of one process and part only. What it draws for each photo (`drawn`) and what
it computes over photos (`variance_over_photos`) does not depend on how the processes divide a step,
as long as it is asked for here. The training loop says which share is being computed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.runtime.precision import widened
from tagsight.runtime.processes import ALONE, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    Fill = Callable[[Tensor, torch.Generator | None], object]


@dataclass
class StepShare:
    """The photos of a batch among those of its step.

    Args:
        places: Places of the photos in the step, over all processes.
        seed: Seed of the run.
        step: Number of the step.
        processes: The processes that compute at the same time.
    """

    places: range
    seed: int
    step: int
    processes: Processes = ALONE
    _draws: int = 0

    @contextmanager
    def computed(self) -> Iterator[None]:
        """Let `drawn` and `variance_over_photos` in the block know of this share.

        Example:
            >>> def numbers(places: range) -> Tensor:
            ...     with StepShare(places, seed=0, step=3).computed():
            ...         return drawn(torch.empty(len(places), 2), uniform)
            >>> torch.equal(numbers(range(4))[2:], numbers(range(2, 4)))
            True
        """
        token = _computed.set(self)
        try:
            yield
        finally:
            _computed.reset(token)

    def fill(self, values: Tensor, fill: Fill, *, shared: bool) -> None:
        """Fill a tensor with random numbers, as `drawn` describes it."""
        seeds = np.random.SeedSequence((self.seed, self.step, self._draws))
        self._draws += 1
        generator = torch.Generator(values.device)
        if shared:
            fill(values, generator.manual_seed(int(seeds.generate_state(1)[0])))
            return
        # The state of a place does not depend on how many places are asked for.
        states = seeds.generate_state(self.places.stop)[self.places.start :].tolist()
        for photo, state in zip(values, states, strict=True):
            fill(photo, generator.manual_seed(state))


_computed: ContextVar[StepShare | None] = ContextVar("computed share", default=None)


def uniform(values: Tensor, generator: torch.Generator | None) -> Tensor:
    """Fill a tensor with numbers in [0, 1).

    Example:
        >>> uniform(torch.empty(3), torch.Generator().manual_seed(0)).max() < 1
        tensor(True)
    """
    return values.uniform_(generator=generator)


def drawn(values: Tensor, fill: Fill, *, shared: bool = False) -> Tensor:
    """Fill a tensor with random numbers, those of each photo by seed, step and place in the step.

    The draws of a step are counted: all processes and parts have to make the same ones in the same
    order. Outside of a run the numbers are those of torch's own generator.

    Args:
        values: ``(B, ...)``, a row for each photo of the batch; overwritten and returned.
        fill: Fills a tensor in place by a generator, such as `uniform`.
        shared: Whether all photos share the numbers; the shape is then any.

    Example:
        >>> drawn(torch.empty(4, 2), uniform).shape
        torch.Size([4, 2])
    """
    share = _computed.get()
    if share is None:
        fill(values, None)
    else:
        share.fill(values, fill, shared=shared)
    return values


def variance_over_photos(values: Tensor) -> Tensor:
    """Compute the variance over cells and the photos of all processes: ``(N, L, h, w) -> (L,)``.

    Of a step in parts it is that of a part. Its gradient reaches the numbers of every process.

    Args:
        values: ``(N, L, h, w)`` float, of this process's photos.

    Example:
        >>> variance_over_photos(torch.tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]]))
        tensor([1.6667])
    """
    share = _computed.get()
    if share is None or share.processes.count == 1:
        return values.var((0, 2, 3))
    values, total = widened(values), share.processes.total
    own = values.new_tensor([values[:, 0].numel()])
    sums, count = total(torch.cat([values.sum((0, 2, 3)), own])).split([values.shape[1], 1])
    mean = sums / count
    return total((values - mean[:, None, None]).square().sum((0, 2, 3))) / (count - 1)
