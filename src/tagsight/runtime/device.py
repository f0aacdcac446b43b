"""The machine: device, precision, threads, memory. It decides how fast, never what, is computed."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import torch

from tagsight.errors import DataError
from tagsight.runtime.launch import launched
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.processes import ALONE
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from tagsight.runtime.processes import Processes

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4

Precision = Literal["float32", "bfloat16", "float16"]

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Runtime:
    """Where a network runs, and in which precision its encoder does.

    Args:
        device: A torch device.
        precision: ``bfloat16`` and ``float16`` are used inside autocast only; weights and all that
            comes after the encoder are float32 always.
        workers: Threads that decode photos and, on a CPU, put them through the network.
        photo_memory: Budget for decoded photos, in bytes.
        cache: Folder for frozen features, or None to keep none.
        cache_space: Budget for them on the disk, in bytes.
        accumulate: Parts that a process takes its photos of a training step in, one after the
            other, to need less memory.
        processes: Those that train together.
        max_photo_memory: Bytes that decoding one photo may take, in each of the threads that do it.
    """

    device: torch.device
    precision: Precision
    workers: int = 2
    photo_memory: int = 2 * 2**30
    cache: Path | None = None
    cache_space: int = 20 * 2**30
    accumulate: int = 1
    processes: Processes = ALONE
    max_photo_memory: int = MAX_PHOTO_MEMORY

    @classmethod
    def choose(
        cls,
        device: str = "auto",
        precision: Literal["auto", Precision] = "auto",
        *,
        workers: int | None = None,
        photo_memory: int = 2 * 2**30,
        cache: Path | None = None,
        cache_space: int = 20 * 2**30,
        accumulate: int = 1,
    ) -> Self:
        """Take the GPU if there is one, the fastest precision safe there, a thread per processor.

        ``auto`` takes CUDA devices, AMD's under ROCm among them. Apple's ``mps`` and Intel's
        ``xpu`` are taken if they are named, in float32: no result of ours was measured on them.

        The fastest is for training; what a model says of photos is said in float32.

        Of several processes that a launcher started on one machine, each takes a GPU of its own.

        Raises:
            DataError: If there is no such device here.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            place = torch.device(device)
            if place == torch.device("cuda"):
                place = torch.device("cuda", launched().local_rank)
            torch.empty(0, device=place)
        except (RuntimeError, AssertionError, ImportError) as error:
            raise DataError(_missing(device)) from error
        if place.type == "cpu":
            _keep_freed_memory()
        chosen = _fast_precision(place) if precision == "auto" else precision
        if place.type == "cuda" and chosen == "float32":
            # It is to be float32: by itself cuDNN rounds what it multiplies to 10 bits (TF32).
            torch.backends.cudnn.allow_tf32 = False
        threads = workers or min(16, os.cpu_count() or 1)
        return cls(place, chosen, threads, photo_memory, cache, cache_space, accumulate)

    def autocast(self) -> AbstractContextManager[object]:
        """Give the region in which the encoder runs in the chosen precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.precision))

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Generator[Outcome, None, None]:
        """Work batches off, in their order, some of them at once; an error comes in its place.

        A GPU has one forward pass at a time, of what threads prepare ahead of it. On a CPU a thread
        prepares a batch and takes it through the network on a share of the processors: threads that
        wait for each other within every layer lose more to whatever else is running. While it
        works, threads that use torch for the first time may get that share as well.

        Args:
            prepare: A batch on the CPU.
            forward: Has the forward pass in it; several threads may be in it at once.
            batches: Drawn in the consumer's thread, as many ahead as there are workers, and one.
        """
        if self.device.type != "cpu":
            ahead = self.workers + 1
            prepared = ordered_map(prepare, batches, workers=self.workers, ahead=ahead)
            return (forward(one) for one in prepared)
        return self._lanes(lambda batch: forward(prepare(batch)), batches)

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """How many threads take a batch of their own through the network, and how each begins."""
        if self.device.type != "cpu":
            return 1, _nothing
        threads = torch.get_num_threads()
        lanes = min(self.workers, threads)
        return lanes, partial(torch.set_num_threads, threads // lanes)

    def _lanes(
        self, work: Callable[[Item], Outcome], batches: Iterable[Item]
    ) -> Generator[Outcome, None, None]:
        threads = torch.get_num_threads()
        lanes, share = self.lanes()
        try:
            yield from ordered_map(work, batches, workers=lanes, ahead=lanes + 1, begin=share)
        finally:
            torch.set_num_threads(threads)

    def __str__(self) -> str:
        return f"{self.device.type} in {self.precision}"


def _missing(device: str) -> str:
    kind, _, number = device.partition(":")
    if kind == "cuda":
        count = torch.cuda.device_count()
        there = f"no CUDA device {number} here, of {count}" if count else "no CUDA device here"
        return f"{there}: expected a device of this machine such as 'cpu', got {device!r}"
    others = " or 'cuda'" if torch.cuda.is_available() else ""
    return f"expected a device of this machine such as 'cpu'{others}, got {device!r}"


def _nothing() -> None:
    pass


def _keep_freed_memory() -> None:
    """Let the C library keep what it frees instead of returning it to the system.

    A step allocates and frees gigabytes; getting them back page by page, zeroed, takes a third of
    the time of training on a CPU (benchmarks/memory_reuse.py).
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _fast_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    # Without the instructions bfloat16 is emulated, slower than float32.
    native = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bfloat16" if native else "float32"
