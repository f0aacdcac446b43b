"""A server under load: 32 clients against one, and against the network alone on ready pixels.

`tagsight serve` in a process of its own, with the untrained `resnet-quick` of 20 labels at 448
pixels, in the runtime that the server chooses by measurement. Each client sends a JPEG of 500 x 375
pixels, waits for the answer, and sends the next; all clients share one more process. Server and
clients share the processors with each other, the network has them to itself. Rounds in turns, the
one with the median ratio is shown.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from io import BytesIO
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from serving import served
from table import HEADER, row
from tag_rate import DISTINCT, HEIGHT, QUALITY, WIDTH, build_recognizer, draw_photo

from tagsight.checkpoint.folder import save_model
from tagsight.inference.networks.base import Network
from tagsight.inference.runtimes import open_model

CLIENTS, REQUESTS, ALONE = 32, 960, 96
BATCH, BATCHES, ROUNDS = 16, 24, 3
TARGET = 0.9
BOUNDARY = "a-line-between"


class Load(NamedTuple):
    """What clients have seen.

    Attributes:
        rate: Photos per second, of all clients together.
        median: Seconds from a request to its answer.
        slow: Seconds that one answer in a hundred takes longer than.
    """

    rate: float
    median: float
    slow: float


def requests() -> list[bytes]:
    """Posts of a form with one photo each, as they go over the wire."""
    made = []
    for number in range(DISTINCT):
        content = BytesIO()
        draw_photo(number, WIDTH, HEIGHT).save(content, "JPEG", quality=QUALITY)
        body = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="photos"; filename="{number}.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        body += content.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()
        head = (
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def one_client(port: int, posts: Iterator[bytes], count: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        writer.write(next(posts))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        taken.append(time.perf_counter() - started)
    writer.close()
    return taken


async def all_clients(port: int, clients: int, count: int) -> Load:
    posts = cycle(requests())
    started = time.perf_counter()
    each = [one_client(port, posts, count // clients) for _ in range(clients)]
    taken = np.concatenate(await asyncio.gather(*each))
    rate = len(taken) / (time.perf_counter() - started)
    return Load(rate, float(np.median(taken)), float(np.quantile(taken, 0.99)))


def send(port: int, clients: int, count: int) -> Load:
    return asyncio.run(all_clients(port, clients, count))


def network_rate(network: Network) -> float:
    """Photos per second, of pixels that lie ready."""
    side = network.info.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8)
    started = time.perf_counter()
    for _ in network.pipeline(lambda batch: batch, network, [pixels] * BATCHES):
        pass
    return BATCH * BATCHES / (time.perf_counter() - started)


def main() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    model = build_recognizer().network.model
    with TemporaryDirectory() as temporary, get_context("spawn").Pool(1) as other:
        folder = Path(temporary) / "model"
        save_model(folder, model.system, model.labels, model.decision, model.recipe, {})
        rounds: list[tuple[float, Load, Load]] = []
        with served(folder) as (_, port):
            network = open_model(folder)  # in the runtime that the server has chosen
            print(f"runtime: {network.runs_on}, in float32")
            for _ in range(ROUNDS + 1):
                alone = other.apply(send, (port, 1, ALONE))
                many = other.apply(send, (port, CLIENTS, REQUESTS))
                rounds.append((network_rate(network), alone, many))
    # The first round warms up.
    middle = sorted(rounds[1:], key=lambda one: one[2].rate / one[0])[ROUNDS // 2]
    rate, alone, many = middle
    for name, load in (("one client", alone), (f"{CLIENTS} clients", many)):
        print(
            f"{name}: {load.rate:.0f} requests/s, "
            f"p50 {1000 * load.median:.0f} ms, p99 {1000 * load.slow:.0f} ms"
        )
    print(HEADER)
    row(
        f"server, {CLIENTS} clients",
        f"{many.rate:.0f} requests/s",
        f"{rate:.0f} photos/s (network alone)",
        many.rate / rate,
        TARGET,
    )
    row(
        f"server, {CLIENTS} clients",
        f"{many.rate:.0f} requests/s",
        f"{alone.rate:.0f} requests/s (one client)",
        many.rate / alone.rate,
    )


if __name__ == "__main__":
    main()
