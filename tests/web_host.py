"""A web server in this process, whole or failing in ways of its choice."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

CONTENT = np.random.default_rng(0).bytes(3 * 2**20 + 7)


@dataclass
class Host:
    """A web server, and how it behaves."""

    content: bytes = CONTENT
    tag: str = '"one"'
    knows_ranges: bool = True
    minds_if_range: bool = True
    breaks_after: int | None = None
    stated: int | None = None
    range_answer: str | None = None
    status: int = 200
    redirect: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.command, wanted))
        if self.status != 200 or self.redirect:
            request.send_response(self.status if self.status != 200 else 302)
            request.send_header("Location", self.redirect or "")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        changed = self.minds_if_range and request.headers.get("If-Range") not in {None, self.tag}
        start = int(wanted[6:-1]) if wanted and self.knows_ranges and not changed else 0
        if start > len(self.content):
            request.send_response(416)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        total = len(self.content)
        if start:
            there = self.range_answer or f"bytes {start}-{total - 1}/{total}"
            request.send_header("Content-Range", there)
        request.send_header("ETag", self.tag)
        request.send_header(
            "Content-Length", str(len(body) if self.stated is None else self.stated)
        )
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body if self.breaks_after is None else body[: self.breaks_after])
        request.close_connection = True


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.answer(self)

        do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_address[1]}/archive.tar"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
