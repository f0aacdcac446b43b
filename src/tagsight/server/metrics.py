"""What the server has done, in the words of Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GONE = 499
"""What is counted for a client that went away before it was answered."""

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ServerMetrics:
    """Counts of one server.

    Args:
        waiting: Tells how many photos wait or are being recognised.
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "tagsight_requests", "Answers", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "tagsight_request_seconds",
            "Time to an answer",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        gauge = Gauge(
            "tagsight_photos_waiting", "Photos in the queue or at work", registry=self._registry
        )
        gauge.set_function(waiting)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


class Counted:
    """Counts and times the answers of an application.

    Args:
        app: Who answers.
        metrics: What is counted into.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let answer, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = GONE, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            status = 500
            raise
        finally:
            # By route and not by path: a client must not be able to invent names.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
