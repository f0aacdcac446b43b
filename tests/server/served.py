"""A model that is served, and photos to search in."""

import base64
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from channels import Channels, channels_recognizer, corner
from fastapi.testclient import TestClient
from PIL import Image
from torch import Tensor

from tagsight.data.photos.finding import find_photos
from tagsight.inference.recognizer import Recognizer
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import index_photos
from tagsight.server.access import SECURITY_HEADERS
from tagsight.server.app import create_app
from tagsight.server.connections import server_config
from tagsight.server.limits import Limits
from tagsight.server.service import Service
from tagsight.systems.base import Recognition

LIMITS = Limits(body=200_000, photos=3, pixels=100_000, seconds=20, room=8)
TOKEN = "correct horse battery staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Watched(Channels):
    """Records the sizes of its batches, and can be paused."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def forward(self, images: Tensor) -> Recognition:
        self.sizes.append(len(images))
        self.may_go_on.wait(timeout=600)
        return super().forward(images)


def encoded(photo: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    photo.save(file, kind)
    return file.getvalue()


RED, GREEN = encoded(corner("red")), encoded(corner("green"), "JPEG")


def recognizer() -> Recognizer:
    model = channels_recognizer(batch_size=4)
    return Recognizer(model.network, batch_size=4, max_pixels=LIMITS.pixels)


def index_of(folder: Path, photos: Path) -> SearchIndex:
    model = recognizer()
    index = SearchIndex.create(folder, Facts("model", "m", model.labels, (0.5,) * 3, 3))
    index_photos(model, find_photos([photos]), index)
    return index


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{i}.png", content, "image/png")) for i, content in enumerate(contents)]


def data_url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


def client_of(service: Service, **options: Any) -> TestClient:
    return TestClient(create_app(service), base_url="http://localhost", **options)


def is_secured(response: Any) -> bool:
    return {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@contextmanager
def listening(service: Service) -> Iterator[tuple[str, int]]:
    """The address of a running server, configured as `tagsight serve` configures it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    server = uvicorn.Server(server_config(create_app(service), service.limits))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
