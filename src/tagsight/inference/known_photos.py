"""Photos on which an exported file is compared with its model, if the user gives none."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tagsight.data.photos.tar_members import is_tar
from tagsight.data.readers import read_annotations
from tagsight.data.source import is_file
from tagsight.errors import DataError
from tagsight.evaluation.measured_rows import measured_rows
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import temporary_folder
from tagsight.training.preparation import DATA_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.runtime.progress import WorkLog

KNOWN = 100
"""Photos to compare on, at most."""

DRAWN = 8
"""Pictures that are drawn where there are no photos."""


@contextmanager
def known_photos(model: LoadedModel, log: WorkLog) -> Iterator[list[Path]]:
    """Yield validation photos of the model's run, or random pictures where these are gone.

    Args:
        model: The model.
        log: Told which of them.

    Example:
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.progress import SILENT
        >>> with known_photos(load_model(Path("runs/first/model")), SILENT) as photos:
        ...     [photo.name for photo in photos]
        ['16.jpg', '17.jpg', '18.jpg', '19.jpg']
    """
    if known := _validation_photos(model):
        log.note(f"comparing on {amount(len(known), 'validation photo')} of the model's run")
        yield known
        return
    log.note(f"no validation photos of the model's run there: comparing on {DRAWN} drawn ones")
    with temporary_folder() as folder:
        yield _random_pictures(folder)


def _validation_photos(model: LoadedModel) -> list[Path]:
    """Return validation photos of the run that the model is of, without those that are gone."""
    file = None if model.folder is None else model.folder.parent / DATA_FILE
    if file is None or not file.is_file():
        return []
    try:
        rows, _ = measured_rows(read_annotations(file), model.folder, "val")
    except DataError:  # the labels, or all of the photos, are gone
        return []
    there = (path for path in rows.paths if is_file(path) or is_tar(path.parent))
    return list(islice(there, KNOWN))


def _random_pictures(folder: Path) -> list[Path]:
    """Write pictures with structure of every size, from single pixels to all of the picture."""
    random = np.random.default_rng(0)
    paths = []
    for number in range(DRAWN):
        size = (int(random.integers(160, 640)), int(random.integers(160, 640)))
        pixels = np.zeros((size[1], size[0], 3))
        for cells in (2, 4, 16, 64):
            coarse = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
            pixels += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=float) / 4
        path = folder / f"{number:02}.png"
        Image.fromarray(pixels.round().astype(np.uint8)).save(path)
        paths.append(path)
    return paths
