"""Measure which runtime is fastest for a model on this machine, among those that agree with torch.

Files for the cache take squares that are ready, since the recogniser makes them anyway.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsight.checkpoint.folder import load_model
from tagsight.errors import DataError
from tagsight.inference.agreement import compare
from tagsight.inference.exporting import TOLERANCE, delivering, written_onnx
from tagsight.inference.known_photos import known_photos
from tagsight.inference.networks import open_network
from tagsight.inference.networks.exported import ENDINGS
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import BATCH_SIZE, Recognizer
from tagsight.inference.runtime_cache import Choice
from tagsight.runtime.files import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.agreement import Agreement
    from tagsight.inference.networks.base import Network
    from tagsight.inference.networks.exported import Form
    from tagsight.inference.runtime_cache import RuntimeCache
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog

COMPARED = 32
"""Photos on which decisions are compared, at most."""

EQUAL = 0.999
"""Fraction of decisions that must be equal."""

GAIN = 1.05
"""Rate, relative to torch's, from which another runtime is chosen."""

ROUNDS, SECONDS = 5, 10.0
"""Rounds in which the runtimes take turns, and seconds after which no further one begins."""


class _Rival(NamedTuple):
    """An exported file that decides as the model does.

    Attributes:
        form: Its runtime.
        file: The file.
        network: Runs it.
        agreement: How far it agrees with the model.
    """

    form: Form
    file: Path
    network: Network
    agreement: Agreement


def choose_runtime(
    folder: Path, runtime: Runtime, forms: Sequence[Form], cache: RuntimeCache, log: WorkLog
) -> Choice:
    """Export a model for each runtime, and choose the fastest that decides as torch does.

    Args:
        folder: The model folder.
        runtime: The CPU in float32, and threads.
        forms: Runtimes to compare with torch.
        cache: Receives the choice and the file of the runtime chosen.
        log: Receives the progress.

    Raises:
        DataError: If the model or the cache cannot be used.

    Example:
        >>> from tagsight.inference.runtime_cache import RuntimeCache
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.runtime.progress import SILENT
        >>> folder, runtime = Path("runs/tiny/model"), Runtime.choose("cpu", "float32")
        >>> cache = RuntimeCache.of(folder)
        >>> choice = choose_runtime(folder, runtime, ["onnx"], cache, SILENT)
        >>> choice.runtime in {"torch", "onnx"}, cache.choice() == choice
        (True, True)
    """
    model = load_model(folder, runtime.device)
    cache.check(folder)
    log.note("comparing runtimes, once for this model on this machine")
    with ExitStack() as stack:
        photos = stack.enter_context(known_photos(model, log))[:COMPARED]
        try:
            graph = stack.enter_context(written_onnx(model, squares=True))
        except DataError as error:
            choice = Choice(runtime="torch", reason=f"torch: {error}"[:2000])
            cache.remember(choice)
            return choice
        written = stack.enter_context(temporary_folder())
        rivals, reasons = [], []
        for form in forms:
            try:
                rivals.append(_rival(model, graph, form, written, photos, runtime.workers, log))
            except DataError as error:
                reasons.append(str(error))
        networks = [TrainedNetwork(model, runtime), *(rival.network for rival in rivals)]
        rates = _measured_rates(networks, _squares(networks[0], photos))
        best = max(range(len(rates)), key=rates.__getitem__)
        if best and rates[best] >= GAIN * rates[0]:
            chosen = rivals[best - 1]
            choice = Choice(runtime=chosen.form, reason=_faster(chosen, rates[best], rates[0]))
            cache.add(chosen.form, chosen.file)
        else:
            choice = Choice(runtime="torch", reason=_torch(rivals, rates, reasons)[:2000])
    cache.remember(choice)
    return choice


