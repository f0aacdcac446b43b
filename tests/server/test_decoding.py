from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from channels import corner, save_rotated
from PIL import Image
from served import GREEN, RED, encoded

from tagsight.data.photos import open_photo, whole_size
from tagsight.errors import DataError, TooLargeError, UnknownFormatError
from tagsight.server.decoding import Decoder, DecoderPool
from tagsight.server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")


@asynccontextmanager
async def decoders(count: int = 1, limits: Limits | None = None) -> AsyncIterator[DecoderPool]:
    found = DecoderPool(count, limits or Limits(), freed=lambda size: None)
    async with found.running():
        yield found


def unchanged(photo: Image.Image) -> Image.Image:
    return photo


def processes() -> list[int]:
    """The running decoders that this process has started."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    mine = [row for row in rows if int(row[1]) == os.getpid()]
    return [int(row[0]) for row in mine if b"decode_worker" in row[2]]


async def busy(pool: DecoderPool) -> None:
    """Wait until every process has a photo."""
    while pool.free:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_the_processes_decode_as_this_one_does(tmp_path: Path):
    save_rotated(corner("blue", (90, 40)), tmp_path / "turned.jpg")
    large = encoded(corner("green", (1200, 900)), "JPEG")
    sources = [RED, GREEN, large, tmp_path / "turned.jpg", encoded(corner().convert("LA"))]

    async def opened() -> list[Image.Image]:
        async with decoders(2) as pool:
            return [await pool.open(source, unchanged, least_side=64) for source in sources]

    for source, photo in zip(sources, asyncio.run(opened()), strict=True):
        here = open_photo(source, least_side=64)
        np.testing.assert_array_equal(photo, here)
        assert whole_size(photo) == whole_size(here)


def test_the_processes_raise_the_same_errors(tmp_path: Path):
    limits = Limits(pixels=5000)
    large = encoded(corner("red", (80, 80)))
    sources = [b"", b"%PDF", RED[:60], large, tmp_path / "none.png", tmp_path]

    async def errors() -> list[DataError]:
        async with decoders(limits=limits) as pool:
            found = []
            for source in sources:
                with pytest.raises(DataError) as raised:
                    await pool.open(source, unchanged, least_side=64)
                found.append(raised.value)
            return found

    for source, error in zip(sources, asyncio.run(errors()), strict=True):
        with pytest.raises(DataError) as here:
            open_photo(source, max_pixels=5000, least_side=64)
        assert (type(error), str(error)) == (type(here.value), str(here.value))


def test_a_photo_is_reduced_and_an_error_of_the_callback_is_passed_on():
    def refuse(_: Image.Image) -> None:
        msg = "expected something else"
        raise UnknownFormatError(msg)

    async def requests() -> Image.Image:
        async with decoders() as pool:
            with pytest.raises(UnknownFormatError, match="something else"):
                await pool.open(RED, refuse, least_side=64)
            source = encoded(corner("red", (640, 320)), "JPEG")
            return await pool.open(source, unchanged, least_side=80, fit=80)

    photo = asyncio.run(requests())
    assert photo.size == (80, 40)
    assert whole_size(photo) == (640, 320)


@needs_signals
def test_a_decoder_that_hangs_is_killed_and_replaced():
    async def requests() -> tuple[int, int]:
        async with decoders(limits=Limits(decoding=1)) as pool:
            await pool.open(RED, unchanged, least_side=64)
            (stuck,) = processes()
            os.kill(stuck, signal.SIGSTOP)
            with pytest.raises(TooLargeError, match=r"decoded within 1 seconds"):
                await pool.open(RED, unchanged, least_side=64)
            await pool.open(GREEN, unchanged, least_side=64)
            return stuck, *processes()

    stuck, other = asyncio.run(requests())
    assert stuck != other


@needs_signals
def test_the_time_limit_holds_for_a_cancelled_request():
    async def requests() -> None:
        async with decoders(limits=Limits(decoding=1)) as pool:
            await pool.open(RED, unchanged, least_side=64)
            os.kill(processes()[0], signal.SIGSTOP)
            waiting = asyncio.create_task(pool.open(RED, unchanged, least_side=64))
            await busy(pool)
            waiting.cancel()
            assert (await pool.open(GREEN, unchanged, least_side=64)).size == (64, 64)

    asyncio.run(requests())


@needs_signals
def test_a_decoder_that_crashes_fails_only_its_photo():
    async def requests() -> None:
        async with decoders() as pool:
            await pool.open(RED, unchanged, least_side=64)
            (crashing,) = processes()
            os.kill(crashing, signal.SIGSTOP)
            waiting = asyncio.create_task(pool.open(RED, unchanged, least_side=64))
            await busy(pool)
            for signalled in (signal.SIGSEGV, signal.SIGCONT):
                os.kill(crashing, signalled)
            with pytest.raises(DataError, match="crashes its decoder") as raised:
                await waiting
            assert type(raised.value) is DataError
            assert (await pool.open(GREEN, unchanged, least_side=64)).size == (64, 64)

    asyncio.run(requests())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by the system")
def test_a_decoder_has_limited_memory():
    photo = encoded(Image.new("RGB", (6000, 6000)))
    decoder = Decoder(Limits(memory=32 * 2**20))
    decoder.start()
    # The photo passes the check of its header, so that decoding starts.
    request = {
        "path": None,
        "max_pixels": 10**8,
        "max_memory": 2**40,
        "least_side": 64,
        "fit": None,
    }
    with pytest.raises(TooLargeError, match="memory"):
        decoder.open(request, photo)
    assert decoder.open(request, GREEN).size == (64, 64)
    decoder.end()


@needs_signals
def test_no_decoder_outlives_the_server():
    async def requests() -> int:
        async with decoders(2) as pool:
            photos = [pool.open(RED, unchanged, least_side=64) for _ in range(8)]
            await asyncio.gather(*photos)
            for ended_by_terminals in (signal.SIGINT, signal.SIGTERM):
                for process in processes():
                    os.kill(process, ended_by_terminals)
            await asyncio.gather(*(pool.open(RED, unchanged, least_side=64) for _ in range(8)))
            return len(processes())

    assert asyncio.run(requests()) == 2
    assert not processes()


def test_a_decoder_imports_nothing_heavy():
    code = "import sys, tagsight.server.decode_worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "fastapi", "pydantic", "onnxruntime", "lancedb"} & set(done.stdout.split())
