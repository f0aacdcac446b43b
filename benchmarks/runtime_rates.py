"""What runs a model: torch, ONNX Runtime and OpenVINO, in float32 and fast, on the same photos.

Run as ``python benchmarks/runtime_rates.py [--batches 16] [--rounds 5]``. The untrained
`resnet-quick` of 20 labels at 224 pixels, exported to temporary files, in 8 bits with ranges from
the photos themselves; files for squares are those that `--runtime` keeps in the cache. Each way
takes warped photos, in batches of 16, through its own threads; a turn each, round after round, the
best counts. Torch in float32 is what all are compared with. The share of labels that are decided as
torch in float32 does comes from the same photos. On a busy machine, compare the processor time.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from table import HEADER, alternated, row
from tag_rate import HEIGHT, WIDTH, build_recognizer, draw_photo

from tagsight.data.photos.resizing import as_square
from tagsight.inference.exporting import delivering, written_onnx
from tagsight.inference.networks import open_network
from tagsight.inference.networks.base import Network
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.quantization import quantize
from tagsight.runtime.device import Runtime

BATCH, DISTINCT = 16, 64


@contextmanager
def every_way() -> Iterator[dict[str, Network]]:
    """The networks by name, the one that all are compared with first."""
    trained = build_recognizer().network
    model = trained.model
    ways: dict[str, Network] = {
        f"torch, {precision}": TrainedNetwork(model, Runtime.choose("cpu", precision))
        for precision in ("float32", "bfloat16")
    }
    pixels = warped(trained)
    with (
        TemporaryDirectory() as temporary,
        written_onnx(model) as graph,
        written_onnx(model, squares=True) as squares,
    ):
        whole = Path(temporary) / "8-bits.onnx"
        quantize(graph, whole, iter(pixels[:, None]))
        for name, source, ending, precision in (
            ("ONNX Runtime, float32", graph, ".onnx", "auto"),
            ("ONNX Runtime, float32, squares", squares, ".onnx", "auto"),
            ("ONNX Runtime, 8 bits", whole, ".onnx", "auto"),
            ("OpenVINO, float32", graph, ".xml", "float32"),
            ("OpenVINO, float32, squares", squares, ".xml", "float32"),
            ("OpenVINO, bfloat16", graph, ".xml", "bfloat16"),
            ("OpenVINO, 8 bits", whole, ".xml", "float32"),
        ):
            file = Path(temporary) / f"{name.replace(', ', '-').replace(' ', '-')}{ending}"
            with delivering(source, file):
                pass
            parts = [part for part in (file, file.with_suffix(".bin")) if part.exists()]
            print(f"{name}: {sum(part.stat().st_size for part in parts) / 2**20:.1f} MiB")
            ways[name] = open_network(file, precision=precision)
        yield ways


def warped(network: Network) -> NDArray[np.uint8]:
    side = network.info.image_size
    return np.stack([as_square(draw_photo(i, WIDTH, HEIGHT), side) for i in range(DISTINCT)])


def work_of(network: Network, pixels: NDArray[np.uint8], batches: int) -> Callable[[], None]:
    def work() -> None:
        batches_given = repeat(pixels[:BATCH], batches)
        for _ in network.pipeline(lambda batch: batch, network, batches_given):
            pass

    return work


def processor_time(work: Callable[[], None], photos: int) -> float:
    """Seconds of all processors for a photo."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    photos = BATCH * given.batches
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    with every_way() as ways:
        networks = list(ways.values())
        decision = networks[0].info.fitted_decision()
        pixels = warped(networks[0])
        expected = decision.predicted(decision.scores(networks[0](pixels).logits))
        works = [work_of(network, pixels, given.batches) for network in networks]
        times = alternated(works, rounds=given.rounds)
        busy = [processor_time(work, photos) for work in works]
        print(f"load {os.getloadavg()[0]:.1f}")
        print(HEADER)
        for name, network, seconds, own in zip(ways, networks, times, busy, strict=True):
            said = decision.predicted(decision.scores(network(pixels).logits))
            alike = f"{(said == expected).mean():.1%} decided alike"
            rate, first = (photos / taken for taken in (seconds, times[0]))
            ours = f"{rate:.0f} photos/s, {alike}"
            row(name, ours, f"{first:.0f} photos/s (torch, float32)", rate / first)
            shown = f"{1000 * own:.1f} ms of a processor a photo"
            row(name, shown, f"{1000 * busy[0]:.1f} ms (torch, float32)", busy[0] / own)


if __name__ == "__main__":
    main()
