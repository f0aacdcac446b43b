"""The web page: static files, whose scripts request everything else from the server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import Request, Response
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from fastapi import FastAPI

KINDS = {
    ".css": "text/css",
    ".html": "text/html",
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


def add_page(app: FastAPI) -> None:
    """Serve the page at ``/`` and its files below ``/web``; nothing else is read from disk."""
    parts = _load_files()

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        return _respond(request, parts[FIRST])

    @app.api_route("/web/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def part(request: Request, name: str) -> Response:
        if name not in parts:
            raise HTTPException(404, "expected a file of the page, got another path")
        return _respond(request, parts[name])


def _load_files() -> dict[str, _File]:
    found = {}
    for file in (files("tagsight.server") / "web").iterdir():
        kind = KINDS.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found[file.name] = _File(content, kind, tag)
    return found


def _respond(request: Request, file: _File) -> Response:
    headers = {**HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=f"{file.kind}; charset=utf-8", headers=headers)
