"""Heads that are fitted again, on a thread of their own, after people have judged photos."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tagsight.errors import DataError
from tagsight.nn.named_classes import matching_classes
from tagsight.training.heads import Basis, fit_heads
from tagsight.training.label_prior import LabelPrior

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tagsight.nn.encoder_base import Backbone
    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.project import Project
    from tagsight.training.heads import FittedHeads

QUIET, LONGEST = 0.4, 2.0
"""Seconds without a judgement after which heads are fitted, and the longest that they wait."""

PART = 4096
"""Embeddings that are scored at once."""

TWINS_AFTER = 1.25
"""Growth of the encoded photos from which near twins are searched again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Learned:
    """The heads and their scores, as of one revision of the project.

    Args:
        revision: Number of this model, from 1.
        of: Revision of the judgements that it has learned from.
        fitted: The heads.
        labels: Ids of its ``L`` labels.
        scores: ``(photos, L)`` float32 in [0, 1], NaN for photos without features.
        held_out: ``(photos, L)`` float32, scores by heads that did not learn from the photo; NaN
            where nothing is judged.
        seconds: Time that it took.

    Example:
        >>> from tagsight.training.heads import fit_heads
        >>> photos = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
        >>> fitted = fit_heads(photos, (photos > 0).astype(np.int8))
        >>> scores = fitted.scores(photos)
        >>> learned = Learned(1, 40, fitted, (3, 7), scores, held_out=scores, seconds=0.1)
        >>> learned.column(7), learned.column(8)
        (1, None)
    """

    revision: int
    of: int
    fitted: FittedHeads
    labels: tuple[int, ...]
    scores: NDArray[np.float32]
    held_out: NDArray[np.float32]
    seconds: float

    def column(self, label: int) -> int | None:
        """Return the column of a label, or None if the heads do not know it yet."""
        return self.labels.index(label) if label in self.labels else None


