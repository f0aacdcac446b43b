"""The queues of a project in use: which of them can be chosen, and the photos of each in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.tagging.labelling.orders import Orders
from tagsight.tagging.labelling.queues import QUEUES, Pool, order
from tagsight.tagging.labelling.scores import columns_of
from tagsight.tagging.labelling.views import QueueView

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.learner import Learner
    from tagsight.tagging.labelling.names import NameSearch
    from tagsight.tagging.labelling.orders import Order, Query
    from tagsight.tagging.labelling.project import Project
    from tagsight.tagging.labelling.queues import Queue

VALUES = {"present": 1, "absent": 0, "unjudged": -1}

NOTHING_JUDGED = "judge a few photos first"
NONE_PRESENT = "judge first that a photo has a label"
NOT_ANALYSED = "wait a moment: no photo has been analysed yet"
STILL_LEARNING = "wait a moment: the model learns from what is judged"
STILL_RANKING = "wait a moment: photos are being ranked by the names of labels"
NO_NAMES = "wait a moment: no photo has been compared with names yet"


class SessionQueues:
    """The queues of a project, whose photos stay in order until somebody asks for a fresh one.

    Args:
        project: The project.
        features: Features of its photos.
        learner: Heads, which learn from judgements.
        scores: Scores of photos by their ids, for labels by theirs: ``(n, L)``, NaN for none.
        names: Compares photos with the names of labels, or None.
        suggested: Ids of the labels that a trained model scores, so that queues of them need no
            judgement.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> from tagsight.tagging.labelling.features import Features
        >>> from tagsight.tagging.labelling.learner import Learner
        >>> from tagsight.tagging.labelling.orders import Query
        >>> from tagsight.tagging.labelling.project import Project
        >>> with Project(Path("project"), Path()) as project:
        ...     _ = project.photos.note([("a.jpg", 1, 1), ("b.jpg", 1, 1)])
        ...     features = Features(project.database, project.folder, "example", dimensions=8)
        ...     learner = Learner(project, features, build_backbone(BackboneConfig()), print)
        ...     queues = SessionQueues(project, features, learner, print, None, suggested=())
        ...     waiting = {queue.name: queue.reason for queue in queues.offered()}
        ...     queues.get(Query("all")).photos.tolist(), waiting["probably-yes"]
        ([1, 2], 'judge a few photos first')
    """

    def __init__(
        self,
        project: Project,
        features: Features,
        learner: Learner,
        scores: Callable[[ArrayLike, Sequence[int]], NDArray[np.float32]],
        names: NameSearch | None,
        *,
        suggested: Collection[int],
    ) -> None:
        self._project = project
        self._features = features
        self._learner = learner
        self._scores = scores
        self._names = names
        self._suggested = suggested
        self._orders = Orders()

    def offered(self) -> list[QueueView]:
        """Describe the queues that this project can have, and whether they can be chosen now."""
        return [
            QueueView(one.name, one.title, one.meaning, one.needs_label, reason is None, reason)
            for one in QUEUES
            if not one.needs_names or self._names is not None
            for reason in [self._obstacle(one)]
        ]

    def get(self, query: Query, *, fresh: bool = False) -> Order:
        """Return the photos of a queue in order.

        Args:
            query: The queue.
            fresh: Whether it is put in order anew.

        Raises:
            DataError: If there is no such queue, or it cannot be chosen now.
        """
        return self._orders.get(query, lambda: self._ordered(query), fresh=fresh)

    def _obstacle(self, queue: Queue) -> str | None:
        if queue.needs_judgements and not self._project.revision:
            return NOTHING_JUDGED
        if queue.needs_scores and self._learner.learned is None and not self._suggested:
            ranked = queue.name == "probably-yes" and self._names is not None and self._names.count
            return None if ranked else self._reason_without_scores()
        if queue.needs_names and self._names is not None and not self._names.count:
            return NO_NAMES
        return None

    def _reason_without_scores(self) -> str:
        has_present = self._project.counts()[:, 0].any()
        ranked = any(self._learner.ranks(label.name) for label in self._project.labels.shown)
        if not (has_present or ranked):
            return NONE_PRESENT if self._project.revision else NOTHING_JUDGED
        if not self._features.count:
            return NOT_ANALYSED
        return STILL_LEARNING if has_present else STILL_RANKING

    def _ordered(self, query: Query) -> NDArray[np.int64]:
        known = {one.name: one for one in self.offered()}
        chosen = known.get(query.queue)
        if chosen is None:
            msg = f"expected a queue of {list(known)!r}, got {query.queue!r:.100}"
            raise DataError(msg)
        if not chosen.available:
            msg = f"expected a queue that can be chosen now, got {query.queue!r}: {chosen.reason}"
            raise DataError(msg)
        if chosen.needs_label and query.label is None:
            msg = f"expected a label for the queue {query.queue!r}, got none"
            raise DataError(msg)
        there = self._project.photos.there()
        targets, _ = self._project.targets()
        there = there[there <= len(targets)]
        shown = [label.id for label in self._project.labels.shown]
        column = None if query.label is None else shown.index(query.label)
        source = query
        if query.queue == "probably-yes" and not self._is_known(query.label):
            source = query._replace(queue="looks-like-name")  # no photo, without such an encoder
        rows = order(source.queue, self._pool(source, there, targets, shown), column)
        if query.state is not None and query.label is not None:
            rows = rows[targets[there - 1, query.label - 1][rows] == VALUES[query.state]]
        return there[rows]

    def _is_known(self, label: int | None) -> bool:
        """Whether scores of a label say more than that nothing is known of it."""
        if label is None or label in self._suggested or self._project.counts()[label - 1].any():
            return True
        return self._learner.ranks(self._project.labels[label].name)

    def _pool(
        self,
        query: Query,
        there: NDArray[np.int64],
        targets: NDArray[np.int8],
        shown: Sequence[int],
    ) -> Pool:
        """Collect what a queue looks at, for the photos that are there and the shown labels."""
        rows, learned, queue = there - 1, self._learner.learned, query.queue
        pool = Pool(
            targets[rows][:, [label - 1 for label in shown]],
            self._features.embeddings(),
            self._features.slots(len(targets))[rows],
            twins=self._learner.twins()[rows] if queue == "near-twins" else None,
        )
        if queue == "looks-like-name" and self._names is not None and query.label is not None:
            name, slots = self._project.labels[query.label].name, pool.slots
            assert slots is not None  # it was just given
            return pool._replace(likeness=self._names.likeness(name, slots))
        if not any(one.needs_scores for one in QUEUES if one.name == queue):
            return pool
        held_out = None if learned is None else columns_of(learned.held_out, there, shown, learned)
        return pool._replace(scores=self._scores(there, shown), held_out=held_out)
