"""The application: routes, middleware and error responses."""

from __future__ import annotations

import asyncio
import gzip
import os
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from starlette.exceptions import HTTPException

from tagsight.runtime.version import __version__
from tagsight.server.access import AccessMiddleware, SecurityHeadersMiddleware
from tagsight.server.batching import Batcher
from tagsight.server.bridges import BRIDGES
from tagsight.server.data_urls import HEATMAP_SIDE, draw_evidence, heatmap_urls
from tagsight.server.decoding import DecoderPool
from tagsight.server.indexed_photos import add_indexed_photos
from tagsight.server.limits import LimitsMiddleware, MemoryTrimmer
from tagsight.server.metrics import MetricsMiddleware, ServerMetrics
from tagsight.server.problems import add_error_handlers
from tagsight.server.responses import (
    ERROR_RESPONSES,
    Embeddings,
    Evidence,
    ModelFacts,
    Predictions,
    Problem,
    model_facts,
    recognised_photo,
)
from tagsight.server.search_routes import add_search
from tagsight.server.tag_files import add_tag_files
from tagsight.server.uploads import photos_of, request_body
from tagsight.server.web_page import add_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tagsight.inference.result import Result
    from tagsight.server.search_routes import RecogniseUploads
    from tagsight.server.service import Service
    from tagsight.server.uploads import Upload

MOST_DECODERS = 16


def create_app(service: Service) -> FastAPI:
    """Make the application; it writes no file and opens no path that a client sends.

    Example:
        >>> from pathlib import Path
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.service import Service
        >>> app = create_app(Service(ts.load("runs/first/model"), decoders=1))
        >>> with TestClient(app, base_url="http://localhost") as client:
        ...     sent = {"photos": Path("photos/dog.jpg").read_bytes()}
        ...     (photo,) = client.post("/v1/predict", files=sent).json()["photos"]
        >>> photo["width"], sorted(photo["scores"])
        (128, ['dog', 'sky'])
    """
    trimmer = MemoryTrimmer()
    count = service.decoders or min(MOST_DECODERS, os.cpu_count() or 1)
    _, begin = service.recognizer.network.lanes()
    decoders = DecoderPool(count, service.limits, trimmer, begin)
    batcher = Batcher(service.recognizer, decoders, service.limits.room)
    metrics = ServerMetrics(lambda: batcher.waiting)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with decoders.running(), batcher.running():
            app.state.ready = True
            yield
            app.state.ready = False

    async def recognised(request: Request) -> tuple[list[Upload], list[Result]]:
        uploads = await photos_of(request, service.limits)
        return uploads, await batcher.recognise([upload.content for upload in uploads])

    app = FastAPI(
        title="tagsight",
        version=__version__,
        description="Which of the model's labels are in a photo, and where is the evidence?",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
    )
    app.state.ready = False
    _add_state_routes(app, metrics)
    _add_model_route(app, service)
    _add_photo_routes(app, service, recognised, decoders)
    for bridge in service.bridges:
        BRIDGES[bridge](app, service, batcher.recognise)
    add_tag_files(app, service.version)
    if service.index is not None:
        add_search(app, service.index, recognised)
        add_indexed_photos(app, service, service.index, decoders, batcher.recognise)
    add_page(app)
    add_error_handlers(app)
    _add_middleware(app, service, metrics, trimmer)
    return app


def _add_middleware(
    app: FastAPI, service: Service, metrics: ServerMetrics, trimmer: MemoryTrimmer
) -> None:
    # The last one added sees a request first.
    app.add_middleware(LimitsMiddleware, limits=service.limits, trimmer=trimmer)
    app.add_middleware(AccessMiddleware, hosts=service.hosts, token=service.token)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(SecurityHeadersMiddleware)