class Learner:
    """A thread that fits heads to what is judged so far.

    Args:
        project: The judgements.
        features: The embeddings.
        backbone: The encoder of the embeddings, which may know what labels are named after.
        on_learned: Called in the thread with the outcome.

    Attributes:
        learned: The last outcome, or None before the first.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> from tagsight.tagging.labelling.encoder import Encoded
        >>> from tagsight.tagging.labelling.features import Features
        >>> from tagsight.tagging.labelling.project import Project
        >>> backbone = build_backbone(BackboneConfig())
        >>> embeddings = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float16)
        >>> encoded = Encoded(embeddings, np.zeros((40, 7, 7, 64), np.int8))
        >>> with Project(Path("project"), Path()) as project:
        ...     ids = project.photos.note([(f"{number}.jpg", 1, 1) for number in range(40)])
        ...     features = Features(project.database, project.folder, "example", dimensions=8)
        ...     features.add(ids, [bytes([photo]) for photo in ids], encoded)
        ...     dog = project.labels.make("dog").id
        ...     for photo in ids[:30]:
        ...         _ = project.judge([photo], dog, int(embeddings[photo - 1, 0] > 0), "me")
        ...     learned = Learner(project, features, backbone, print).learn()
        >>> learned.scores.shape, learned.fitted.quality[0].ap > 0.8
        ((40, 1), True)
    """

    def __init__(
        self,
        project: Project,
        features: Features,
        backbone: Backbone,
        on_learned: Callable[[Learned], object],
    ) -> None:
        self._project = project
        self._features = features
        self._backbone = backbone
        self._on_learned = on_learned
        self._wake = threading.Condition()
        self._waiting_since: float | None = None
        self._last = 0.0
        self._stopped = False
        self._basis: tuple[int, Basis] | None = None
        self._prior: tuple[tuple[str, ...], LabelPrior] | None = None
        self._twins = 0, np.empty(0, np.int64)
        self._named = lru_cache(maxsize=None)(self._is_named)
        self._thread = threading.Thread(target=self._run, name="tagsight-learner", daemon=True)
        self.learned: Learned | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Note that there is something new to learn from."""
        with self._wake:
            self._last = time.monotonic()
            self._waiting_since = self._waiting_since or self._last
            self._wake.notify()

    def ranks(self, name: str) -> bool:
        """Whether a label of this name is ranked before it is judged, as the encoder knows it."""
        return self._named(name)

    def learn(self) -> Learned | None:
        """Fit heads to what is judged now.

        Returns:
            None if nothing was ever known: no label is named after classes of the encoder, and no
            photo is judged to have one; also if there is no label, or no photo is encoded yet.
        """
        began = time.monotonic()
        targets, of = self._project.targets()
        shown = [label.id for label in self._project.labels.shown]
        names = tuple(label.name for label in self._project.labels.shown)
        slots = self._features.slots(len(targets))
        targets = targets[:, [label - 1 for label in shown]]
        rows = ((targets >= 0).any(1) & (slots >= 0)).nonzero()[0]
        embeddings, before = self._features.embeddings(), self.learned
        if not names or not len(embeddings):
            return None
        prior = self._known_of(names)
        if before is None and prior.matches is None and not (targets[rows] == 1).any():
            return None
        same = before is not None and before.labels == tuple(shown)
        fitted = fit_heads(
            np.asarray(embeddings[slots[rows]], np.float32),
            targets[rows],
            prior=prior,
            start=before.fitted.heads if before is not None and same else None,
            basis=self._directions(embeddings),
            groups=self.twins()[rows],
        )
        held_out = np.full(targets.shape, np.nan, np.float32)
        held_out[rows] = fitted.calibrated(fitted.held_out)
        return Learned(
            1 if before is None else before.revision + 1,
            of,
            fitted,
            tuple(shown),
            _scores(fitted, embeddings, slots),
            held_out,
            time.monotonic() - began,
        )

    def _run(self) -> None:
        while self._is_due():
            try:
                learned = self.learn()
            except (DataError, ValueError, RuntimeError):
                logger.exception("heads could not be fitted")
                continue
            if learned is not None:
                self.learned = learned
                self._on_learned(learned)

    def _is_due(self) -> bool:
        """Wait until people pause; return False when the thread is to end."""
        with self._wake:
            while not self._stopped:
                now = time.monotonic()
                if self._waiting_since is None:
                    self._wake.wait()
                    continue
                due = min(self._last + QUIET, self._waiting_since + LONGEST)
                if now >= due:
                    self._waiting_since = None
                    return True
                self._wake.wait(due - now)
        return False

    def _directions(self, embeddings: NDArray[np.float16]) -> Basis:
        """Compute the directions of all embeddings, again whenever there are twice as many."""
        if self._basis is None or len(embeddings) >= 2 * self._basis[0]:
            step = max(1, len(embeddings) // PART)
            some = np.asarray(embeddings[::step], np.float32)
            self._basis = len(embeddings), Basis.of(some)
        return self._basis[1]

    def twins(self) -> NDArray[np.int64]:
        """Number the photos so that near twins have equal numbers: ``(photos,)``.

        It is done again whenever a quarter more photos have been encoded.
        """
        count, photos = self._features.count, self._project.photos.count
        before, groups = self._twins
        if not before <= count <= TWINS_AFTER * before or len(groups) > photos:
            groups = self._project.photos.twins()
            self._twins = count, groups
        return np.concatenate([groups, np.arange(len(groups), photos)])

    def _is_named(self, name: str) -> bool:
        return matching_classes([name], self._backbone) is not None

    def _known_of(self, names: tuple[str, ...]) -> LabelPrior:
        if self._prior is None or self._prior[0] != names:
            self._prior = names, LabelPrior.of_names(names, self._backbone)
        return self._prior[1]


def _scores(
    fitted: FittedHeads,
    embeddings: NDArray[np.float16],
    slots: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Score all photos."""
    by_slot = np.empty((len(embeddings) + 1, len(fitted.quality)), np.float32)
    by_slot[-1] = np.nan  # the row of photos without a slot, which is -1
    for first in range(0, len(embeddings), PART):
        part = np.asarray(embeddings[first : first + PART], np.float32)
        by_slot[first : first + len(part)] = fitted.scores(part)
    return by_slot[slots]
