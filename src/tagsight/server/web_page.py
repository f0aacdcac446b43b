"""The web pages: static files, whose scripts request everything else from the server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import Request, Response
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from fastapi import FastAPI

KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FIRST = "index.html"

HEADERS = {
    # Chosen photos are shown from memory (blob:), evidence from responses (data:).
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    kind: str
    tag: str


class WebFiles:
    """The files of the web pages, read once; nothing else is read from disk.

    Example:
        >>> request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
        >>> WebFiles().respond(request, "label/index.html").media_type
        'text/html; charset=utf-8'
    """

    def __init__(self) -> None:
        self._files = dict(_load_files(files("tagsight.server") / "web"))

    def respond(self, request: Request, path: str) -> Response:
        """Answer with a file, or with status 304 if the browser has it.

        Args:
            request: The request for it.
            path: Path below the folder ``web``, such as ``label/index.html``.

        Raises:
            HTTPException: 404 if there is no such file.
        """
        if path not in self._files:
            raise HTTPException(404, "expected a file of the page, got another path")
        file = self._files[path]
        headers = {**HEADERS, "ETag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)


def add_page(app: FastAPI) -> None:
    """Serve the page of a model at ``/``, and its files.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> add_page(app)
        >>> "<title>" in TestClient(app).get("/").text
        True
    """
    web = add_web_files(app)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        return web.respond(request, FIRST)


def add_web_files(app: FastAPI) -> WebFiles:
    """Serve the files of all pages below ``/web``.

    Returns:
        The files, from which an application answers with its page.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> _ = add_web_files(app)
        >>> client = TestClient(app)
        >>> client.get("/web/base.css").status_code, client.get("/web/../app.py").status_code
        (200, 404)
    """
    web = WebFiles()

    @app.api_route("/web/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def part(request: Request, path: str) -> Response:
        return web.respond(request, path)

    return web


def _load_files(folder: Traversable, below: str = "") -> Iterator[tuple[str, _File]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _load_files(file, f"{below}{file.name}/")
            continue
        kind = KINDS.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            coded = kind if kind == KINDS[".jpg"] else f"{kind}; charset=utf-8"
            yield f"{below}{file.name}", _File(content, coded, tag)
