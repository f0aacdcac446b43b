"""Shares of drawn twins that the fingerprint and the encoder find, and of photos that are none.

Takes photos, draws variants of some (crops, brightness, compression, size, mirrored, turned), and
compares each with its original: by the fingerprint of 64 bits, and by the cosine of the centred
embeddings of the encoder of the recipe quick. Pairs of different photos say how many are found that
are none; some of a real collection are twins indeed.

    python benchmarks/twins.py PHOTOS [ORIGINALS VARIED]
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from tagsight.data.photos.check import Check, check_photos
from tagsight.data.photos.finding import find_photos
from tagsight.data.splits.near_twins import near_twins
from tagsight.runtime.device import Runtime
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.settings import known_recipe
from tagsight.training.examination import Examiner

COSINES = (0.75, 0.8, 0.85, 0.9, 0.95)


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    """Return a function that cuts a part, this share of each side, off centre."""

    def crop(photo: Image.Image) -> Image.Image:
        width, height = round(share * photo.width), round(share * photo.height)
        left, top = (photo.width - width) * 2 // 3, (photo.height - height) // 3
        return photo.crop((left, top, left + width, top + height))

    return crop


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": lambda photo: photo,  # at quality 30
    "half the size": lambda photo: photo.reduce(2),
    "brightness x 1.4": lambda photo: ImageEnhance.Brightness(photo).enhance(1.4),
    "brightness x 0.6": lambda photo: ImageEnhance.Brightness(photo).enhance(0.6),
    "crop of 95 %": cropped(0.95),
    "crop of 85 %": cropped(0.85),
    "crop of 70 %": cropped(0.7),
    "mirrored": ImageOps.mirror,
    "turned by 5 degrees": lambda photo: photo.rotate(5, Image.Resampling.BILINEAR),
}


def drawn(photos: list[Path], varied: int, folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Write the variants; yield the kind, the original and the variant."""
    for path in photos[:varied]:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        for kind, change in VARIANTS.items():
            file = folder / f"{path.stem}-{kind.replace(' ', '-')}.jpg"
            change(photo).save(file, quality=30 if kind == "compressed" else 90)
            yield kind, path, file


def main(folder: Path, originals: int = 400, varied: int = 100) -> None:
    """Print the table."""
    photos = list(find_photos([folder]))
    photos = random.Random(0).sample(photos, min(originals, len(photos)))
    with TemporaryDirectory() as made:
        twins = list(drawn(photos, varied, Path(made)))
        paths = [*photos, *(file for _, _, file in twins)]
        check = check_photos(paths, workers=2)
        recipe, runtime = known_recipe("quick"), Runtime.choose("cpu", "float32")
        embeddings = Examiner.of(recipe, runtime).embeddings(paths, check, TerminalLog(shown=False))
        report(photos, twins, check, cosines(embeddings), paths)


def cosines(embeddings: np.ndarray) -> np.ndarray:
    """Return the cosines of all pairs, without the mean of all."""
    centred = embeddings - embeddings.mean(0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return units @ units.T


def report(
    photos: list[Path],
    twins: list[tuple[str, Path, Path]],
    check: Check,
    alike: np.ndarray,
    paths: list[Path],
) -> None:
    """Print a line for each kind of variant, and one for pairs of different photos."""
    place = {path: row for row, path in enumerate(paths)}
    print("variant             | fingerprint | " + " | ".join(f"cosine {c}" for c in COSINES))
    for kind in VARIANTS:
        pairs = [(one, other) for name, one, other in twins if name == kind]
        by_look = [bool(near_twins(only(check, pair))) for pair in pairs]
        by_cosine = np.array([alike[place[one], place[other]] for one, other in pairs])
        found = " | ".join(f"{(by_cosine >= cosine).mean():10.1%}" for cosine in COSINES)
        print(f"{kind:19} | {np.mean(by_look):11.1%} | {found}")
    upper = alike[: len(photos), : len(photos)][np.triu_indices(len(photos), 1)]
    by_look = sum(len(group) - 1 for group in near_twins(only(check, photos)))
    found = " | ".join(f"{int((upper >= cosine).sum()):10,}" for cosine in COSINES)
    print(f"of {len(upper):,} others | {by_look:11,} | {found}")


def only(check: Check, paths: tuple[Path, ...] | list[Path]) -> Check:
    """Return what is known of some photos."""
    sound = [path for path in paths if path in check.hashes]
    return Check(
        (),
        {path: check.hashes[path] for path in sound},
        {path: check.traits[path] for path in sound},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
