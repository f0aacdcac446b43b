import os
import shutil
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from collections.abc import Callable, Iterator

from channels import corner
from served import index_of, listening, recognizer

from tagsight.inference.recognizer import Recognizer
from tagsight.search.index import SearchIndex
from tagsight.server.limits import Limits
from tagsight.server.service import Service

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Place(NamedTuple):
    """A running server.

    Attributes:
        address: URL of its page.
        stop: Ends it.
    """

    address: str
    stop: Callable[[], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        reason = "there is no Chromium: 'make test-browser' installs one"
    elif find_spec("playwright") is None:
        reason = "the extra 'browser' is not installed: 'make test-browser' installs it"
    else:
        return
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for colour in ("red", "green", "blue"):
        corner(colour, (160, 120)).save(folder / f"{colour}.png")
    return folder


@pytest.fixture(scope="session")
def indexed(photos, tmp_path_factory) -> SearchIndex:
    return index_of(tmp_path_factory.mktemp("indexed") / "index", photos)


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Place]]:
    """Start servers, which all end with the session."""
    with ExitStack() as session:

        def started(model: Recognizer | None = None, index: Any = None, token: str | None = None):
            server = ExitStack()
            session.callback(server.close)
            service = Service(model or recognizer(), index, token, Limits(body=300_000))
            host, port = server.enter_context(listening(service))
            return Place(f"http://{host}:{port}", server.close)

        yield started


@pytest.fixture(scope="session")
def server(start, indexed) -> Place:
    return start(index=indexed)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Any]]:
    """Open a URL in a new window; the page may load nothing from elsewhere."""
    windows: list[Any] = []
    troubles: list[str] = []
    requested: list[tuple[str, str]] = []

    def visited(
        address: str,
        size: tuple[int, int] = (1280, 800),
        scheme: str = "light",
        ready: str = "#model-line:has-text('labels')",
    ) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        window = chromium.new_context(viewport=viewport, color_scheme=scheme)
        window.set_default_timeout(0)  # a test that hangs is ended as any other
        windows.append(window)
        origin = "/".join(address.split("/")[:3])
        page = window.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requested.append((origin, request.url)))
        page.goto(address)
        page.locator(ready).first.wait_for(state="attached")
        return page

    yield visited
    for window in windows:
        window.close()
    assert not troubles
    assert not [url for of, url in requested if not url.startswith((of, "blob:", "data:"))]


@pytest.fixture
def opened(chromium, tmp_path) -> Iterator[Callable[..., Any]]:
    """Open reports, which may request nothing and write no error to the console."""
    windows: list[Any] = []
    troubles: list[str] = []

    def shown(report: str, width: int = 1440, scheme: str = "light", **options: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(report, encoding="utf-8")
        viewport = {"width": width, "height": 900}
        windows.append(chromium.new_context(viewport=viewport, color_scheme=scheme, **options))
        windows[-1].set_default_timeout(0)
        page = windows[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else 0)
        page.on("request", lambda one: None if one.url == file.as_uri() else _unless_data(one.url))
        page.goto(file.as_uri())
        return page

    def _unless_data(url: str) -> None:
        if not url.startswith("data:"):
            troubles.append(url)

    yield shown
    for window in windows:
        window.close()
    assert not troubles
