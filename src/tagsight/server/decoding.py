"""Photos of clients, decoded in processes that can be ended.

A decoder is a million lines of C that see what strangers send: one can run for minutes, take all
memory, or crash. Here each costs its own photo.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from PIL import Image

from tagsight.data.photos import WHOLE_SIZE
from tagsight.errors import DataError, TooLargeError, UnknownFormatError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tagsight.server.limits import Limits

Outcome = TypeVar("Outcome")

ERRORS = {kind.__name__: kind for kind in (DataError, UnknownFormatError, TooLargeError)}
LONGEST_LINE = 2**16

ENVIRONMENT = {
    # One photo, one thread: as many processes decode as there are processors.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Memory of a large photo goes back to the system with it.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**22),
}


class Decoders:
    """Processes that decode photos as `open_photo` does, started when they are first needed.

    Args:
        count: How many photos are decoded at once.
        limits: Seconds, pixels and memory of each.
        freed: Told the bytes of each photo, which are freed when it has been used.
        begin: Called in each thread that makes something of photos, before its first.
    """

    def __init__(
        self,
        count: int,
        limits: Limits,
        freed: Callable[[int], None],
        begin: Callable[[], object] | None = None,
    ) -> None:
        self._limits = limits
        self._freed = freed
        self._all = [Decoder(limits) for _ in range(count)]
        self._free: asyncio.LifoQueue[Decoder] = asyncio.LifoQueue()
        self._threads = ThreadPoolExecutor(count, "tagsight-decode", initializer=begin)
        self._at_work: set[asyncio.Task[Any]] = set()
        for decoder in self._all:
            self._free.put_nowait(decoder)

    @property
    def count(self) -> int:
        """How many photos are decoded at once."""
        return len(self._all)

    @property
    def free(self) -> int:
        """How many more could be decoded just now."""
        return self._free.qsize()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for as long as the block lasts; the processes end with it."""
        try:
            yield
        finally:
            for decoder in self._all:
                decoder.kill()
            self._threads.shutdown()
            for decoder in self._all:
                decoder.end()

    async def open(
        self,
        source: bytes | Path,
        then: Callable[[Image.Image], Outcome],
        *,
        least_side: int,
        fit: int | None = None,
    ) -> Outcome:
        """Decode a photo and make something of it, in a thread.

        Args:
            source: The photo's file or its content.
            then: What is made of the photo, upright RGB as `open_photo` gives it.
            least_side: Pixels that width and height may be reduced to, as for `open_photo`.
            fit: Pixels that the longest side is reduced to, or None to leave the photo as it is.

        Raises:
            DataError: As `open_photo` does; also if decoding takes too long or ends the process.
        """
        decoder = await self._free.get()
        asked = {
            "path": os.fspath(source) if isinstance(source, Path) else None,
            "max_pixels": self._limits.pixels,
            "max_memory": self._limits.memory,
            "least_side": least_side,
            "fit": fit,
        }
        content = source if isinstance(source, bytes) else b""
        # A client that goes away takes its request with it, but not the time limit on its photo.
        task = asyncio.create_task(self._opened(decoder, asked, content, then))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def _opened(
        self,
        decoder: Decoder,
        asked: dict[str, Any],
        content: bytes,
        then: Callable[[Image.Image], Outcome],
    ) -> Outcome:
        loop, seconds = asyncio.get_running_loop(), self._limits.decoding
        try:
            if not decoder.is_running():
                await loop.run_in_executor(self._threads, decoder.start)
            decoded = loop.run_in_executor(self._threads, decoder.open, asked, content)
            await asyncio.wait([decoded], timeout=seconds)
            if not decoded.done():
                decoder.kill()
                await asyncio.wait([decoded])
                msg = f"photo: expected one that is decoded within {seconds:g} seconds, got another"
                raise TooLargeError(msg)
            photo = decoded.result()
            self._freed(3 * photo.width * photo.height)
            return await loop.run_in_executor(self._threads, then, photo)
        finally:
            self._free.put_nowait(decoder)


class Decoder:
    """One of the processes. Its methods block, but for `kill`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def is_running(self) -> bool:
        """Whether the process is there, and is to stay."""
        return self._process is not None and self._process.poll() is None and not self._killed

    def start(self) -> None:
        """Start the process, in place of the one that has ended or was killed."""
        self.end()
        self._killed = False
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "tagsight.server.decode_worker",
                str(2 * self._limits.memory),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths},
        )
        self._read(self._process.stdout)

    def open(self, asked: dict[str, Any], content: bytes) -> Image.Image:
        """Decode a photo."""
        assert self._process is not None
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        try:
            requests.write(json.dumps({**asked, "size": len(content)}).encode() + b"\n")
            requests.write(content)
            requests.flush()
            facts, pixels = self._read(answers)
        except (OSError, ValueError) as error:
            self.kill()
            msg = "photo: expected a readable photo, got one that its decoder does not survive"
            raise DataError(msg) from error
        if "error" in facts:
            raise ERRORS[facts["error"]](facts["message"])
        photo = Image.frombuffer("RGB", (facts["width"], facts["height"]), pixels, "raw", "RGB")
        photo.info = {WHOLE_SIZE: tuple(facts["whole"])}
        return photo

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and wait until it has ended."""
        self.kill()
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _read(self, answers: IO[bytes] | None) -> tuple[dict[str, Any], bytearray]:
        """Read a message; nothing of it is believed that a process could say wrongly.

        Raises:
            ValueError: If the process has ended, or says something else.
        """
        assert answers is not None
        facts = json.loads(answers.readline(LONGEST_LINE))
        size, width, height = (int(facts.get(name, 0)) for name in ("size", "width", "height"))
        if not 0 <= size == 3 * width * height <= 3 * self._limits.pixels:
            msg = f"expected the pixels of a photo, got {size} bytes"
            raise ValueError(msg)
        pixels = bytearray(size)
        if answers.readinto(pixels) < size:  # type: ignore[attr-defined] # a buffered reader has it
            msg = "expected all pixels of a photo, got a part"
            raise ValueError(msg)
        return facts, pixels


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Note that somebody has seen an error, also if the client has gone away meanwhile."""
    if not task.cancelled():
        task.exception()
