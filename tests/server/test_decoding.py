import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from channels import corner, save_rotated
from PIL import Image
from programs import python
from served import GREEN, RED, encoded

from tagsight.data.photos.reading import open_photo, whole_size
from tagsight.errors import DataError, TooLargeError, UnknownFormatError
from tagsight.server.decoding import Decoder, DecoderPool
from tagsight.server.limits import Limits

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
    listed = subprocess.check_output(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="])
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(p) for p, of, words in rows if int(of) == os.getpid() and b"decode_worker" in words]


async def busy(pool: DecoderPool) -> None:
    """Wait until every process has a photo."""
    while pool.free:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


@contextmanager
def impatient(pool: DecoderPool) -> Iterator[None]:
    """Let photos that come meanwhile be decoded in no time."""
    limits = pool._limits
    pool._limits = replace(limits, decoding=0.01)
    yield
    pool._limits = limits


SCALED = {"least_side": 64}


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_processes_that_start_at_once_are_there_before_a_photo_and_end_with_the_pool(is_waited_for):
    async def started() -> int:
        pool = DecoderPool(2, Limits(), freed=lambda size: None)
        async with pool.running(at_once=True):
            while is_waited_for and pool.free < pool.count:
                await asyncio.sleep(0)
            return len(processes())

    assert (asyncio.run(started()) == 2) or not is_waited_for
    assert processes() == []


def test_the_processes_decode_as_this_one_does_and_reduce(tmp_path):
    save_rotated(corner("blue", (90, 40)), tmp_path / "turned.jpg")
    large = encoded(corner("green", (1200, 900)), "JPEG")
    sources = [RED, GREEN, large, tmp_path / "turned.jpg", encoded(corner().convert("LA"))]

    async def opened() -> list[Image.Image]:
        async with decoders(2) as pool:
            reduced = await pool.open(large, unchanged, least_side=80, fit=80)
            return [*[await pool.open(source, unchanged, **SCALED) for source in sources], reduced]

    *photos, reduced = asyncio.run(opened())
    for source, photo in zip(sources, photos, strict=True):
        here = open_photo(source, **SCALED)
        np.testing.assert_array_equal(photo, here)
        assert whole_size(photo) == whole_size(here)
    assert (reduced.size, whole_size(reduced)) == ((80, 60), (1200, 900))


def test_the_processes_raise_the_same_errors(tmp_path):
    def refuse(_: Image.Image) -> None:
        raise UnknownFormatError("expected something else")

    async def errors(*sources: bytes | Path) -> list[BaseException]:
        async with decoders(limits=Limits(pixels=5000)) as pool:
            opened = [pool.open(source, unchanged, **SCALED) for source in sources]
            return await asyncio.gather(
                *opened, pool.open(RED, refuse, **SCALED), return_exceptions=True
            )

    large = encoded(corner("red", (80, 80)))
    sources = [b"", b"%PDF", RED[:60], large, tmp_path / "none.png", tmp_path]
    *found, refused = asyncio.run(errors(*sources))
    assert (type(refused), str(refused)) == (UnknownFormatError, "expected something else")
    for source, error in zip(sources, found, strict=True):
        with pytest.raises(DataError) as here:
            open_photo(source, max_pixels=5000, **SCALED)
        assert (type(error), str(error)) == (type(here.value), str(here.value))


@needs_signals
def test_a_decoder_that_hangs_is_killed_and_replaced():
    async def requests() -> tuple[int, int]:
        async with decoders() as pool:
            await pool.open(RED, unchanged, **SCALED)
            (stuck,) = processes()
            os.kill(stuck, signal.SIGSTOP)
            with (
                impatient(pool),
                pytest.raises(TooLargeError, match=r"decoded within 0\.01 seconds"),
            ):
                await pool.open(RED, unchanged, **SCALED)
            await pool.open(GREEN, unchanged, **SCALED)
            return stuck, *processes()

    stuck, other = asyncio.run(requests())
    assert stuck != other


@needs_signals
def test_the_time_limit_holds_for_a_cancelled_request():
    async def requests() -> None:
        async with decoders() as pool:
            await pool.open(RED, unchanged, **SCALED)
            os.kill(processes()[0], signal.SIGSTOP)
            with impatient(pool):
                waiting = asyncio.create_task(pool.open(RED, unchanged, **SCALED))
                await busy(pool)
            waiting.cancel()
            assert (await pool.open(GREEN, unchanged, **SCALED)).size == (64, 64)

    asyncio.run(requests())


@needs_signals
def test_a_decoder_that_crashes_fails_only_its_photo():
    async def requests() -> None:
        async with decoders() as pool:
            await pool.open(RED, unchanged, **SCALED)
            (crashing,) = processes()
            os.kill(crashing, signal.SIGSTOP)
            waiting = asyncio.create_task(pool.open(RED, unchanged, **SCALED))
            await busy(pool)
            for signalled in (signal.SIGSEGV, signal.SIGCONT):
                os.kill(crashing, signalled)
            with pytest.raises(DataError, match="crashes its decoder") as raised:
                await waiting
            assert type(raised.value) is DataError
            assert (await pool.open(GREEN, unchanged, **SCALED)).size == (64, 64)

    asyncio.run(requests())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by the system")
def test_a_decoder_has_limited_memory():
    photo = encoded(Image.new("RGB", (6000, 6000)))
    decoder = Decoder(Limits(memory=32 * 2**20))
    decoder.start()
    # The photo passes the check of its header, so that decoding starts.
    request = {"path": None, "max_pixels": 10**8, "max_memory": 2**40, "fit": None, **SCALED}
    with pytest.raises(TooLargeError, match="memory"):
        decoder.open(request, photo)
    assert decoder.open(request, GREEN).size == (64, 64)
    decoder.end()


@needs_signals
def test_no_decoder_outlives_the_server():
    async def requests() -> int:
        async with decoders(2) as pool:
            photos = [pool.open(RED, unchanged, **SCALED) for _ in range(8)]
            await asyncio.gather(*photos)
            for ended_by_terminals in (signal.SIGINT, signal.SIGTERM):
                for process in processes():
                    os.kill(process, ended_by_terminals)
            await asyncio.gather(*(pool.open(RED, unchanged, **SCALED) for _ in range(8)))
            return len(processes())

    assert asyncio.run(requests()) == 2
    assert not processes()


@pytest.mark.skipif(sys.platform != "linux", reason="the sizes of pipes are Linux's")
@pytest.mark.parametrize(("wanted", "got"), [(2**17, 2**17), (2**31 - 1, 2**16)])
def test_pipes_hold_as_much_as_the_system_lets_them(monkeypatch, wanted, got):
    import fcntl

    monkeypatch.setattr("tagsight.server.decoding.PIPE", wanted)
    decoder = Decoder(Limits())
    decoder.start()
    try:
        pipe = decoder._process.stdout
        assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == got
    finally:
        decoder.end()


def test_a_decoder_imports_nothing_heavy():
    code = "import sys, tagsight.server.decode_worker; print(*sys.modules)"
    loaded = python("-c", code).stdout.split()
    assert not {"torch", "fastapi", "pydantic", "onnxruntime", "lancedb"} & set(loaded)
