"""Orders of photos that stay as they are until somebody asks for fresh ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_ORDERS = 32
"""Orders that are kept; the one that was not used for longest is dropped."""

State = Literal["present", "absent", "unjudged"]


class Query(NamedTuple):
    """A selection of photos, and their order.

    Attributes:
        queue: Name of a queue.
        label: Id of the label in hand, or None.
        state: Only photos of which this was said of the label, or None.
    """

    queue: str
    label: int | None = None
    state: State | None = None


class Order(NamedTuple):
    """An order of photos, and its number, which grows."""

    revision: int
    photos: NDArray[np.int32]


class Orders:
    """The orders in use, so that photos do not move while somebody judges them.

    Example:
        >>> orders = Orders()
        >>> first = orders.get(Query("all"), lambda: np.array([3, 1]))
        >>> again = orders.get(Query("all"), lambda: np.array([1, 3]))
        >>> fresh = orders.get(Query("all"), lambda: np.array([1, 3]), fresh=True)
        >>> again.photos.tolist(), fresh.photos.tolist(), fresh.revision
        ([3, 1], [1, 3], 2)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Query, Order] = OrderedDict()
        self._last = 0

    def get(
        self, query: Query, compute: Callable[[], NDArray[np.integer]], *, fresh: bool = False
    ) -> Order:
        """Return the order of a query, computed if there is none or a fresh one is wanted."""
        with self._lock:
            if not fresh and query in self._kept:
                self._kept.move_to_end(query)
                return self._kept[query]
        photos = compute().astype(np.int32)
        with self._lock:
            self._last += 1
            order = self._kept[query] = Order(self._last, photos)
            self._kept.move_to_end(query)
            while len(self._kept) > MOST_ORDERS:
                self._kept.popitem(last=False)
        return order
