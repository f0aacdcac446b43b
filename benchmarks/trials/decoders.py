"""Decoders of JPEG against Pillow's: processor time of a photo, and the difference of its pixels.

Run as ``python benchmarks/trials/decoders.py``; needs simplejpeg and pyvips-binary besides
torchvision. Drawn photos of 0.2, 2 and 12 megapixels at quality 90, as ours are read: bytes in
memory, decoded in one thread, whole and reduced as for a network of 224 pixels (an eighth, a
quarter or a half of each side, the smallest that keeps twice the 224 pixels). Ways take turns, the
best of several counts; processor time also holds on a busy machine. `open_photo` is Pillow with
our checks of cost, colour profile and orientation. Differences are levels of 255.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyvips
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from tagsight.data.photos.reading import decoding_side, open_photo

sys.path.insert(0, str(Path(__file__).parents[1]))

from table import alternated
from tag_rate import HEIGHT, QUALITY, WIDTH, draw_photo

SIZES = {0.2: 1, 2: 3.3, 12: 8}
"""Megapixels, and how many times as wide and high as 500 x 375."""

SIDE, ROUNDS = 224, 5
Pixels = NDArray[np.uint8]


def jpeg(times: float) -> bytes:
    photo = draw_photo(0, WIDTH, HEIGHT)
    photo = photo.resize((round(WIDTH * times), round(HEIGHT * times)), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(0, 256, (photo.height, photo.width), dtype=np.uint8)
    photo = Image.blend(photo, Image.fromarray(noise).convert("RGB"), 0.1 if times > 1 else 0)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def by_pillow(content: bytes, least: int | None) -> Pixels:
    photo = Image.open(io.BytesIO(content), formats=["JPEG"])
    if least is not None:
        photo.draft(None, (least, least))
    return np.asarray(photo)


def by_us(content: bytes, least: int | None) -> Pixels:
    return np.asarray(open_photo(content, least_side=least))


def by_simplejpeg(content: bytes, least: int | None) -> Pixels:
    if least is None:
        return simplejpeg.decode_jpeg(content, "RGB")
    # It knows all eighths of the size, and takes the smallest that has at least these pixels.
    photo = Image.open(io.BytesIO(content))
    photo.draft(None, (least, least))
    return simplejpeg.decode_jpeg(content, "RGB", min_width=photo.width, min_height=photo.height)


def by_torchvision(content: bytes, _least: int | None) -> Pixels:
    file = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return decode_jpeg(file, ImageReadMode.RGB).permute(1, 2, 0).contiguous().numpy()


def by_vips(content: bytes, least: int | None) -> Pixels:
    whole = pyvips.Image.new_from_buffer(content, "", access="sequential")
    shrink = 1
    while (
        least is not None and shrink < 8 and min(whole.width, whole.height) // (2 * shrink) >= least
    ):
        shrink *= 2
    return pyvips.Image.new_from_buffer(content, "", access="sequential", shrink=shrink).numpy()


WAYS: dict[str, Callable[[bytes, int | None], Pixels]] = {
    "Pillow": by_pillow,
    "open_photo": by_us,
    "simplejpeg": by_simplejpeg,
    "torchvision": by_torchvision,
    "pyvips": by_vips,
}
WHOLE_ONLY = {"torchvision"}


def main() -> None:
    torch.set_num_threads(1)
    print("| megapixels | decoded | decoder | ms | of Pillow | largest difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for megapixels, times in SIZES.items():
        content = jpeg(times)
        for least in (None, decoding_side(SIDE)):
            ways = {n: way for n, way in WAYS.items() if least is None or n not in WHOLE_ONLY}
            expected = by_pillow(content, least).astype(int)
            works = [partial(way, content, least) for way in ways.values()]
            taken = alternated(works, rounds=ROUNDS, clock=time.process_time)
            for (name, way), seconds in zip(ways.items(), taken, strict=True):
                found = way(content, least)
                same = found.shape == expected.shape
                off = str(np.abs(found - expected).max()) if same else f"shape {found.shape[:2]}"
                kind = f"{expected.shape[1]} x {expected.shape[0]}"
                ratio = f"{seconds / taken[0]:.2f}"
                shown = f"{1000 * seconds:.2f} | {ratio}"
                print(f"| {megapixels} | {kind} | {name} | {shown} | {off} |", flush=True)


if __name__ == "__main__":
    main()
