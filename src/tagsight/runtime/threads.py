"""Processing of a stream of items by threads, in order and with bounded memory."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

LOW_PRIORITY = 10
"""Niceness of threads that work in the background."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
    begin: Callable[[], object] | None = None,
    end: Callable[[], object] | None = None,
) -> Generator[Result, None, None]:
    """Apply a function to items in threads, and yield the results in the order of the items.

    An exception of the function or of ``items`` is raised in place of its result. Closing the
    generator cancels calls that have not started and waits for the others, unless another thread
    closes it than the one that consumes it.

    Args:
        function: Called in a worker thread.
        items: Iterated in the consumer's thread, one at a time, as results are consumed.
        workers: Number of threads.
        ahead: Largest number of items taken whose results are not yet consumed; bounds memory.
        begin: Called in each thread before its first item.
        end: Called in the consumer's thread when all threads have ended.

    Raises:
        ValueError: If ``workers`` or ``ahead`` is below 1.

    Example:
        >>> list(ordered_map(str.upper, ["a", "b"], workers=2, ahead=2))
        ['A', 'B']
    """
    if workers < 1 or ahead < 1:
        msg = f"expected at least one worker and one item ahead, got {workers=} and {ahead=}"
        raise ValueError(msg)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tagsight", initializer=begin)
    return _results(pool, function, items, ahead, end)


@contextmanager
def in_background(
    function: Callable[[Item], Result], done: Callable[[Result], object]
) -> Iterator[Callable[[Item], None]]:
    """Apply a function to items in one thread, while the caller makes the next item.

    Two items are kept at most. Those that were given are finished at the end of the block, also if
    it raises. If the function raises, an item that was not begun is left out.

    Args:
        function: Called in the thread.
        done: Called with each result in the caller's thread, in the order of the items.

    Yields:
        A function that takes an item, and may wait for the one before; it raises what that raised.

    Example:
        >>> lengths = []
        >>> with in_background(len, lengths.append) as measure:
        ...     for word in ("dog", "horse"):
        ...         measure(word)
        >>> lengths
        [3, 5]
    """
    pending: deque[Future[Result]] = deque()

    def finish() -> None:
        try:
            result = pending[0].result()
        except Exception:
            for future in pending:
                future.cancel()
            pending.clear()
            raise
        pending.popleft()
        done(result)

    def give(item: Item) -> None:
        pending.append(pool.submit(function, item))
        if len(pending) > 1:
            finish()

    with ThreadPoolExecutor(1, thread_name_prefix="tagsight") as pool:
        try:
            yield give
        finally:
            while pending:
                finish()


def yield_to_others() -> None:
    """Lower the priority of this thread, so that requests are answered before it goes on.

    On Linux a thread has a priority of its own; elsewhere nothing is changed.

    Example:
        >>> thread = threading.Thread(target=yield_to_others)
        >>> thread.start()
        >>> thread.join()
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)


def batched(items: Iterable[Item], size: int, *, within: float = math.inf) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items; the last one, and those of slow items, may be shorter.

    Items that precede an error of the iterable are yielded before it is raised.

    Args:
        items: The items.
        size: Items of a list.
        within: Seconds after which a list is yielded with the item that comes next.

    Example:
        >>> list(batched("abc", 2)), list(batched("abc", 2, within=0))
        ([['a', 'b'], ['c']], [['a'], ['b'], ['c']])
    """
    batch: list[Item] = []
    begun = time.monotonic()
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size or time.monotonic() - begun >= within:
                yield batch
                batch, begun = [], time.monotonic()
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _results(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
    end: Callable[[], object] | None,
) -> Generator[Result, None, None]:
    futures, consumer = _submitted(pool, function, items), threading.get_ident()
    try:
        pending = deque(islice(futures, ahead))
        while pending:
            result = pending.popleft().result()
            pending.extend(islice(futures, 1))
            yield result
    finally:
        # In another thread it is the collection of garbage that closes an abandoned generator, and
        # if that thread is about to start, it holds a lock without which none can be waited for.
        is_consumer = threading.get_ident() == consumer
        pool.shutdown(wait=is_consumer, cancel_futures=True)
        if end is not None and is_consumer:
            end()


def _submitted(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Future[Result]]:
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # raised in order, after the results before it
        failed: Future[Result] = Future()
        failed.set_exception(error)
        yield failed
