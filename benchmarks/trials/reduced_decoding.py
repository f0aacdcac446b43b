"""What decoding JPEGs at a reduced size changes, in pixels and in a model's scores.

    python benchmarks/trials/reduced_decoding.py PHOTOS --number 50 --model runs/first/model

Photos of a folder are enlarged to camera size (12 megapixels) and saved as JPEG, quality 90, since
small ones are decoded whole. For each margin it prints the largest and the mean difference of
pixels in [0, 255] between the reduced and the whole decode, the milliseconds of a photo, and with a
model the largest and the mean difference of scores.
"""

from __future__ import annotations

import argparse
import time
from io import BytesIO
from itertools import islice
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from tagsight import Recognizer
from tagsight.data.photos.finding import find_photos
from tagsight.data.photos.reading import open_photo
from tagsight.loading.transforms import as_float, squared

SIDE, PIXELS, MARGINS = 224, 12_000_000, (1, 2, 4)


def camera_file(path: Path) -> bytes:
    photo = open_photo(path)
    times = (PIXELS / (photo.width * photo.height)) ** 0.5
    size = round(photo.width * times), round(photo.height * times)
    content = BytesIO()
    photo.resize(size, Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    return content.getvalue()


def read(file: bytes, margin: int | None) -> tuple[Tensor, float]:
    started = time.perf_counter()
    least = None if margin is None else margin * SIDE
    pixels = squared(open_photo(file, least_side=least), SIDE)
    return pixels, 1000 * (time.perf_counter() - started)


@torch.inference_mode()
def scores(recognizer: Recognizer, images: Tensor) -> Tensor:
    logits = recognizer.network.model.system(as_float(images)).logits.float()
    return torch.from_numpy(recognizer.decision.scores(logits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--number", type=int, default=50)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    paths = list(islice(find_photos([arguments.photos]), arguments.number))
    recognizer = None if arguments.model is None else Recognizer.load(arguments.model)
    ways: dict[int | None, list[tuple[Tensor, float]]] = {m: [] for m in (None, *MARGINS)}
    for path in paths:
        file = camera_file(path)
        for margin, taken in ways.items():
            taken.append(read(file, margin))
    images = {m: torch.stack([pixels for pixels, _ in taken]) for m, taken in ways.items()}
    print("| margin | ms a photo | largest | mean | scores: largest | mean |")
    print("| --- | --- | --- | --- | --- | --- |")
    for margin, taken in ways.items():
        milliseconds = sum(spent for _, spent in taken) / len(taken)
        cells = [f"{margin or 'whole'}", f"{milliseconds:.0f}"]
        difference = (images[margin].float() - images[None].float()).abs()
        cells += [f"{difference.max():.0f}", f"{difference.mean():.2f}"]
        if recognizer is not None:
            apart = (scores(recognizer, images[margin]) - scores(recognizer, images[None])).abs()
            cells += [f"{apart.max():.4f}", f"{apart.mean():.5f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
