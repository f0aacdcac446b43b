"""Write a folder of scenes: JPEGs, labels and boxes."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import re
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.demo.scenes.dependencies import LABELS
from tagsight.demo.scenes.scene import draw_scene
from tagsight.runtime.files import naming, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tagsight.demo.scenes.composition import Box

QUALITY = 90
SPLITS = ("train",) * 14 + ("val",) * 3 + ("test",) * 3
"""Splits in turn, so that any number of scenes is divided 70/15/15."""

OURS = re.compile(r"scene-\d{5,}\.jpg")


class Drawn(NamedTuple):
    """Facts of a photo that has been written."""

    file_name: str
    size: tuple[int, int]
    boxes: dict[str, list[Box]]


def write_scenes(
    folder: Path,
    *,
    count: int = 1000,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw scenes into ``folder/images``, and write ``labels.csv`` and ``boxes.json`` beside it.

    Scenes of an earlier call are removed first and the labels are written last, so that a folder
    with ``labels.csv`` is complete. The files depend on ``count`` and ``seed`` only.

    Args:
        folder: Is created if it does not exist; other files in it are kept.
        count: Number of scenes.
        seed: Seed of the collection, at least 0.
        workers: Number of processes. With more than one, a script must call this below
            ``if __name__ == "__main__":``, because each process imports the script.
        progress: Called after each scene with the number done and the total.

    Returns:
        The folder.

    Raises:
        ValueError: If ``count`` is below 1 or ``seed`` below 0.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     written = write_scenes(Path(folder), count=2)
        ...     sorted(path.name for path in written.rglob("*.*"))
        ['boxes.json', 'labels.csv', 'scene-00000.jpg', 'scene-00001.jpg']
    """
    if count < 1 or seed < 0:
        msg = f"expected at least one scene and a seed of at least 0, got {count} and {seed}"
        raise ValueError(msg)
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    _remove_earlier(folder)
    drawn = []
    with _scenes(images, count, seed, workers) as scenes:
        for done, scene in enumerate(scenes, 1):
            drawn.append(scene)
            if progress is not None:
                progress(done, count)
    write_atomically(folder / "boxes.json", _boxes_json(drawn, seed))
    write_atomically(folder / "labels.csv", _labels_csv(drawn))
    return folder


def _remove_earlier(folder: Path) -> None:
    for name in ("labels.csv", "boxes.json"):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "images").iterdir():
        if OURS.fullmatch(path.name):
            path.unlink()


@contextmanager
def _scenes(images: Path, count: int, seed: int, workers: int) -> Iterator[Iterator[Drawn]]:
    write = partial(_write_scene, images, seed)
    if workers <= 1:
        yield map(write, range(count))
        return
    # Not fork, which would copy the process without its threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_alone)
    try:
        yield pool.map(write, range(count), chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_scene(images: Path, seed: int, index: int) -> Drawn:
    scene = draw_scene(seed, index)
    file_name = f"scene-{index:05}.jpg"
    with naming(images / file_name):
        scene.photo.save(images / file_name, quality=QUALITY)
    return Drawn(file_name, scene.photo.size, scene.boxes)


def _labels_csv(drawn: Sequence[Drawn]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "split", *LABELS])
    for index, scene in enumerate(drawn):
        present = [int(label in scene.boxes) for label in LABELS]
        table.writerow([scene.file_name, SPLITS[index % len(SPLITS)], *present])
    return text.getvalue()


def _boxes_json(drawn: Sequence[Drawn], seed: int) -> str:
    objects = [
        (number, LABELS.index(label) + 1, box)
        for number, scene in enumerate(drawn, 1)
        for label, boxes in scene.boxes.items()
        for box in boxes
    ]
    content = {
        "info": {"description": f"scenes drawn by tagsight, seed {seed}"},
        "images": [
            {"id": number, "file_name": file_name, "width": width, "height": height}
            for number, (file_name, (width, height), _) in enumerate(drawn, 1)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": photo,
                "category_id": label,
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0,
            }
            for number, (photo, label, (left, top, right, bottom)) in enumerate(objects, 1)
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(LABELS, 1)],
    }
    return json.dumps(content, separators=(",", ":")) + "\n"
