"""Photos of many requests recognised together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tagsight.inference.recognizer import Prepared, Recognizer
    from tagsight.inference.result import Result
    from tagsight.server.decoding import Decoders

LINGER = 0.004
"""Seconds that a photo waits for others to come along."""

PATIENCE = 0.05
"""Seconds that it waits for others that are being decoded."""


class BusyError(Exception):
    """There is no room for more photos just now."""


class _Waiting(NamedTuple):
    photo: Prepared
    answer: asyncio.Future[Result]


class Batcher:
    """Collects the photos of all requests into batches; threads take these through the network.

    Args:
        recognizer: The model. Its batch size is the most that is taken together.
        decoders: Processes that decode the photos.
        room: Most photos that wait or are being recognised.
    """

    def __init__(self, recognizer: Recognizer, decoders: Decoders, room: int) -> None:
        self._recognizer = recognizer
        self._decoders = decoders
        self._room = room
        self._inside = 0
        self._undecoded = 0
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        lanes, begin = recognizer.network.lanes()
        self._free = asyncio.Semaphore(lanes)
        self._pool = ThreadPoolExecutor(lanes, "tagsight-batch", initializer=begin)

    @property
    def waiting(self) -> int:
        """Photos that wait or are being recognised."""
        return self._inside

    @property
    def decoded(self) -> int:
        """Photos that wait for the network."""
        return self._queue.qsize()

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

        One request has no more photos decoded at once than there are processes, so that others have
        their turn; when one of its photos cannot be read, its others are given up.

        Raises:
            BusyError: If there is no room.
            DataError: If one of them cannot be read; it says which, if there are several.
        """
        if self._inside + len(photos) > self._room:
            raise BusyError
        self._inside += len(photos)
        turn = asyncio.Semaphore(self._decoders.count)
        several = len(photos) > 1
        tasks = [
            asyncio.create_task(
                self._recognised(photo, turn, f"photo {place} of {len(photos)}" if several else "")
            )
            for place, photo in enumerate(photos, 1)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            self._inside -= len(photos)
            for task in tasks:
                task.cancel()

    async def _recognised(self, photo: bytes, turn: asyncio.Semaphore, name: str) -> Result:
        try:
            async with turn:
                prepared = await self._prepared(photo)
        except DataError as error:
            if not name:
                raise
            message = f"{name}: {error}"
            raise type(error)(message) from error
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(prepared, answer))
        return await answer

    async def _prepared(self, photo: bytes) -> Prepared:
        self._undecoded += 1
        try:
            return await self._decoders.open(
                photo, self._recognizer.prepare, least_side=self._recognizer.least_side
            )
        finally:
            self._undecoded -= 1

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            batch = await self._collected()
            photos = [one.photo for one in batch]
            done = loop.run_in_executor(self._pool, self._recognizer.results, photos)
            done.add_done_callback(partial(self._deliver, batch))

    async def _collected(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        started = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            while len(batch) < self._recognizer.batch_size:
                async with asyncio.timeout_at(started + (PATIENCE if self._undecoded else LINGER)):
                    batch.append(await self._queue.get())
        return [one for one in batch if not one.answer.done()]

    def _deliver(self, batch: Sequence[_Waiting], done: asyncio.Future[list[Result]]) -> None:
        self._free.release()
        error = done.exception()
        for place, one in enumerate(batch):
            if one.answer.done():
                continue
            if error is not None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(done.result()[place])
