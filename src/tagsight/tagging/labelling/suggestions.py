"""Scores of a trained model for the photos of a project: its suggestions."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from tagsight.runtime.threads import yield_to_others
from tagsight.tagging.labelling.errors import disk_problems
from tagsight.tagging.labelling.features import NOWHERE, mapped, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tagsight.errors import DataError
    from tagsight.inference.recognizer import PhotoLike, Recognizer
    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.project import Project

PART = 64
"""Photos whose scores are written at once."""

STEPS = 65534
"""Scores are stored as whole numbers from 1 to 65535; 0 is none yet."""


class Suggestions:
    """The scores of a trained model, kept in the project's folder by content, as features are.

    Labels of the model that the project does not have are made.

    Args:
        project: The project.
        features: Knows the slot of each photo's content.
        recognizer: The trained model.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from tagsight.tagging.labelling.encoder import Encoded
        >>> from tagsight.tagging.labelling.features import Features
        >>> from tagsight.tagging.labelling.project import Project
        >>> recognizer = ts.load("runs/first/model")
        >>> encoded = Encoded(np.ones((24, 8), np.float16), np.zeros((24, 7, 7, 64), np.int8))
        >>> with Project(Path("runs/project"), Path("photos")) as project:
        ...     project.photos.search(lambda: None)
        ...     ids = project.photos.there().tolist()
        ...     features = Features(project.database, project.folder, "example", dimensions=8)
        ...     features.add(ids, [bytes([photo]) for photo in ids], encoded)
        ...     suggestions = Suggestions(project, features, recognizer)
        ...     suggestions.compute(lambda left: print(left, "photos left"))
        ...     suggestions.of(features.slots(24)).shape
        ...     [label.name for label in project.labels.shown]
        24 photos left
        0 photos left
        (24, 2)
        ['dog', 'sky']
    """

    def __init__(self, project: Project, features: Features, recognizer: Recognizer) -> None:
        self._project = project
        self._features = features
        self._recognizer = recognizer
        self.labels = tuple(project.labels.make(name).id for name in recognizer.labels)
        self._file = features.folder / f"{features.encoder}-{recognizer.info.model[:16]}.scores"
        self._stopped = threading.Event()
        with disk_problems(self._file):
            self._file.touch()

    def stop(self) -> None:
        """Let `compute` end after its present part."""
        self._stopped.set()

    def compute(self, on_part: Callable[[int], object]) -> None:
        """Score the photos that have features and no scores yet.

        Args:
            on_part: Called at the start and after each part, with the number of photos left.

        Raises:
            DataError: If the disk is full.
        """
        yield_to_others()
        photos, slots = self._waiting()
        on_part(len(photos))
        for start in range(0, len(photos), PART):
            if self._stopped.is_set():
                return
            part = slice(start, start + PART)
            rows = self._project.photos.rows(photos[part].tolist())
            paths = [self._project.photos.path_of(one) for one in rows]
            slot_of = dict(zip(paths, slots[part].tolist(), strict=True))
            found = self._recognizer.recognize(paths, on_error=_leave_out)
            with disk_problems(self._file):
                for result in found:
                    if result.path is not None:
                        row = np.rint(1 + STEPS * np.clip(result.scores, 0, 1)).astype(np.uint16)
                        write_rows(self._file, slot_of[result.path], row[None])
            on_part(max(0, len(photos) - part.stop))

    def of(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return scores by slot: ``(n,) -> (n, L)`` float32 in [0, 1], NaN where there is none."""
        known = self._stored()
        scores = np.full((len(slots), len(self.labels)), np.nan, np.float32)
        there = (slots != NOWHERE) & (slots < len(known))
        found = known[slots[there]].astype(np.float32)
        scores[there] = np.where(found > 0, (found - 1) / STEPS, np.nan)
        return scores

    def _stored(self) -> NDArray[np.uint16]:
        count = self._file.stat().st_size // (2 * len(self.labels))
        return mapped(self._file, np.uint16, (count, len(self.labels)))

    def _waiting(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return photos without scores and their slots, one photo of each content."""
        there = self._project.photos.there()
        slots = self._features.slots(self._project.photos.count)[there - 1]
        slots, first = np.unique(slots, return_index=True)
        missing = np.isnan(self.of(slots)).any(1) & (slots != NOWHERE)
        return there[first][missing], slots[missing]


def _leave_out(photo: PhotoLike, error: DataError) -> None:
    """Leave a photo out, of which the project says itself that it cannot be used."""
