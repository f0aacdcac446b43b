"""Serving of a project until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from tagsight.server.connections import server_config
from tagsight.server.labelling.app import LIMITS

if TYPE_CHECKING:
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


def session_server(app: FastAPI) -> uvicorn.Server:
    """Make the server of an application of `create_label_app`; it runs until Ctrl-C or SIGTERM.

    Example:
        >>> import signal
        >>> from pathlib import Path
        >>> from tagsight.server.access import Hosts
        >>> from tagsight.server.labelling.app import create_label_app
        >>> journal = Path("journal.sqlite")
        >>> app = create_label_app(session, token=None, hosts=Hosts(), journal=journal)
        >>> server = session_server(app)
        >>> server.handle_exit(signal.SIGINT, None)  # as Ctrl-C does
        >>> server.should_exit
        True
    """
    return _Server(server_config(app, LIMITS), app.state.streams)