def _add_state_routes(app: FastAPI, metrics: ServerMetrics) -> None:
    @app.get("/healthz", tags=["state"])
    async def alive() -> dict[str, str]:
        """Check that the process responds."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["state"], responses={503: {"model": Problem}})
    async def ready() -> dict[str, str]:
        """Check that the server accepts photos."""
        if not app.state.ready:
            raise HTTPException(503, "expected a server that is ready, it is starting or stopping")
        return {"status": "ready"}

    @app.get("/metrics", tags=["state"], response_class=Response)
    async def measured() -> Response:
        """Get counts and times, for Prometheus."""
        return Response(metrics.text(), media_type=metrics.media_type)


def _add_model_route(app: FastAPI, service: Service) -> None:
    @lru_cache(maxsize=1)
    def described(indexed: int | None) -> tuple[bytes, bytes]:
        """Describe the model, and compress that: thousands of labels take megabytes."""
        content = model_facts(service.recognizer, indexed).model_dump_json().encode()
        return content, gzip.compress(content, mtime=0)

    @app.get("/v1/model", tags=["model"], responses=ERROR_RESPONSES, response_model=ModelFacts)
    async def model(request: Request) -> Response:
        """Describe the model: labels, thresholds, resolution, label graph, model card."""
        indexed = None if service.index is None else len(service.index)
        content, compressed = await asyncio.to_thread(described, indexed)
        headers = {"Vary": "Accept-Encoding"}
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            content, headers["Content-Encoding"] = compressed, "gzip"
        return Response(content, media_type="application/json", headers=headers)


def _add_photo_routes(
    app: FastAPI, service: Service, recognised: RecogniseUploads, decoders: DecoderPool
) -> None:
    with_photos: dict[str, Any] = {"openapi_extra": request_body(), "responses": ERROR_RESPONSES}

    @app.post("/v1/predict", tags=["photos"], **with_photos)
    async def predict(
        request: Request,
        heatmaps: Annotated[bool, Query(description="draw heatmaps of predicted labels")] = False,  # noqa: FBT002
        evidence: Annotated[bool, Query(description="draw overlays for the photo")] = False,  # noqa: FBT002
        scores: Annotated[
            int | None,
            Query(ge=1, description="labels to give the scores of, besides predicted ones; all"),
        ] = None,
    ) -> Predictions:
        """Predict the labels of photos."""
        uploads, results = await recognised(request)
        pictures: Sequence[dict[str, str]] = [{} for _ in results]
        if heatmaps:
            pictures = await _heatmaps(decoders, uploads, results)
        overlays: Sequence[Evidence | None] = [None for _ in results]
        if evidence:
            overlays = await asyncio.to_thread(list, map(draw_evidence, results))
        decision = service.recognizer.decision
        photos = [
            recognised_photo(upload.name, result, decision, drawn, overlay, scores)
            for upload, result, drawn, overlay in zip(
                uploads, results, pictures, overlays, strict=True
            )
        ]
        return Predictions(model=service.digest, photos=photos)

    @app.post("/v1/embed", tags=["photos"], **with_photos)
    async def embed(request: Request) -> Embeddings:
        """Compute the embeddings of photos."""
        _, results = await recognised(request)
        vectors = [result.embedding.tolist() for result in results]
        return Embeddings(model=service.digest, embeddings=vectors)


def accepts_gzip(header: str) -> bool:
    """Return whether a client that sends this ``Accept-Encoding`` takes responses in gzip.

    Example:
        >>> [accepts_gzip(sent) for sent in ("", "br, gzip;q=0.5", "gzip;q=0")]
        [False, True, False]
    """
    sent = dict(one.replace(" ", "").lower().partition(";q=")[::2] for one in header.split(","))
    return "gzip" in sent and (not sent["gzip"] or bool(sent["gzip"].strip("0.")))


async def _heatmaps(
    decoders: DecoderPool, uploads: Sequence[Upload], results: Sequence[Result]
) -> list[dict[str, str]]:
    """Draw the heatmaps of each photo, which is decoded again at a larger size."""
    return [
        await decoders.open(
            upload.content,
            partial(heatmap_urls, result=result),
            least_side=HEATMAP_SIDE,
            fit=HEATMAP_SIDE,
        )
        if result.labels
        else {}
        for upload, result in zip(uploads, results, strict=True)
    ]
