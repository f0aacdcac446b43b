"""The application: routes, refusals, headers."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tagsight.errors import DataError, TooLargeError, UnknownFormatError
from tagsight.runtime.version import __version__
from tagsight.search.expression import parse
from tagsight.server.access import Access, Hosts
from tagsight.server.answers import (
    Embeddings,
    FoundLabel,
    FoundPhoto,
    ModelFacts,
    Predictions,
    Problem,
    RecognisedPhoto,
    SearchResults,
)
from tagsight.server.batching import Batcher, BusyError
from tagsight.server.decoding import Decoders
from tagsight.server.heatmap_urls import SIDE, evidence_urls, heatmap_urls
from tagsight.server.label_studio import add_label_studio
from tagsight.server.limits import RETRY_AFTER, Bounded, Limits
from tagsight.server.memory import FreedMemory
from tagsight.server.metrics import Counted, ServerMetrics
from tagsight.server.model_facts import STRICTNESSES, model_facts
from tagsight.server.photoprism import add_photoprism
from tagsight.server.security_headers import SecurityHeaders
from tagsight.server.tag_files import add_tag_files
from tagsight.server.thumbnails import add_thumbnails
from tagsight.server.uploads import photos_of, request_body
from tagsight.server.web_page import add_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tagsight.checkpoint.decision import Decision
    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.result import Result
    from tagsight.search.index import Hit, SearchIndex
    from tagsight.server.uploads import Upload

    Recognised = Callable[[Request], Awaitable[tuple[list[Upload], list[Result]]]]

TOP = Query(ge=1, le=1000, description="how many photos at most")
WHERE = Query(max_length=1000, examples=["dog and not person"])
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token, or a wrong one."},
    403: {"model": Problem, "description": "For another host, or from another origin."},
    408: {"model": Problem, "description": "The body did not come in time."},
    413: {"model": Problem, "description": "Too many bytes, pixels or photos, or too much work."},
    415: {"model": Problem, "description": "Not a photo, or a body of another kind."},
    422: {"model": Problem, "description": "Malformed, damaged or truncated."},
    429: {
        "model": Problem,
        "description": "No room just now; Retry-After says when to come again.",
    },
    503: {"model": Problem, "description": "Not answered in time."},
}

DEFAULT_LIMITS, DEFAULT_HOSTS = Limits(), Hosts()
MOST_DECODERS = 16
BRIDGES = {"label-studio": add_label_studio, "photoprism": add_photoprism}


@dataclass(frozen=True)
class Service:
    """What is served.

    Args:
        recognizer: The model.
        index: Photos to search in, if there are any.
        token: What a client must say; None lets everybody in.
        limits: What a client may ask for.
        bridges: Other programs whose requests are answered too, of `BRIDGES`.
        hosts: Hosts that requests may be for; by default this machine's own.
        decoders: Processes that decode photos; by default one for each processor, at most 16.
    """

    recognizer: Recognizer
    index: SearchIndex | None = None
    token: str | None = None
    limits: Limits = DEFAULT_LIMITS
    bridges: tuple[str, ...] = ()
    hosts: Hosts = DEFAULT_HOSTS
    decoders: int | None = None

    @property
    def digest(self) -> str:
        """Of the model, as answers name it."""
        return self.recognizer.info.model[:12]


def create_app(service: Service) -> FastAPI:
    """Make the application; nothing of it writes a file or reads one that a client names."""
    freed = FreedMemory()
    count = service.decoders or min(MOST_DECODERS, os.cpu_count() or 1)
    _, begin = service.recognizer.network.lanes()
    decoders = Decoders(count, service.limits, freed, begin)
    batcher = Batcher(service.recognizer, decoders, service.limits.room)
    metrics = ServerMetrics(lambda: batcher.waiting)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with decoders.running(), batcher.running():
            app.state.ready = True
            yield
            app.state.ready = False

    app = FastAPI(
        title="tagsight",
        version=__version__,
        description="Which of the model's labels are in a photo, and where is the evidence?",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
    )
    app.state.ready = False
    _add_open_routes(app, metrics)
    _add_routes(app, service, batcher, decoders)
    add_page(app)
    _add_refusals(app)
    app.add_middleware(Bounded, limits=service.limits, freed=freed)
    app.add_middleware(Access, hosts=service.hosts, token=service.token)
    app.add_middleware(Counted, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    return app


def _add_open_routes(app: FastAPI, metrics: ServerMetrics) -> None:
    @app.get("/healthz", tags=["state"])
    async def alive() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["state"], responses={503: {"model": Problem}})
    async def ready() -> dict[str, str]:
        """Whether photos can be sent."""
        if not app.state.ready:
            raise HTTPException(503, "expected a server that is ready, it begins or ends just now")
        return {"status": "ready"}

    @app.get("/metrics", tags=["state"], response_class=Response)
    async def measured() -> Response:
        """Counts and times, for Prometheus."""
        return Response(metrics.text(), media_type=metrics.media_type)


def _add_routes(app: FastAPI, service: Service, batcher: Batcher, decoders: Decoders) -> None:
    with_photos: dict[str, Any] = {"openapi_extra": request_body(), "responses": REFUSALS}

    async def recognised(request: Request) -> tuple[list[Upload], list[Result]]:
        uploads = await photos_of(request, service.limits)
        return uploads, await batcher.recognise([upload.content for upload in uploads])

    @app.get("/v1/model", tags=["model"], responses=REFUSALS)
    async def model() -> ModelFacts:
        """What answers here: labels, thresholds, resolution, label graph, model card."""
        indexed = None if service.index is None else len(service.index)
        return model_facts(service.recognizer, indexed)

    @app.post("/v1/predict", tags=["photos"], **with_photos)
    async def predict(
        request: Request,
        heatmaps: Annotated[bool, Query(description="draw where each found label is")] = False,  # noqa: FBT002
        evidence: Annotated[bool, Query(description="give evidence to lay over the photo")] = False,  # noqa: FBT002
    ) -> Predictions:
        """Which labels are in photos."""
        uploads, results = await recognised(request)
        pictures: Sequence[dict[str, str]] = [{} for _ in results]
        if heatmaps:
            pictures = await _heatmaps(decoders, uploads, results)
        veils: Sequence[dict[str, str] | None] = [None for _ in results]
        if evidence:
            veils = await asyncio.to_thread(list, map(evidence_urls, results))
        decision = service.recognizer.decision
        rows = zip(uploads, results, pictures, veils, strict=True)
        photos = [_recognised(*row, decision) for row in rows]
        return Predictions(model=service.digest, photos=photos)

    @app.post("/v1/embed", tags=["photos"], **with_photos)
    async def embed(request: Request) -> Embeddings:
        """What photos look like, as vectors."""
        _, results = await recognised(request)
        vectors = [result.embedding.tolist() for result in results]
        return Embeddings(model=service.digest, embeddings=vectors)

    for bridge in service.bridges:
        BRIDGES[bridge](app, service, batcher.recognise, REFUSALS)
    add_tag_files(app, f"{service.recognizer.info.recipe} {service.digest}", REFUSALS)
    if service.index is not None:
        _add_search(app, service.index, recognised, with_photos)
        add_thumbnails(app, service.index, decoders, REFUSALS)


def _add_search(
    app: FastAPI,
    index: SearchIndex,
    recognised: Recognised,
    with_photos: dict[str, Any],
) -> None:
    @app.post("/v1/search", tags=["search"], **with_photos)
    async def search_like(
        request: Request,
        where: Annotated[str | None, WHERE] = None,
        top: Annotated[int, TOP] = 20,
    ) -> SearchResults:
        """The photos of the index that are most like the photo sent, but for that one itself."""
        expression = parse(where, index.facts.names) if where is not None else None
        uploads, results = await recognised(request)
        if len(results) != 1:
            raise HTTPException(422, f"expected one photo to search with, got {len(results)}")

        def found() -> list[Hit]:
            itself = hashlib.sha256(uploads[0].content).digest()
            return index.like(results[0].embedding, top, expression=expression, without=itself)

        return _found(await asyncio.to_thread(found))

    @app.get("/v1/search", tags=["search"], responses=REFUSALS)
    async def search_where(
        where: Annotated[str, WHERE], top: Annotated[int, TOP] = 20
    ) -> SearchResults:
        """The photos of the index that have labels."""
        expression = parse(where, index.facts.names)
        return _found(await asyncio.to_thread(index.having, expression, top))


def _found(hits: Sequence[Hit]) -> SearchResults:
    return SearchResults(
        photos=[
            FoundPhoto(
                id=hit.digest.hex(),
                path=str(hit.path),
                likeness=hit.likeness,
                labels=list(hit.labels),
            )
            for hit in hits
        ]
    )


def _recognised(
    upload: Upload,
    result: Result,
    pictures: dict[str, str],
    veils: dict[str, str] | None,
    decision: Decision,
) -> RecognisedPhoto:
    width, height = result.photo_size
    places = {name: place for place, name in enumerate(result.names)}
    labels = [
        FoundLabel(
            name=label.name,
            score=label.score,
            threshold=float(result.thresholds[places[label.name]]),
            heatmap=pictures.get(label.name),
        )
        for label in result.labels
    ]
    decided = {how: decision.at(how).predicted(result.scores) for how in STRICTNESSES}
    ranked = result.ranked()
    return RecognisedPhoto(
        name=upload.name,
        width=width,
        height=height,
        labels=labels,
        scores={label.name: label.score for label in ranked},
        decided={
            how: [label.name for label in ranked if found[places[label.name]]]
            for how, found in decided.items()
        },
        evidence=veils,
    )


async def _heatmaps(
    decoders: Decoders, uploads: Sequence[Upload], results: Sequence[Result]
) -> list[dict[str, str]]:
    return [
        await decoders.open(
            upload.content, partial(heatmap_urls, result=result), least_side=SIDE, fit=SIDE
        )
        if result.labels
        else {}
        for upload, result in zip(uploads, results, strict=True)
    ]


def _add_refusals(app: FastAPI) -> None:
    def refused(status: int, message: str, headers: Any = None) -> JSONResponse:  # noqa: ANN401
        return JSONResponse({"error": message}, status, headers)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return refused(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return refused(422, f"{place}: {first['msg']}")

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)  # which nobody reads, but which is counted

    @app.exception_handler(BusyError)
    async def busy(_: Request, __: BusyError) -> JSONResponse:
        return refused(429, "expected room for more photos, got none: come again", RETRY_AFTER)

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> JSONResponse:
        kinds = {TooLargeError: 413, UnknownFormatError: 415}
        return refused(kinds.get(type(error), 422), str(error))
