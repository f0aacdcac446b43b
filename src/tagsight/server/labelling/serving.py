"""Serving of a project until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from tagsight.server.connections import server_config
from tagsight.server.labelling.app import LIMITS

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from fastapi import FastAPI

    from tagsight.server.labelling.stream import Streams


class _Server(uvicorn.Server):
    """A server that ends its streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._streams.end()
        super().handle_exit(sig, frame)


def serve_session(app: FastAPI, listening: socket.socket) -> None:
    """Serve an application of `create_label_app` until Ctrl-C or SIGTERM.

    Args:
        app: The application.
        listening: Listens already.
    """
    server = _Server(server_config(app, LIMITS), app.state.streams)
    server.run(sockets=[listening])
