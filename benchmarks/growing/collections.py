"""Many photos: the check before a run, near twins, the format of a file in one line, an index."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from growing.case import Case, Size, Work

LENGTH, LABELS, DISTINCT = 384, 12, 256
CHANGED = 0.12
"""Share of bits in which a drawn fingerprint differs from the one that it resembles."""

IN_TURN = 1000
"""Photos that are decoded alone and checked by turns, as a machine may be busier later."""


def check(folder: Path, size: Size) -> Work:
    """Check photos, as a second run does: all are known."""
    known_at, paths = checked(folder, size)

    def work() -> None:
        from tagsight.data.photos.check import check_photos

        with known(known_at) as before:
            found = check_photos(paths, workers=2, known=before)
        assert len(found.hashes) == size[0]

    return work


def first_check(folder: Path, size: Size) -> Work:
    """Check photos for the first time, and say at which share of the decoder's own rate."""
    from tagsight.data.photos.check import check_photos
    from tagsight.data.photos.reading import photo_traits
    from tagsight.runtime.threads import batched, ordered_map

    paths = distinct(folder, size[0])

    def decode(part: list[Path]) -> None:
        for _ in ordered_map(
            lambda path: photo_traits(path.read_bytes()), part, workers=2, ahead=8
        ):
            pass

    def work() -> None:
        with known(folder / "known") as before:
            ways = [decode, lambda part: check_photos(part, workers=2, known=before)]
            parts = [[_processor(way, part) for way in ways] for part in batched(paths, IN_TURN)]
        for what, some in (("all", parts), ("the last tenth", parts[-(len(parts) // 10 or 1) :])):
            alone, checked = (sum(way) for way in zip(*some, strict=True))
            print(f"{what}: checked at {alone / checked:.2f} of the decoder's own rate")

    return work


def _processor(way: Callable[[list[Path]], object], part: list[Path]) -> float:
    started = time.process_time()
    way(part)
    return time.process_time() - started


def drawn(folder: Path, count: int) -> list[Path]:
    """Draw JPEGs of 500 x 375 pixels: a few, and links to them."""
    chance = np.random.default_rng(0)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if number < DISTINCT:
            blocks = chance.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(blocks).resize((500, 375), Image.Resampling.BICUBIC).save(path)
            os.utime(path, ns=(10**18, 10**18))
        else:
            path.hardlink_to(paths[number % DISTINCT])
    return paths


def distinct(folder: Path, count: int) -> list[Path]:
    """Draw as many JPEGs with a comment of its own each, as a content that is known is not read."""
    contents = [path.read_bytes() for path in drawn(folder, min(count, DISTINCT))]
    paths = [folder / f"{number:06}-distinct.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        start, rest = contents[number % DISTINCT][:2], contents[number % DISTINCT][2:]
        comment = b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big")
        path.write_bytes(start + comment + rest)
        os.utime(path, ns=(10**18, 10**18))
    return paths


def checked(folder: Path, size: Size) -> tuple[Path, list[Path]]:
    from tagsight.data.photos.known import Sound
    from tagsight.data.photos.traits import PhotoTraits

    paths = drawn(folder, size[0])
    with known(folder / "known") as before:
        before.remember(
            Sound(
                path,
                (state := path.stat()).st_size,
                state.st_mtime_ns,
                str(path).encode(),
                PhotoTraits((500, 375)),
            )
            for path in paths
        )
    return folder / "known", paths


def known(file: Path) -> object:
    from tagsight.data.photos.known import KnownPhotos, Limits
    from tagsight.data.photos.reading import MAX_PIXELS
    from tagsight.runtime.limits import MAX_PHOTO_MEMORY

    return KnownPhotos(file, Limits(MAX_PIXELS, MAX_PHOTO_MEMORY), budget=10**10)


def twins(_: Path, size: Size) -> Work:
    """Group photos by fingerprints that resemble a few, as those of real photos do."""
    from tagsight.data.photos.check import Check
    from tagsight.data.photos.traits import Look, PhotoTraits
    from tagsight.data.splits.near_twins import near_twins

    chance = np.random.default_rng(0)
    kinds = chance.integers(0, 2**64, 2000, dtype=np.uint64)[chance.integers(0, 2000, size[0])]
    changed = np.packbits(chance.random((size[0], 64), dtype=np.float32) < CHANGED, axis=1)
    codes = (kinds ^ changed.view(np.uint64).ravel()).tolist()
    colours = chance.integers(0, 256, (size[0], 3)).tolist()
    traits = {
        Path(f"{number:07}.jpg"): PhotoTraits((500, 375), Look(code, tuple(colour)))
        for number, (code, colour) in enumerate(zip(codes, colours, strict=True))
    }
    known = Check((), {path: path.name.encode() for path in traits}, traits)
    return lambda: near_twins(known)


def sniff(folder: Path, size: Size) -> Work:
    """Find the format of a JSON file that is one line."""
    from tagsight.data.format import DEFAULTS
    from tagsight.data.readers import FORMATS
    from tagsight.data.recognition import format_of

    file = folder / "labels.json"
    with file.open("w", encoding="utf-8") as handle:
        handle.write("[")
        for number in range(size[0]):
            handle.write(f'{"," * bool(number)}{{"image": "{number:07}.jpg", "labels": ["a dog"]}}')
        handle.write("]")

    def work() -> None:
        assert format_of(file, None, DEFAULTS, FORMATS).name == "json-records"

    return work


def index(folder: Path, size: Size) -> Work:
    """Write vectors to an index in parts, tidy it, make it fast, and search it."""
    from tagsight.search.facts import Facts
    from tagsight.search.index import Entry, SearchIndex
    from tagsight.search.indexing import part_size

    names = tuple(f"label {number}" for number in range(LABELS))
    facts = Facts("model", "0" * 64, names, (0.5,) * LABELS, length=LENGTH)
    chance = np.random.default_rng(0)

    def work() -> None:
        opened, start = SearchIndex.create(folder / "index", facts), 0
        while start < size[0]:
            rows = min(part_size(start, facts), size[0] - start)
            vectors = chance.standard_normal((rows, LENGTH), dtype=np.float32)
            scores = chance.random((rows, LABELS), dtype=np.float32)
            opened.put(
                [
                    Entry(
                        f"/photos/{start + row:07}.jpg",
                        1,
                        1,
                        f"{start + row:07}".encode(),
                        (),
                        scores[row],
                        vectors[row],
                    )
                    for row in range(rows)
                ]
            )
            start += rows
        opened.tidy()
        opened.speed_up()
        for _ in range(20):
            opened.like(chance.standard_normal(LENGTH, dtype=np.float32), 10)

    return work


CASES = {
    "check": Case(
        "check of photos that an earlier run knows",
        check,
        ((12_500,), (25_000,), (50_000,), (100_000,)),
    ),
    "first-check": Case(
        "first check of photos", first_check, ((500,), (1000,), (2000,), (100_000,))
    ),
    "near-twins": Case(
        "near twins by fingerprints", twins, ((125_000,), (250_000,), (500_000,), (1_000_000,))
    ),
    "sniff": Case(
        "format of records in one line of JSON",
        sniff,
        ((250_000,), (500_000,), (1_000_000,), (2_000_000,)),
        1,
        0.5,
    ),
    "index": Case(
        f"index of vectors of {LENGTH}: written, tidied, searched",
        index,
        ((10_000,), (20_000,), (40_000,), (1_000_000,)),
    ),
}
