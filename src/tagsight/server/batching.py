"""Batches of photos from several requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tagsight.inference.recognizer import Prepared, Recognizer
    from tagsight.inference.result import Result
    from tagsight.server.decoding import DecoderPool

LINGER = 0.004
"""Seconds that a photo waits for others."""

PATIENCE = 0.05
"""Seconds that it waits for photos that are being decoded."""


class QueueFullError(Exception):
    """The queue has no room for the photos of a request."""


class _Waiting(NamedTuple):
    photo: Prepared
    result: asyncio.Future[Result]


class Batcher:
    """Collects the photos of all requests into batches, which threads pass through the network.

    Args:
        recognizer: The model; its batch size is the largest batch.
        decoders: Processes that decode the photos.
        room: Maximum number of photos that are waiting or being recognised.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from tagsight.server.decoding import DecoderPool
        >>> from tagsight.server.limits import Limits
        >>> async def recognised(*photos):
        ...     decoders = DecoderPool(2, Limits(), freed=lambda size: None)
        ...     batcher = Batcher(ts.load("runs/first/model"), decoders, room=256)
        ...     async with decoders.running(), batcher.running():
        ...         return await batcher.recognise(photos)
        >>> results = asyncio.run(recognised(Path("photos/dog.jpg"), Path("photos/00.jpg")))
        >>> [result.photo_size for result in results]
        [(128, 96), (128, 96)]
    """

    def __init__(self, recognizer: Recognizer, decoders: DecoderPool, room: int) -> None:
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
        """Number of photos that are waiting or being recognised."""
        return self._inside

    @property
    def decoded(self) -> int:
        """Number of decoded photos that wait for the network."""
        return self._queue.qsize()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Process batches while the block runs, and finish accepted requests at its end."""
        dispatcher = asyncio.create_task(self._dispatch())
        try:
            yield
        finally:
            dispatcher.cancel()
            await asyncio.gather(dispatcher, return_exceptions=True)
            self._pool.shutdown(cancel_futures=True)

    async def recognise(self, photos: Sequence[bytes | Path]) -> list[Result]:
        """Recognise the photos of a request, in batches shared with other requests.

        Each photo is given by its content, or as a file. A request has at most as many photos in
        decoding as there are processes, so that others get their turn. If one photo cannot be read,
        the rest of its request is cancelled.

        Raises:
            QueueFullError: If there is no room.
            DataError: If a photo cannot be read; it names the photo if there are several.
        """
        if self._inside + len(photos) > self._room:
            raise QueueFullError
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

    async def _recognised(self, photo: bytes | Path, turn: asyncio.Semaphore, name: str) -> Result:
        try:
            async with turn:
                prepared = await self._prepared(photo)
        except DataError as error:
            if not name:
                raise
            message = f"{name}: {error}"
            raise type(error)(message) from error
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(prepared, result))
        return await result

    async def _prepared(self, photo: bytes | Path) -> Prepared:
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
        return [one for one in batch if not one.result.done()]

    def _deliver(self, batch: Sequence[_Waiting], done: asyncio.Future[list[Result]]) -> None:
        self._free.release()
        error = done.exception()
        for place, one in enumerate(batch):
            if one.result.done():
                continue
            if error is not None:
                one.result.set_exception(error)
            else:
                one.result.set_result(done.result()[place])
