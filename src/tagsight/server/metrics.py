"""Metrics of the server, in the format of Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DISCONNECTED = 499
"""Status that is counted for a client that disconnected before its response."""

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ServerMetrics:
    """Request counts and times of one server.

    Args:
        waiting: Returns the number of photos that are waiting or being recognised.

    Example:
        >>> metrics = ServerMetrics(waiting=lambda: 3)
        >>> [line for line in metrics.text().decode().splitlines() if line.endswith(" 3.0")]
        ['tagsight_photos_waiting 3.0']
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "tagsight_requests", "Responses", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "tagsight_request_seconds",
            "Time until the end of a response",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        gauge = Gauge(
            "tagsight_photos_waiting",
            "Photos that are waiting or being recognised",
            registry=self._registry,
        )
        gauge.set_function(waiting)

    def text(self) -> bytes:
        """Format all metrics for Prometheus."""
        return generate_latest(self._registry)


class MetricsMiddleware:
    """Counts and times the requests of an application.

    Args:
        app: The wrapped ASGI application.
        metrics: Receives the counts.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.testclient import TestClient
        >>> metrics = ServerMetrics(waiting=lambda: 0)
        >>> TestClient(MetricsMiddleware(Starlette(), metrics)).get("/invented").status_code
        404
        >>> 'tagsight_requests_total{route="none",status="404"} 1.0' in metrics.text().decode()
        True
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = DISCONNECTED, time.perf_counter()

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        except Exception:
            status = 500
            raise
        finally:
            # By route and not by path, so that clients cannot invent metric names.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
