"""Memory of large requests goes back to the system."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from served import RED, client_of, files, recognizer

from tagsight.server.app import Service
from tagsight.server.limits import Limits

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others give it back")


def resident() -> int:
    """Bytes of this process in memory."""
    return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def test_memory_of_large_uploads_is_given_back():
    size = 40 * 2**20
    with client_of(Service(recognizer(), limits=Limits())) as client:
        client.post("/v1/predict", files=files(RED))
        before = resident()
        for _ in range(3):
            assert client.post("/v1/predict", files=files(b"\0" * size)).status_code == 415
        for _ in range(20_000):
            client.get("/healthz")
            if resident() < before + size:
                break
        assert resident() < before + size
