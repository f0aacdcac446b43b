"""Memory of large requests, given back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import platform

ENOUGH = 32 * 2**20
"""Bytes that must have been freed for it to be worth while."""

QUIET, LATEST = 1.0, 10.0
"""Seconds without a body until they are given back, and seconds until they are in any case: what
the network needs again goes with them, and comes back page by page."""


class FreedMemory:
    """Gives freed memory back, which the C library keeps for the next batch (`Runtime.choose`)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
        self._freed = 0
        self._latest = 0.0
        self._due: asyncio.TimerHandle | None = None

    def __call__(self, size: int) -> None:
        """Note that so many bytes are freed by now, or very soon."""
        self._freed += size
        if not size or self._libc is None or self._freed < ENOUGH:
            return
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._latest = loop.time() + LATEST
        else:
            self._due.cancel()
        self._due = loop.call_at(min(loop.time() + QUIET, self._latest), self._give_back)

    def _give_back(self) -> None:
        assert self._libc is not None
        self._freed, self._due = 0, None
        asyncio.get_running_loop().run_in_executor(None, self._libc.malloc_trim, 0)
