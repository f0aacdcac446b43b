"""Events of a session, passed to everybody who listens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tagsight.tagging.labelling.background import Progress
    from tagsight.tagging.labelling.judgements import Batch
    from tagsight.tagging.labelling.learner import Learned
    from tagsight.tagging.labelling.views import LabelView


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        kind: What it is of.
        data: Plain values, to be sent as JSON.
    """

    kind: Literal["judgements", "labels", "model", "features"]
    data: dict[str, Any]


class Listeners:
    """Passes events on; safe for threads.

    Example:
        >>> listeners, heard = Listeners(), []
        >>> leave = listeners.join(heard.append)
        >>> listeners.publish(Event("labels", {}))
        >>> leave()
        >>> listeners.publish(Event("labels", {}))
        >>> len(heard)
        1
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[int, Callable[[Event], object]] = {}
        self._next = 0

    def join(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call a function with every event from now on; return a function that ends it.

        Args:
            listener: Called in the thread in which the event happens; must return soon.
        """
        with self._lock:
            number = self._next
            self._next += 1
            self._all[number] = listener

        def leave() -> None:
            with self._lock:
                self._all.pop(number, None)

        return leave

    def publish(self, event: Event) -> None:
        """Pass an event to all listeners."""
        with self._lock:
            listeners = list(self._all.values())
        for listener in listeners:
            listener(event)


def judgements_event(batches: Iterable[Batch], revision: int) -> list[Event]:
    """Word batches as events, each with the revision that it leads to.

    Example:
        >>> from tagsight.tagging.labelling.judgements import Batch, Change
        >>> judged = Batch(7, "ada", (Change(photo=1, label=2, value=-1),))
        >>> (event,) = judgements_event([judged], revision=7)
        >>> event.data["by"], event.data["changes"]
        ('ada', [{'photo': 1, 'label': 2, 'value': None}])
    """
    return [
        Event(
            "judgements",
            {
                "revision": batch.id,
                "by": batch.person,
                "changes": [
                    {"photo": photo, "label": label, "value": None if value < 0 else value}
                    for photo, label, value in batch.changes
                ],
            },
        )
        for batch in batches
        if batch.id <= revision
    ]


def progress_event(progress: Progress) -> Event:
    """Return the event that tells how far the features are.

    Example:
        >>> from tagsight.tagging.labelling.background import Progress
        >>> progress_event(Progress(3, 12, None)).data["encoded"]
        3
    """
    return Event("features", progress._asdict())


def model_event(learned: Learned, labels: Sequence[LabelView]) -> Event:
    """Return the event that tells of new heads, and how well each label is known.

    Example:
        >>> from types import SimpleNamespace
        >>> model_event(SimpleNamespace(revision=3, seconds=0.1234), []).data
        {'model_revision': 3, 'seconds': 0.123, 'labels': []}
    """
    data = {"model_revision": learned.revision, "seconds": round(learned.seconds, 3)}
    return Event("model", {**data, "labels": labels})
