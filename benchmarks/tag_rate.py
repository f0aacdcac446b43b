"""Tagging a folder of JPEGs, against the network alone on tensors that lie ready.

Run as ``python benchmarks/tag_rate.py [--runtime auto]``: the runtime that `tag` would choose here,
by measurement, or one by name. 1,000 photos of 500 x 375 pixels, quality 90, of textured noise
(about the bytes of a camera's), in batches of 16; a few contents have many names. Both ways share
the same processors, so that photos are tagged at best in the time that the network and decoding
take together: the second row compares with that. Shown is the round with the median ratio of five.
The rates of decoding alone, and of photos of 12 megapixels, are printed besides.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, get_args

import numpy as np
import torch
from PIL import Image
from table import HEADER, row

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import LoadedModel, save_model
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.inference.runtimes import RuntimeName, open_model
from tagsight.labels.space import empty_label_space
from tagsight.runtime.device import Runtime
from tagsight.runtime.threads import ordered_map
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.tagging.tagging import Lines, tag_photos

PHOTOS, WIDTH, HEIGHT, QUALITY = 1000, 500, 375, 90
LARGE_PHOTOS, LARGE = 96, 8  # times as wide and high: 12 megapixels
DISTINCT = 4
ROUNDS = 5
THREADS = 2


class Rates(NamedTuple):
    """Photos per second, measured one after the other."""

    tagging: float
    network: float
    preparing: float
    tagging_large: float
    decoding_large: float


def draw_photo(number: int, width: int, height: int) -> Image.Image:
    """Noise at every scale, the finer the weaker, as in photos."""
    chance = np.random.default_rng(number)
    total = np.zeros((height, width, 3), dtype=np.float32)
    cell = max(width, height)
    while cell >= 1:
        rows, columns = max(2, height // cell), max(2, width // cell)
        noise = chance.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        grown = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        total += (np.asarray(grown, dtype=np.float32) - 128) * (cell / max(width, height)) ** 0.35
        cell //= 2
    return Image.fromarray((128 + total).clip(0, 255).astype(np.uint8))


def draw_folder(folder: Path, count: int, times: int) -> list[Path]:
    """JPEGs; large ones are enlarged, with fresh fine noise from the sensor."""
    folder.mkdir()
    paths = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if number >= DISTINCT:
            path.hardlink_to(paths[number % DISTINCT])
            continue
        photo = draw_photo(number, WIDTH, HEIGHT)
        if times > 1:
            photo = photo.resize((WIDTH * times, HEIGHT * times), Image.Resampling.BICUBIC)
            shape = photo.height, photo.width
            noise = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
            photo = Image.blend(photo, Image.fromarray(noise).convert("RGB"), 0.1)
        photo.save(path, quality=QUALITY)
    return paths


def build_recognizer() -> Recognizer:
    recipe = RECIPES["resnet-quick"]
    labels = empty_label_space([f"label {number}" for number in range(20)])
    system = build_system(recipe, labels).eval()
    decision = Decision(thresholds=np.full(20, 0.5), temperature=1.0)
    model = LoadedModel(system, labels, decision, recipe, {}, "0" * 64)
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", workers=THREADS)))


def tagging_rate(recognizer: Recognizer, folder: Path, count: int) -> float:
    started = time.perf_counter()
    tagged = tag_photos(recognizer, find_photos([folder]), io.StringIO(), Lines())
    assert tagged.photos == count
    return count / (time.perf_counter() - started)


def network_rate(recognizer: Recognizer) -> float:
    batch, side, network = recognizer.batch_size, recognizer.info.image_size, recognizer.network
    ready = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    started = time.perf_counter()
    for _ in network.pipeline(lambda pixels: pixels, network, [ready] * (PHOTOS // batch)):
        pass
    return PHOTOS // batch * batch / (time.perf_counter() - started)


def rate_of(work: Callable[[Path], object], paths: list[Path]) -> float:
    started = time.perf_counter()
    for _ in ordered_map(work, paths, workers=THREADS, ahead=64):
        pass
    return len(paths) / (time.perf_counter() - started)


def in_runtime(recognizer: Recognizer, folder: Path, runtime: RuntimeName) -> Recognizer:
    """The same model from a folder, as `tag` opens it."""
    model = recognizer.network.model
    save_model(folder, model.system, model.labels, model.decision, model.recipe, {})
    network = open_model(folder, "cpu", runtime=runtime, measure=True, workers=THREADS)
    print(f"runtime: {network.runs_on}, in float32")
    return Recognizer(network)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="auto", choices=get_args(RuntimeName))
    options, _ = parser.parse_known_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    with TemporaryDirectory() as temporary:
        recognizer = in_runtime(build_recognizer(), Path(temporary) / "model", options.runtime)
        small, large = Path(temporary) / "small", Path(temporary) / "large"
        paths = draw_folder(small, PHOTOS, 1)
        large_paths = draw_folder(large, LARGE_PHOTOS, LARGE)
        size = sum(path.stat().st_size for path in paths) / PHOTOS / 1024
        large_size = sum(path.stat().st_size for path in large_paths) / LARGE_PHOTOS / 2**20
        print(f"{size:.0f} KiB a photo, {large_size:.1f} MiB a large one")
        rounds = [
            Rates(
                tagging_rate(recognizer, small, PHOTOS),
                network_rate(recognizer),
                rate_of(recognizer.pixels, paths),
                tagging_rate(recognizer, large, LARGE_PHOTOS),
                rate_of(open_photo, large_paths),
            )
            for _ in range(ROUNDS + 1)
        ]
    # The first round warms up.
    middle = sorted(rounds[1:], key=lambda rates: rates.tagging / rates.network)[ROUNDS // 2]
    tagging, network, preparing, tagging_large, decoding_large = middle
    print(
        f"decoding and resizing alone: {preparing:.0f}/s; "
        f"decoding whole large photos alone: {decoding_large:.1f}/s"
    )
    alone = f"{network:.0f} photos/s (network alone)"
    print(HEADER)
    name, rate = "tagging JPEGs of 500 x 375", f"{tagging:.0f} photos/s"
    row(name, rate, alone, tagging / network, 0.95)
    both = 1 / (1 / network + 1 / preparing)
    alone = f"{both:.0f} photos/s (network, and decoding and resizing, one after the other)"
    row(name, rate, alone, tagging / both, 0.95)
    whole = f"{decoding_large:.1f} photos/s (decoding whole photos alone)"
    name = "tagging JPEGs of 12 megapixels"
    row(name, f"{tagging_large:.1f} photos/s", whole, tagging_large / decoding_large)


if __name__ == "__main__":
    main()
