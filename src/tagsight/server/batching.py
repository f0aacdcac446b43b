"""Photos of many requests recognised together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tagsight.recognizer import Recognizer
    from tagsight.result import Result

LINGER = 0.004
"""Seconds that a photo waits for others to come along."""


class BusyError(Exception):
    """There is no room for more photos just now."""


class _Waiting(NamedTuple):
    photo: bytes
    answer: asyncio.Future[Result]


class Batcher:
    """Collects the photos of all requests into batches; threads take these through the network.

    Args:
        recognizer: The model. Its batch size is the most that is taken together.
        room: Most photos that wait or are being recognised.
    """

    def __init__(self, recognizer: Recognizer, room: int) -> None:
        self._recognizer = recognizer
        self._room = room
        self._inside = 0
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        lanes, begin = recognizer.network.lanes()
        self._free = asyncio.Semaphore(lanes)
        self._pool = ThreadPoolExecutor(lanes, "tagsight-batch", initializer=begin)

    @property
    def waiting(self) -> int:
        """Photos that wait or are being recognised."""
        return self._inside

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for as long as the block lasts; what was accepted before its end is finished."""
        dispatcher = asyncio.create_task(self._dispatch())
        try:
            yield
        finally:
            dispatcher.cancel()
            await asyncio.gather(dispatcher, return_exceptions=True)
            self._pool.shutdown(cancel_futures=True)

    async def recognise(self, photos: Sequence[bytes]) -> list[Result]:
        """Recognise photos, together with those of others.

        Raises:
            BusyError: If there is no room.
            DataError: If one of them cannot be read; it says which, if there are several.
        """
        if self._inside + len(photos) > self._room:
            raise BusyError
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(photo, loop.create_future()) for photo in photos]
        for one in waiting:
            self._inside += 1
            one.answer.add_done_callback(self._left)
            self._queue.put_nowait(one)
        try:
            found = await asyncio.gather(*(one.answer for one in waiting), return_exceptions=True)
        except asyncio.CancelledError:
            for one in waiting:
                one.answer.cancel()
            raise
        return [_answer(one, i, len(photos)) for i, one in enumerate(found)]

    def _left(self, _: asyncio.Future[Result]) -> None:
        self._inside -= 1

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            batch = await self._collected()
            photos = [one.photo for one in batch]
            done = loop.run_in_executor(self._pool, self._recognizer.answers, photos)
            done.add_done_callback(partial(self._deliver, batch))

    async def _collected(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        until = asyncio.get_running_loop().time() + LINGER
        try:
            async with asyncio.timeout_at(until):
                while len(batch) < self._recognizer.batch_size:
                    batch.append(await self._queue.get())
        except TimeoutError:
            pass
        return [one for one in batch if not one.answer.done()]

    def _deliver(
        self, batch: Sequence[_Waiting], done: asyncio.Future[list[Result | DataError]]
    ) -> None:
        self._free.release()
        error = done.exception()
        for place, one in enumerate(batch):
            if one.answer.done():
                continue
            if error is not None:
                one.answer.set_exception(error)
                continue
            answer = done.result()[place]
            if isinstance(answer, DataError):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)


def _answer(answer: Result | BaseException, place: int, count: int) -> Result:
    if isinstance(answer, DataError) and count > 1:
        message = f"photo {place + 1} of {count}: {answer}"
        raise type(answer)(message) from answer
    if isinstance(answer, BaseException):
        raise answer
    return answer
