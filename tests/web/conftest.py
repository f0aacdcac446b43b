from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from channels import corner
from served import TOKEN, recognizer

from tagsight.data.photo_files import find_photos
from tagsight.inference.recognizer import Recognizer
from tagsight.server.app import create_app
from tagsight.server.connections import server_config
from tagsight.server.limits import Limits
from tagsight.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Place(NamedTuple):
    """A server at work.

    Attributes:
        address: Of its page.
        stop: Ends it.
    """

    address: str
    stop: Callable[[], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = None
    if CHROMIUM is None:
        reason = "there is no Chromium: 'make test-browser' installs one"
    elif not _installed("playwright"):
        reason = "the extra 'browser' is not installed: 'make test-browser' installs it"
    if reason is not None:
        for item in items:
            if Path(item.path).parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason=reason))


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for colour in ("red", "green", "blue"):
        corner(colour, (160, 120)).save(folder / f"{colour}.png")
    return folder


@pytest.fixture(scope="session")
def indexed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tagsight.search.facts import Facts
    from tagsight.search.index import SearchIndex
    from tagsight.search.indexing import index_photos

    model = recognizer()
    facts = Facts("model", "m", model.labels, (0.5,) * 3, 3)
    index = SearchIndex.create(tmp_path_factory.mktemp("indexed") / "index", facts)
    index_photos(model, find_photos([photos]), index)
    return index


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Place]]:
    """Start servers, which all end with the session."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def started(model: Recognizer | None = None, index: Any = None, token: str | None = None):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        limits = Limits(body=300_000)
        app = create_app(Service(model or recognizer(), index, token, limits))
        server = uvicorn.Server(server_config(app, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))

        def stop() -> None:
            server.should_exit = True
            thread.join()

        host, port = listener.getsockname()
        return Place(f"http://{host}:{port}", stop)

    yield started
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def server(start: Callable[..., Place], indexed: Any) -> Place:
    return start(index=indexed)


@pytest.fixture(scope="session")
def guarded(start: Callable[..., Place]) -> Place:
    return start(token=TOKEN)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a window of its own; all that it asks for must be from there."""
    windows: list[Any] = []
    troubles: list[str] = []

    def visited(address: str, size: tuple[int, int] = (1280, 800), scheme: str = "light") -> Any:
        width, height = size
        window = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        windows.append(window)
        page = window.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "blob:", "data:"))
                else troubles.append(f"asked for {request.url}")
            ),
        )
        page.goto(address)
        page.locator("#model-line").filter(has_text="labels").wait_for(state="attached")
        return page

    yield visited
    for window in windows:
        window.close()
    assert not troubles
