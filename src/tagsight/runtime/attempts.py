"""Counts of work that was begun and not ended, which outlive the processes that do the work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_DEATHS = 2
"""Processes that may die over the same work before it is divided or given up."""


@dataclass(frozen=True)
class Attempts:
    """Counts attempts in a process of Ray that does nothing else.

    Work is named by bytes. A process that works on other machines has a copy of this object.

    Args:
        counter: Handle of the actor that counts.

    Example:
        >>> attempts = Attempts.on_this_machine()  # doctest: +SKIP
        >>> attempts.begin([b"a.jpg"]), attempts.begin([b"a.jpg"])  # doctest: +SKIP
        (0, 1)
    """

    counter: Any

    @classmethod
    def on_this_machine(cls) -> Self:
        """Start to count on the machine that asks, without which nobody needs the counts."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Counter)
        return cls(actor.options(scheduling_strategy=here).remote())

    def begin(self, work: Sequence[bytes]) -> int:
        """Count an attempt, and return how many were begun before it and not ended."""
        import ray

        return int(ray.get(self.counter.begin.remote(_key(work))))

    def end(self, work: Sequence[bytes]) -> None:
        """Forget all attempts at work that is done."""
        self.counter.end.remote(_key(work))


class _Counter:
    def __init__(self) -> None:
        self._begun: Counter[bytes] = Counter()

    def begin(self, key: bytes) -> int:
        self._begun[key] += 1
        return self._begun[key] - 1

    def end(self, key: bytes) -> None:
        self._begun.pop(key, None)


def _key(work: Sequence[bytes]) -> bytes:
    """Compute a name of fixed size, as a block has kilobytes of paths."""
    return blake2b(b"\0".join(work), digest_size=16).digest()
