"""A server under attack from this machine: what it promises in docs/security.md, measured.

`tagsight serve` in its own process, with the untrained `resnet-quick` of 20 labels and a token.
Only loopback addresses are asked. Every part is bounded in number and time; ``--short`` makes each
a fraction of its size.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx
import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis import Case
from serving import served
from table import HEADER, row
from tag_rate import HEIGHT, QUALITY, WIDTH, build_recognizer, draw_photo

from tagsight.checkpoint.folder import save_model
from tagsight.server.limits import Limits

SHORT = "--short" in sys.argv
CASES = 5 if SHORT else 40
SLOW = 40 if SHORT else 300
AT_ONCE = 40 if SHORT else 200
UPLOADS, UPLOAD = (3 if SHORT else 12), 59 * 10**6
SCANS = 3000
PROCESSORS = min(16, os.cpu_count() or 1)
TOKEN = "correct horse battery staple"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
LIMITS = Limits()
SPARE = 5.0
"""Seconds that the machine may take beyond a time limit."""


class Server(NamedTuple):
    """A server at work.

    Attributes:
        process: Its process.
        port: At 127.0.0.1.
        log: All that it has written to standard error.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> int:
        """Bytes that it and its decoders have to themselves and share with each other."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
        rows = [line.split() for line in listed.stdout.decode().splitlines()]
        own = [pid for pid, parent in rows if str(self.process.pid) in (pid, parent)]
        return 1024 * sum(_proportional(pid) for pid in own)


def _proportional(pid: str) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return int(text.partition("\nPss:")[2].split()[0])
    return 0


@contextmanager
def attacked(model: Path) -> Iterator[Server]:
    """Give a server that is ready; it is ended with the block."""
    token, log = model.parent / "token", model.parent / "log"
    token.write_text(TOKEN)
    options = "--token-file", str(token), "--bridge", "label-studio", "--bridge", "photoprism"
    with served(model, *options, log=log) as (process, port):
        yield Server(process, port, log)


def photo(number: int = 0) -> bytes:
    content = BytesIO()
    draw_photo(number, WIDTH, HEIGHT).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def predict(server: Server, *contents: bytes, timeout: float = 120) -> tuple[int, float]:
    """The status of an answer, and the seconds to it."""
    files = [("photos", (f"{i}.jpg", content)) for i, content in enumerate(contents)]
    started = time.perf_counter()
    url = f"{server.url}/v1/predict"
    answer = httpx.post(url, files=files, headers=AUTHORIZED, timeout=timeout)
    return answer.status_code, time.perf_counter() - started


def usual(server: Server) -> float:
    """Seconds that a client with one photo waits."""
    return median(predict(server, photo())[1] for _ in range(5))


def every_route(server: Server, headers: dict[str, str]) -> Counter[int]:
    """Statuses of generated requests to all routes."""
    found: Counter[int] = Counter()
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for operation in (one.ok() for one in document.get_all_operations()):

        @settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Case) -> None:
            found[case.call(headers=headers).status_code] += 1

        ask()
    return found


def generated(server: Server) -> None:
    for name, headers in (("with", AUTHORIZED), ("without", {})):
        found = every_route(server, headers)
        total, failed = found.total(), sum(n for status, n in found.items() if status >= 500)
        row(
            f"generated requests {name} token, to all routes",
            f"{total - failed} answers below 500",
            f"{total} requests",
            (total - failed) / total,
            1,
        )


def half_sent(server: Server, name: str, sent: bytes, seconds: float) -> None:
    """Open connections that do not get on; a client beside them; and see them closed."""
    before = usual(server)
    with ExitStack() as stack:
        started = time.perf_counter()
        clients = []
        for _ in range(SLOW):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(sent)
            clients.append(client)
        beside = usual(server)
        closed = 0
        for client in clients:
            client.settimeout(max(0.01, started + seconds + SPARE - time.perf_counter()))
            with suppress(TimeoutError, ConnectionError):
                while client.recv(2**16):
                    pass
            closed += client.fileno() >= 0 and _is_closed(client)
        taken = time.perf_counter() - started
    limit = f"{SLOW} opened, {seconds:.0f} s"
    row(f"half-sent {name}, closed", f"{closed} in {taken:.0f} s", limit, closed / SLOW, 1)
    row(
        f"a client beside {SLOW} half-sent {name}",
        f"{1000 * beside:.0f} ms",
        f"{1000 * before:.0f} ms (alone)",
        beside / before,
        3,
        wanted="most",
    )


def _is_closed(client: socket.socket) -> bool:
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def at_once(server: Server, count: int) -> Counter[int]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=120, headers=AUTHORIZED) as client:
        posts = [
            client.post(f"{server.url}/v1/predict", files={"photos": photo(number % 8)})
            for number in range(count)
        ]
        return Counter(answer.status_code for answer in await asyncio.gather(*posts))


def predictions(server: Server) -> None:
    found = asyncio.run(at_once(server, AT_ONCE))
    row(
        f"{AT_ONCE} predictions at once",
        f"{found[200]} answered",
        f"{AT_ONCE} asked",
        found[200] / AT_ONCE,
        1,
    )


def bombs() -> Iterator[tuple[str, bytes]]:
    """Photos of few bytes that are dear to decode: beyond the bounds, and just within."""
    for side in (6900, 12_000):
        grey = Image.new("L", (side, side))
        for form, options in (
            ("PNG", {}),
            ("GIF", {}),
            ("JPEG", {"progressive": True}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("WEBP", {"quality": 0, "method": 0}),
            ("JPEG2000", {}),
            ("AVIF", {"speed": 10, "quality": 0}),
        ):
            if SHORT and form in {"WEBP", "JPEG2000", "AVIF"}:
                continue
            file = BytesIO()
            with suppress(OSError, ValueError):  # a plugin that is not there
                grey.save(file, form, **options)
                yield f"{form} {side}", file.getvalue()
        deep = Image.fromarray(np.zeros((side, side), np.uint16))
        file = BytesIO()
        deep.save(file, "PNG")
        yield f"16-bit PNG {side}", file.getvalue()
    yield "PPM of comments", b"P2\n" + b"#\n" * 10**7 + b"1 1 255 0"
    yield "plain PPM", b"P3 2000 2000 255\n" + b"0 " * 12_000_000
    yield f"JPEG of {SCANS} scans", many_scans()


def many_scans() -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    file = BytesIO()
    Image.new("RGB", (2000, 1500), "grey").save(file, "JPEG", progressive=True, quality=10)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * SCANS + content[-2:]


def decompression(server: Server) -> None:
    limit = LIMITS.decoding + SPARE
    worst, name, refused, count = 0.0, "", 0, 0
    for kind, content in bombs():
        status, taken = predict(server, content)
        count, refused = count + 1, refused + (status < 500)
        print(f"{kind}, {len(content):,} bytes: {status} in {taken:.1f} s", flush=True)
        if taken > worst:
            worst, name = taken, kind
    row("decompression bombs, answered", f"{refused} below 500", f"{count}", refused / count, 1)
    row(
        f"the slowest of them ({name})",
        f"{worst:.1f} s",
        f"{limit:.0f} s (time limit, and {SPARE:.0f} s)",
        worst / limit,
        1,
        wanted="most",
    )
    before = usual(server)
    with ExitStack() as stack:
        content = next(bombs())[1]
        for _ in range(PROCESSORS):  # each decoder has one
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(_post("/v1/predict", content))
        beside = predict(server, photo())[1]
    row(
        f"a client beside {PROCESSORS} bombs",
        f"{beside:.1f} s",
        f"{limit + before:.1f} s",
        beside / (limit + before),
        1,
        wanted="most",
    )


def _post(path: str, content: bytes) -> bytes:
    request = httpx.Request(
        "POST", f"http://127.0.0.1{path}", files={"photos": content}, headers=AUTHORIZED
    )
    body = request.read()
    lines = [f"POST {path} HTTP/1.1", *(f"{k}: {v}" for k, v in request.headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def uploads(server: Server, before: int) -> None:
    """Large uploads, and what is left of them."""
    content = os.urandom(UPLOAD)
    highest, found = 0, Counter[int]()
    for _ in range(UPLOADS):
        found[predict(server, content)[0]] += 1
        highest = max(highest, server.memory())
    assert set(found) == {415}, found
    memory_after(server, before, f"{UPLOADS} uploads of {UPLOAD // 10**6} MB")
    print(f"the most that was seen meanwhile: {highest / before:.2f} times", flush=True)


def memory_after(server: Server, before: int, what: str) -> None:
    for _ in range(100):  # it is given back soon, not at once
        after = server.memory()
        if after <= 1.02 * before:
            break
        time.sleep(0.1)
    row(
        f"memory after {what}",
        f"{after / 2**20:.0f} MiB",
        f"{before / 2**20:.0f} MiB (before)",
        after / before,
        1.1,
        wanted="most",
    )


def end_under_load(server: Server) -> None:
    """SIGTERM while many wait: what was accepted is answered, and then it ends."""

    async def load() -> tuple[Counter[int], float]:
        task = asyncio.create_task(at_once(server, AT_ONCE // 4))
        async with httpx.AsyncClient(timeout=60) as client:
            while "tagsight_photos_waiting 0.0" in (await client.get(f"{server.url}/metrics")).text:
                await asyncio.sleep(0.01)
        started = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        with suppress(httpx.HTTPError):
            return await task, started
        return Counter(), started

    found, started = asyncio.run(load())
    code = server.process.wait(120)
    taken = time.perf_counter() - started
    asked = AT_ONCE // 4
    row(
        f"SIGTERM with {asked} clients", f"{found[200]} answered", f"{asked}", found[200] / asked, 1
    )
    row(
        f"the end after SIGTERM (exit code {code})",
        f"{taken:.1f} s",
        f"{LIMITS.seconds:.0f} s",
        taken / LIMITS.seconds,
        1,
        wanted="most",
    )


def main() -> None:
    model = build_recognizer().network.model
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_model(folder, model.system, model.labels, model.decision, model.recipe, {})
        print(HEADER)
        with attacked(folder) as server:
            for _ in range(3):
                asyncio.run(at_once(server, AT_ONCE))
            before = server.memory()
            generated(server)
            head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
            token = f"Authorization: Bearer {TOKEN}\r\n".encode()
            body = head + token + b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            half_sent(server, "headers", head, LIMITS.header_seconds)
            half_sent(server, "bodies", body, LIMITS.seconds + LIMITS.header_seconds)
            predictions(server)
            decompression(server)
            uploads(server, before)
            memory_after(server, before, "all of this")
            end_under_load(server)
            lines = server.log.read_text(errors="replace").splitlines()
            row("lines in the log", f"{len(lines)}", "100", len(lines) / 100, 1, wanted="most")
            assert "Traceback" not in " ".join(lines), lines


if __name__ == "__main__":
    main()
