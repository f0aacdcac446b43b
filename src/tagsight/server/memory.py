"""Memory of large requests, given back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import platform

ENOUGH = 32 * 2**20
"""Bytes that must have been freed for it to be worth while."""

SOON = 0.2
"""Seconds until they are given back, together with what is freed meanwhile."""


class FreedMemory:
    """Gives freed memory back, which the C library keeps for the next batch (`Runtime.choose`)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
        self._freed = 0

    def __call__(self, size: int) -> None:
        """Note that so many bytes are freed by now, or very soon."""
        before, self._freed = self._freed, self._freed + size
        if self._libc is not None and before < ENOUGH <= self._freed:
            asyncio.get_running_loop().call_later(SOON, self._give_back)

    def _give_back(self) -> None:
        assert self._libc is not None
        self._freed = 0
        asyncio.get_running_loop().run_in_executor(None, self._libc.malloc_trim, 0)
