"""Decoding of clients' photos in separate processes, which can be killed.

A decoder is a large C library that processes data from strangers: it can run for minutes, take all
memory, or crash. In a separate process only the photo in question fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from PIL import Image

from tagsight.data.photos.reading import WHOLE_SIZE
from tagsight.errors import DataError, TooLargeError, UnknownFormatError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tagsight.server.limits import Limits

Outcome = TypeVar("Outcome")

ERRORS = {kind.__name__: kind for kind in (DataError, UnknownFormatError, TooLargeError)}
LONGEST_LINE = 2**16

PIPE = 2**20
"""Bytes of a pipe: with a photo in one piece the processes wake each other once."""

ENVIRONMENT = {
    # One thread per photo: there are as many processes as processors.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Return the memory of a large photo to the system at once.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**22),
}


class DecoderPool:
    """Processes that decode photos as `open_photo` does, started when first needed or before.

    Args:
        count: Number of processes.
        limits: Seconds, pixels and memory per photo.
        freed: Called with the size in bytes of each photo, whose memory is soon freed.
        begin: Called at the start of each thread that processes decoded photos.

    Example:
        >>> async def decoded(photo):
        ...     pool = DecoderPool(1, Limits(), freed=lambda size: None)
        ...     async with pool.running():
        ...         return await pool.open(photo, lambda image: image.size, least_side=96)
        >>> from tagsight.server.limits import Limits
        >>> asyncio.run(decoded(Path("photos/dog.jpg")))
        (128, 96)
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
        self._tasks: set[asyncio.Task[Any]] = set()
        for decoder in self._all:
            self._free.put_nowait(decoder)

    @property
    def count(self) -> int:
        """Number of processes."""
        return len(self._all)

    @property
    def free(self) -> int:
        """Number of idle processes."""
        return self._free.qsize()

    @asynccontextmanager
    async def running(self, *, at_once: bool = False) -> AsyncIterator[None]:
        """Decode photos while the block runs; the processes end with it.

        Args:
            at_once: Start the processes now, so that the first photo does not wait for them.
        """
        try:
            if at_once:
                self._start_all()
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
        """Decode a photo, then process it in a thread.

        Args:
            source: The photo's file or its content.
            then: Called with the photo, in upright RGB as from `open_photo`.
            least_side: Pixels to which width and height may be reduced, as for `open_photo`.
            fit: Pixels to which the longest side is reduced, or None for no limit.

        Raises:
            DataError: As from `open_photo`; also if decoding takes too long or ends the process.
        """
        decoder = await self._free.get()
        request = {
            "path": os.fspath(source) if isinstance(source, Path) else None,
            "max_pixels": self._limits.pixels,
            "max_memory": self._limits.memory,
            "least_side": least_side,
            "fit": fit,
        }
        content = source if isinstance(source, bytes) else b""
        # If the client disconnects, the time limit of its photo must still be enforced.
        task = asyncio.create_task(self._opened(decoder, request, content, then))
        self._keep(task)
        return await asyncio.shield(task)

    def _start_all(self) -> None:
        while not self._free.empty():
            self._keep(asyncio.create_task(self._started(self._free.get_nowait())))

    async def _started(self, decoder: Decoder) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, decoder.start)
        finally:
            self._free.put_nowait(decoder)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_mark_seen)

    async def _opened(
        self,
        decoder: Decoder,
        request: dict[str, Any],
        content: bytes,
        then: Callable[[Image.Image], Outcome],
    ) -> Outcome:
        loop, seconds = asyncio.get_running_loop(), self._limits.decoding
        try:
            if not decoder.is_running():
                await loop.run_in_executor(self._threads, decoder.start)
            decoded = loop.run_in_executor(self._threads, decoder.open, request, content)
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
    """One decoding process; all its methods except `kill` block.

    Example:
        >>> from tagsight.server.limits import Limits
        >>> decoder = Decoder(Limits())
        >>> decoder.start()
        >>> decoder.is_running()
        True
        >>> decoder.end()
        >>> decoder.is_running()
        False
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def is_running(self) -> bool:
        """Return whether the process can be used."""
        return self._process is not None and self._process.poll() is None and not self._killed

    def start(self) -> None:
        """Start the process, or a new one if it has ended."""
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
        _enlarge(self._process.stdin, self._process.stdout)
        self._read(self._process.stdout)

    def open(self, request: dict[str, Any], content: bytes) -> Image.Image:
        """Decode a photo."""
        assert self._process is not None
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        try:
            stdin.write(json.dumps({**request, "size": len(content)}).encode() + b"\n")
            stdin.write(content)
            stdin.flush()
            facts, pixels = self._read(stdout)
        except (OSError, ValueError) as error:
            self.kill()
            msg = "photo: expected a readable photo, got one that crashes its decoder"
            raise DataError(msg) from error
        if "error" in facts:
            raise ERRORS[facts["error"]](facts["message"])
        photo = Image.frombuffer("RGB", (facts["width"], facts["height"]), pixels, "raw", "RGB")
        photo.info = {WHOLE_SIZE: tuple(facts["whole"])}
        return photo

    def kill(self) -> None:
        """Kill the process."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and wait for its end."""
        self.kill()
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _read(self, stdout: IO[bytes] | None) -> tuple[dict[str, Any], bytearray]:
        """Read a message and check its sizes, because the decoder may have been compromised.

        Raises:
            ValueError: If the process has ended or the message is malformed.
        """
        assert stdout is not None
        facts = json.loads(stdout.readline(LONGEST_LINE))
        size, width, height = (int(facts.get(name, 0)) for name in ("size", "width", "height"))
        if not 0 <= size == 3 * width * height <= 3 * self._limits.pixels:
            msg = f"expected the pixels of a photo, got {size} bytes"
            raise ValueError(msg)
        pixels = bytearray(size)
        if stdout.readinto(pixels) < size:  # type: ignore[attr-defined] # a buffered reader has it
            msg = "expected all pixels of a photo, got a part"
            raise ValueError(msg)
        return facts, pixels


def _enlarge(*pipes: IO[bytes] | None) -> None:
    """Enlarge the buffers of pipes, as far as Linux allows; elsewhere they stay as they are."""
    if sys.platform == "linux":
        import fcntl

        for pipe in filter(None, pipes):
            with suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def _mark_seen(task: asyncio.Task[Any]) -> None:
    """Retrieve an error, so that asyncio does not log it when the client has disconnected."""
    if not task.cancelled():
        task.exception()