def export_for(folder: Path, form: Form, cache: RuntimeCache, log: WorkLog) -> Path:
    """Export a model for a runtime into the cache, if the file decides as the model does.

    Raises:
        DataError: If the model cannot be exported, the file disagrees with it, or the cache cannot
            be written.

    Example:
        >>> from tagsight.inference.runtime_cache import RuntimeCache
        >>> from tagsight.runtime.progress import SILENT
        >>> folder = Path("runs/tiny/model")
        >>> export_for(folder, "onnx", RuntimeCache.of(folder), SILENT).suffix
        '.onnx'
    """
    cache.check_writable()
    model = load_model(folder)
    cache.check(folder)
    log.note(f"exporting {model.recipe.system}, once for this model on this machine")
    with (
        known_photos(model, log) as photos,
        written_onnx(model, squares=True) as graph,
        temporary_folder() as written,
    ):
        rival = _rival(model, graph, form, written, photos[:COMPARED], None, log)
        return cache.add(form, rival.file)


def _measured_rates(
    networks: Sequence[Network], pixels: NDArray[np.uint8], *, rounds: int = ROUNDS
) -> list[float]:
    """Measure the rates of networks in turns, each with its own threads, in photos per second.

    The best round of each counts, as other programs can only slow it down.

    Args:
        networks: The networks.
        pixels: ``(B, S, S, C)`` uint8, a batch that all of them recognise again and again.
        rounds: Rounds, besides one that warms up and is not counted.
    """
    batches = 2 * max(network.lanes()[0] for network in networks)
    best = [0.0] * len(networks)
    started = time.perf_counter()
    threads = torch.get_num_threads()
    for number in range(rounds + 1):
        if number > 1 and time.perf_counter() - started > SECONDS:
            break
        for place, network in enumerate(networks):
            before = time.perf_counter()
            for _ in network.pipeline(_same, network, repeat(pixels, batches)):
                pass
            rate = batches * len(pixels) / (time.perf_counter() - before)
            best[place] = max(best[place], rate) if number else 0.0
    torch.set_num_threads(threads)
    return best


def _rival(
    model: LoadedModel,
    graph: Path,
    form: Form,
    folder: Path,
    photos: Sequence[Path],
    workers: int | None,
    log: WorkLog,
) -> _Rival:
    """Write and open the file of a runtime.

    Raises:
        DataError: If it cannot be written or opened, or decides otherwise than the model.
    """
    file = folder / f"{form}{ENDINGS[form]}"
    with delivering(graph, file):
        pass
    network = open_network(file, "cpu", "float32", workers=workers)
    agreement = compare(model, network, photos, own_sizes=False, log=log)
    if agreement.scores > TOLERANCE or agreement.decisions < EQUAL:
        msg = (
            f"expected {network.runs_on} to decide as torch does, got {agreement.decisions:.2%} "
            f"equal decisions and scores that differ by up to {agreement.scores:.2g}"
        )
        raise DataError(msg)
    return _Rival(form, file, network, agreement)


def _squares(network: Network, photos: Sequence[Path]) -> NDArray[np.uint8]:
    recognizer = Recognizer(network)
    squares = []
    for photo in photos:
        try:
            squares.append(recognizer.pixels(photo))
        except DataError:
            continue
    return np.stack(list(islice(cycle(squares), BATCH_SIZE)))


def _faster(rival: _Rival, rate: float, torchs: float) -> str:
    return (
        f"{rival.network.runs_on}, {rate / torchs:.2f} times as fast as torch ({rate:.0f} against "
        f"{torchs:.0f} photos/s), {rival.agreement.decisions:.2%} of decisions equal"
    )


def _torch(rivals: Sequence[_Rival], rates: Sequence[float], reasons: Sequence[str]) -> str:
    others = [
        f"{rival.network.runs_on} {rate:.0f} photos/s"
        for rival, rate in zip(rivals, rates[1:], strict=True)
    ]
    return "; ".join([f"torch, {rates[0]:.0f} photos/s", *others, *reasons])


def _same(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels
