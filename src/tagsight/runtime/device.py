"""Device, precision, threads and memory limits. They decide the speed, not the results."""

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
    """The hardware that a network runs on: device, precision, threads and memory limits.

    Args:
        device: A torch device.
        precision: Precision of the encoder. ``bfloat16`` and ``float16`` are used inside autocast
            only; weights and everything after the encoder are always float32.
        workers: Threads that decode photos and, on a CPU, run the network.
        photo_memory: Budget for decoded photos, in bytes.
        cache: Folder of cached features, or None to cache none.
        cache_space: Budget of that folder, in bytes.
        accumulate: Batches into which a process divides its share of a training step, to save
            memory.
        checkpoint_gradients: Whether the encoder's features are computed again in the backward
            pass, to save memory.
        processes: The processes that train together.
        max_photo_memory: Bytes that decoding one photo may take, in each decoding thread.

    Example:
        >>> print(Runtime.choose("cpu", "float32", workers=1))
        cpu in float32
    """

    device: torch.device
    precision: Precision
    workers: int = 2
    photo_memory: int = 2 * 2**30
    cache: Path | None = None
    cache_space: int = 20 * 2**30
    accumulate: int = 1
    checkpoint_gradients: bool = False
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
        checkpoint_gradients: bool = False,
    ) -> Self:
        """Choose the GPU if there is one, the fastest safe precision, and a thread per processor.

        Of several processes that a launcher started on one machine, each uses a GPU of its own.

        Args:
            device: ``auto`` is a CUDA device (or AMD's under ROCm) if there is one, else the CPU.
                Apple's ``mps`` and Intel's ``xpu`` are used only if named, as we have not measured
                results on them.
            precision: ``auto`` is the fastest precision that is safe for training on the device.
                Use float32 for recognition.
            workers: Threads; by default one per processor, at most 16.
            photo_memory: Budget for decoded photos, in bytes.
            cache: Folder of cached features, or None to cache none.
            cache_space: Budget of that folder, in bytes.
            accumulate: Batches into which a process divides its share of a training step.
            checkpoint_gradients: Whether the encoder's features are computed again in the backward
                pass, to save memory.

        Raises:
            DataError: If this machine has no such device.
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
            # By default cuDNN rounds the factors of convolutions to 10 bits (TF32).
            torch.backends.cudnn.allow_tf32 = False
        threads = workers or min(16, os.cpu_count() or 1)
        return cls(
            place,
            chosen,
            threads,
            photo_memory,
            cache,
            cache_space,
            accumulate,
            checkpoint_gradients,
        )

    @property
    def photos_at_once(self) -> int:
        """Photos per forward pass without training.

        On a CPU more are no faster, and their activations take gigabytes at 448 pixels.
        """
        return 16 if self.device.type == "cpu" else 64

    def autocast(self) -> AbstractContextManager[object]:
        """Return the autocast context in which the encoder runs in the chosen precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.precision))

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Generator[Outcome, None, None]:
        """Process batches in parallel and yield the results in order; errors are raised in order.

        On a GPU, threads prepare batches ahead of one forward pass at a time. On a CPU, each thread
        prepares a batch and runs the network on a share of the processors. That is faster than all
        processors on one batch, whose threads wait for each other in every layer. Meanwhile other
        threads that use torch for the first time may get the same share.

        Args:
            prepare: Loads a batch, on the CPU.
            forward: Runs the network on a prepared batch; must be thread-safe.
            batches: Iterated in the consumer's thread, at most ``workers + 1`` batches ahead.

        Example:
            >>> runtime = Runtime(torch.device("cpu"), "float32")
            >>> [int(s) for s in runtime.pipeline(torch.tensor, torch.sum, [[1, 2], [3]])]
            [3, 3]
        """
        if self.device.type != "cpu":
            ahead = self.workers + 1
            prepared = ordered_map(prepare, batches, workers=self.workers, ahead=ahead)
            return (forward(one) for one in prepared)
        lanes, share = self.lanes()
        return ordered_map(
            lambda batch: forward(prepare(batch)),
            batches,
            workers=lanes,
            ahead=lanes + 1,
            begin=share,
            end=partial(torch.set_num_threads, torch.get_num_threads()),
        )

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """Return the number of threads that each run the network, and their initialisation."""
        if self.device.type != "cpu":
            return 1, _do_nothing
        threads = torch.get_num_threads()
        lanes = min(self.workers, threads)
        return lanes, partial(torch.set_num_threads, threads // lanes)

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


def _do_nothing() -> None:
    pass


def _keep_freed_memory() -> None:
    """Make the C library keep freed memory instead of returning it to the operating system.

    A training step allocates and frees gigabytes. Getting them back as zeroed pages takes a third
    of the time of training on a CPU (benchmarks/memory_reuse.py).
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _fast_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if device.type == "cpu" and _multiplies_in_bfloat16() else "float32"


def _multiplies_in_bfloat16() -> bool:
    """Return whether the processor has instructions for products of bfloat16.

    Without them oneDNN emulates products, at a quarter of the speed of float32. It calls bfloat16
    supported on any x86 processor with AVX-512.
    """
    if platform.machine().lower() in {"x86_64", "amd64"}:
        return torch.cpu._is_avx512_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
