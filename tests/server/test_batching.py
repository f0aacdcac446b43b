import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from channels import channels_recognizer
from served import GREEN, RED, Watched

from tagsight.errors import DataError
from tagsight.inference.recognizer import Recognizer
from tagsight.server.batching import Batcher, QueueFullError
from tagsight.server.decoding import DecoderPool
from tagsight.server.limits import Limits


@asynccontextmanager
async def batcher_of(recognizer: Recognizer, room: int) -> AsyncIterator[Batcher]:
    decoders = DecoderPool(2, Limits(), freed=lambda size: None)
    batcher = Batcher(recognizer, decoders, room)
    async with decoders.running(), batcher.running():
        yield batcher


def test_photos_of_several_requests_share_batches():
    system = Watched()

    async def requests() -> list[np.ndarray]:
        async with batcher_of(channels_recognizer(system, batch_size=8), room=64) as batcher:
            system.may_go_on.clear()
            tasks = [
                asyncio.create_task(batcher.recognise([RED if i % 2 else GREEN])) for i in range(32)
            ]
            while sum(system.sizes) + batcher.decoded < 32:
                await asyncio.sleep(0)
            system.may_go_on.set()
            answers = await asyncio.gather(*tasks)
        return [result.scores for (result,) in answers]

    scores = asyncio.run(requests())
    assert sum(system.sizes) == 32
    assert len(system.sizes) <= 8
    alone = {i: channels_recognizer()(RED if i else GREEN).scores for i in (0, 1)}
    for i, found in enumerate(scores):
        np.testing.assert_allclose(found, alone[i % 2], atol=1e-6)


def test_a_bad_photo_fails_only_its_own_request():
    async def requests() -> list[object]:
        async with batcher_of(channels_recognizer(batch_size=8), room=64) as batcher:
            return await asyncio.gather(
                *(batcher.recognise(photos) for photos in ([RED], [RED, b"no photo"], [GREEN])),
                return_exceptions=True,
            )

    first, second, third = asyncio.run(requests())
    assert first[0].labels[0].name == "red"
    assert isinstance(second, DataError)
    assert str(second).startswith("photo 2 of 2: ")
    assert third[0].labels[0].name == "green"


def test_room_is_released_when_photos_are_done():
    system = Watched()

    async def requests() -> None:
        async with batcher_of(channels_recognizer(system, batch_size=2), room=2) as batcher:
            system.may_go_on.clear()
            held = asyncio.create_task(batcher.recognise([RED, RED]))
            await asyncio.sleep(0)
            assert batcher.waiting == 2
            with pytest.raises(QueueFullError):
                await batcher.recognise([GREEN])
            system.may_go_on.set()
            await held
            assert batcher.waiting == 0
            assert len(await batcher.recognise([GREEN])) == 1

    asyncio.run(requests())


def test_a_cancelled_request_leaves_no_work():
    system = Watched()

    async def requests() -> None:
        async with batcher_of(channels_recognizer(system, batch_size=1), room=8) as batcher:
            system.may_go_on.clear()
            held = [asyncio.create_task(batcher.recognise([RED])) for _ in range(6)]
            while len(system.sizes) < 1:
                await asyncio.sleep(0)
            for task in held[3:]:
                task.cancel()
            await asyncio.gather(*held[3:], return_exceptions=True)
            system.may_go_on.set()
            await asyncio.gather(*held[:3])
            assert batcher.waiting == 0

    asyncio.run(requests())
    assert len(system.sizes) <= 5
