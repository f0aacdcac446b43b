"""The processes that train together, and their communication.

Usually there is only one. It communicates with nobody, and its share is everything.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed
from timm.layers.norm_act import convert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from tagsight.errors import DataError, RankError
from tagsight.runtime.launch import launched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor

Value = TypeVar("Value")

LONGEST_WAIT = timedelta(hours=12)
"""Timeout of communication: the others wait while the first process computes the features of a
large collection. If a process dies, the launcher notices at once."""


def share_of(items: int, part: int, parts: int) -> range:
    """Return the range of items that belong to a part; parts differ by at most one item.

    Args:
        items: Number of items.
        part: Index of the part.
        parts: Number of parts.

    Example:
        >>> [share_of(5, part, 3) for part in range(3)]
        [range(0, 1), range(1, 3), range(3, 5)]
    """
    return range(items * part // parts, items * (part + 1) // parts)


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Args:
        rank: Counted from 0; only process 0 writes.
        count: Number of processes.
        local_rank: Counted from 0 on this machine.

    Example:
        >>> Processes(rank=1, count=2).share(5)
        range(2, 5)
        >>> ALONE.collect("logits")
        ['logits']
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, items: int) -> range:
        """Return the range of items that this process computes."""
        return share_of(items, self.rank, self.count)

    def collect(self, value: Value) -> list[Value]:
        """Gather the values of all processes in each, in the order of ranks."""
        if self.count == 1:
            return [value]
        values: list[Value | None] = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values  # type: ignore[return-value]  # all_gather_object fills each place

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, element by element; gradients are summed likewise."""
        return values if self.count == 1 else _Total.apply(values)

    def wait(self) -> None:
        """Block until all processes have called this."""
        self.collect(None)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Run the block in the first process of each machine, and then in the others.

        The others find the files that the first one wrote.
        """
        if self.local_rank:
            self.wait()
        yield
        if not self.local_rank:
            self.wait()

    @contextmanager
    def own_share(self) -> Iterator[None]:
        """Add this process's rank to a `DataError` in the block, which no other process sees."""
        try:
            yield
        except DataError as error:
            if self.count == 1 or isinstance(error, RankError):
                raise
            msg = f"process {self.rank} of {self.count}: {error}"
            raise RankError(msg) from error

    def synchronised(
        self, losses: Callable[..., Value], module: nn.Module, *, staged: bool = False
    ) -> Callable[..., Value]:
        """Return the losses of a module with gradients averaged over all processes.

        Trained batch norm gets its statistics from all processes, which torch supports on GPUs
        only.

        Args:
            losses: Computes the losses by the parameters of the module.
            module: On this process's device, in training mode. Its batch norms are replaced.
            staged: Whether some parameters may have no gradient in a step.

        Raises:
            DataError: If several processes would train batch norm on CPUs.
        """
        if self.count == 1:
            return losses
        device = next(module.parameters()).device
        if any(isinstance(m, _BatchNorm) and m.training for m in module.modules()):
            if device.type == "cpu":
                msg = (
                    "expected frozen batch norm where several processes train on CPUs, got trained "
                    "batch norm; set `system.backbone.freeze_batch_norm=true`, or train in one "
                    "process"
                )
                raise DataError(msg)
            module = convert_sync_batchnorm(module)
        devices = None if device.type == "cpu" else [device]
        objective = _Objective(losses, module)
        return DistributedDataParallel(objective, device_ids=devices, find_unused_parameters=staged)


ALONE = Processes()


class _Total(torch.autograd.Function):
    """The sum over all processes, each of which depends on the numbers of all others."""

    @staticmethod
    def forward(_context: object, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        return _Total.forward(_context, gradient)


class _Objective(nn.Module):
    """Losses as the ``forward`` of a module, which is all that `DistributedDataParallel` sees."""

    def __init__(self, losses: Callable[..., Value], module: nn.Module) -> None:
        super().__init__()
        self.losses = losses
        self.module = module

    def forward(self, *arguments: object) -> object:
        return self.losses(*arguments)


def accumulating(losses: Callable[..., object]) -> AbstractContextManager[object]:
    """Add to the gradients without averaging them over the processes yet.

    Args:
        losses: A function that `Processes.synchronised` returned.

    Example:
        >>> with accumulating(lambda: None):  # a single process has nothing to average
        ...     pass
    """
    if isinstance(losses, DistributedDataParallel):
        return losses.no_sync()
    return nullcontext()


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that a launcher started, for the duration of the block.

    After an error the others are not waited for: the launcher ends them.

    Args:
        device: Device of this process; GPUs communicate by NCCL, CPUs by Gloo.

    Raises:
        RankError: If another process ended without an error message.

    Example:
        >>> with joined(torch.device("cpu")) as processes:  # not started by a launcher
        ...     processes.count, processes.is_first
        (1, True)
    """
    launch = launched()
    if launch.count == 1:
        yield ALONE
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    this = f"process {launch.rank} of {launch.count}"
    remedy = "start all again, a training run with `resume=True`"
    terminated = f"{this} was ended by its launcher, as happens when another one ends; {remedy}"
    try:
        with _told_when_terminated(RankError(terminated)):
            yield Processes(launch.rank, launch.count, launch.local_rank)
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        msg = (
            f"{this} cannot continue, as another one has ended, was killed or does not respond; "
            f"{remedy}"
        )
        raise RankError(msg) from error
    torch.distributed.destroy_process_group()


@contextmanager
def _told_when_terminated(terminated: RankError) -> Iterator[None]:
    """Raise an error at SIGTERM, by which launchers end the processes that are left.

    A process says why it ends once, and in full: after this error, or a lost connection, SIGTERM
    is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except RuntimeError as error:
        if _is_lost(error):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)


def _is_lost(error: RuntimeError) -> bool:
    """Return whether the connection to another process is lost; Gloo has no error class for it."""
    return isinstance(error, torch.distributed.DistError) or "gloo/transport" in str(error)
