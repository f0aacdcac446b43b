"""The processes that train together: who they are, and what they tell one another.

Alone, which is the rule, nothing is told to anybody and every share is the whole.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed
from timm.layers.norm_act import convert_sync_batchnorm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from tagsight.errors import DataError, RankError
from tagsight.runtime.launch import launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

Value = TypeVar("Value")

LONGEST_WAIT = timedelta(hours=12)
"""For one another: as long as the frozen stages of a large collection may take the first of them.
A process that ends is noticed by the launcher at once."""


def share_of(items: int, part: int, parts: int) -> range:
    """Which of so many items in a row belong to a part; the parts are as equal as can be.

    >>> [share_of(5, part, 3) for part in range(3)]
    [range(0, 1), range(1, 3), range(3, 5)]
    """
    return range(items * part // parts, items * (part + 1) // parts)


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Args:
        rank: From 0; the first alone writes.
        count: Number of processes.
        local_rank: From 0 on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, items: int) -> range:
        """Which of so many items in a row are this process's."""
        return share_of(items, self.rank, self.count)

    def collect(self, value: Value) -> list[Value]:
        """Give every process the values of all, in their order."""
        if self.count == 1:
            return [value]
        values: list[Value | None] = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values  # type: ignore[return-value]  # each place has been filled

    def total(self, values: Tensor) -> Tensor:
        """Add up what every process has, place by place."""
        if self.count > 1:
            values = values.clone()
            torch.distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Go on when all have come here."""
        self.collect(None)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let the first process of each machine through the block, and then the others.

        What the first leaves on the machine's disk the others find.
        """
        if self.local_rank:
            self.wait()
        yield
        if not self.local_rank:
            self.wait()

    @contextmanager
    def own_share(self) -> Iterator[None]:
        """Make an error in the block say whose share it is in, since no other process has it."""
        try:
            yield
        except DataError as error:
            if self.count == 1:
                raise
            msg = f"process {self.rank} of {self.count}: {error}"
            raise RankError(msg) from error

    def wrapped(self, objective: nn.Module, *, staged: bool = False) -> nn.Module:
        """Let the gradients of a module be the mean of all processes'.

        Batch norm that is trained takes its statistics over all of them, which torch can do on a
        GPU only.

        Args:
            objective: On this process's device, in training mode. Its batch norms are replaced.
            staged: Whether some parameters may have no part in a step.

        Raises:
            DataError: If batch norm is trained on a CPU by several processes.
        """
        if self.count == 1:
            return objective
        device = next(objective.parameters()).device
        if any(isinstance(m, _BatchNorm) and m.training for m in objective.modules()):
            if device.type == "cpu":
                msg = (
                    "expected batch norm to be frozen where several processes train on CPUs, "
                    "got one that is trained; say --system.backbone.freeze_batch_norm true, or "
                    "train in one process"
                )
                raise DataError(msg)
            objective = convert_sync_batchnorm(objective)
        devices = None if device.type == "cpu" else [device]
        return DistributedDataParallel(objective, device_ids=devices, find_unused_parameters=staged)


ALONE = Processes()


def accumulating(objective: nn.Module) -> AbstractContextManager[object]:
    """Keep what the block adds to the gradients from being told to the other processes yet."""
    if isinstance(objective, DistributedDataParallel):
        return objective.no_sync()
    return nullcontext()


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that a launcher started, for as long as the block lasts.

    After an error nobody is waited for: the launcher ends the others.

    Args:
        device: What this process computes on; it decides how they talk, by NCCL or Gloo.

    Raises:
        RankError: If another of them ended without a word, and this one cannot go on.
    """
    launch = launched()
    if launch.count == 1:
        yield ALONE
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield Processes(launch.rank, launch.count, launch.local_rank)
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        msg = (
            f"process {launch.rank} of {launch.count} cannot go on, as another one has ended, was "
            "killed or does not answer; start all again, a training with --resume"
        )
        raise RankError(msg) from error
    torch.distributed.destroy_process_group()


def _is_lost(error: RuntimeError) -> bool:
    """Whether another process could not be reached; Gloo's errors have no class of their own."""
    return isinstance(error, torch.distributed.DistError) or "gloo/transport" in str(error)
