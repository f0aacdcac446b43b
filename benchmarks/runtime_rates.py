"""What runs a model: torch, ONNX Runtime and OpenVINO, in float32 and fast, on the same photos.

The untrained `resnet-cpu` of 20 labels at 224 pixels, exported to temporary files, in 8 bits with
ranges from the photos themselves. Each way takes 256 warped photos, in batches of 16, through its
own threads; a turn each, five rounds, the best counts. Torch in float32 is what all are compared
with. The share of labels that are decided as torch in float32 does comes from the same photos.
"""

from __future__ import annotations

import os
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

BATCH, BATCHES, DISTINCT = 16, 16, 64


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
    with TemporaryDirectory() as temporary, written_onnx(model) as graph:
        whole = Path(temporary) / "8-bits.onnx"
        quantize(graph, whole, iter(pixels[:, None]))
        for name, source, ending, precision in (
            ("ONNX Runtime, float32", graph, ".onnx", "auto"),
            ("ONNX Runtime, 8 bits", whole, ".onnx", "auto"),
            ("OpenVINO, float32", graph, ".xml", "float32"),
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


def work_of(network: Network, pixels: NDArray[np.uint8]) -> Callable[[], None]:
    def work() -> None:
        batches = repeat(pixels[:BATCH], BATCHES)
        for _ in network.pipeline(lambda batch: batch, network, batches):
            pass

    return work


def main() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    with every_way() as ways:
        networks = list(ways.values())
        decision = networks[0].info.fitted_decision()
        pixels = warped(networks[0])
        expected = decision.predicted(decision.scores(networks[0](pixels).logits))
        times = alternated([work_of(network, pixels) for network in networks])
        print(HEADER)
        for name, network, seconds in zip(ways, networks, times, strict=True):
            said = decision.predicted(decision.scores(network(pixels).logits))
            alike = f"{(said == expected).mean():.1%} decided alike"
            rate, first = (BATCH * BATCHES / taken for taken in (seconds, times[0]))
            ours = f"{rate:.0f} photos/s, {alike}"
            row(name, ours, f"{first:.0f} photos/s (torch, float32)", rate / first)


if __name__ == "__main__":
    main()
