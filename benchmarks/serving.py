"""A server of its own process, as the benchmarks of it need one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen


@contextmanager
def served(
    model: Path, *options: str, log: Path | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Give the process and the port of a server that is ready; it is ended with the block."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "tagsight", "serve", str(model), "--port", str(port), *options]
    with (
        (log or Path("/dev/null")).open("wb") as errors,
        subprocess.Popen(command, stderr=errors) as process,
    ):
        try:
            for _ in range(3000):  # it may compare runtimes first
                with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/readyz"):
                    break
                time.sleep(0.1)
            yield process, port
        finally:
            process.terminate()
            process.wait(60)
