"""Error responses: the sentences of errors, worded for clients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tagsight.errors import DataError, TooLargeError, UnknownFormatError
from tagsight.server.batching import QueueFullError
from tagsight.server.limits import RETRY_AFTER
from tagsight.server.metrics import DISCONNECTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

DATA_STATUSES: Mapping[type[DataError], int] = {TooLargeError: 413, UnknownFormatError: 415}


def add_error_handlers(
    app: FastAPI, statuses: Mapping[type[DataError], int] = DATA_STATUSES
) -> None:
    """Answer errors with JSON, ``{"error": SENTENCE}``.

    Args:
        app: The application.
        statuses: Status of kinds of `DataError`; 422 for others.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> add_error_handlers(app)
        >>> @app.get("/")
        ... def photo() -> None:
        ...     raise TooLargeError("expected at most 50,000,000 pixels, got more")
        >>> answer = TestClient(app).get("/")
        >>> answer.status_code, answer.json()
        (413, {'error': 'expected at most 50,000,000 pixels, got more'})
    """

    def problem(status: int, message: str, headers: Any = None) -> JSONResponse:  # noqa: ANN401
        return JSONResponse({"error": message}, status, headers)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return problem(422, f"{place}: {first['msg']}")

    @app.exception_handler(ClientDisconnect)
    async def disconnected(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=DISCONNECTED)  # nobody receives it, but it is counted

    @app.exception_handler(QueueFullError)
    async def queue_full(_: Request, __: QueueFullError) -> JSONResponse:
        return problem(429, "expected room for more photos, got none: try again later", RETRY_AFTER)

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> JSONResponse:
        return problem(statuses.get(type(error), 422), _for_clients(str(error)))


def _for_clients(message: str) -> str:
    """Leave out the arguments that a library message names or advises; clients have none."""
    message = re.sub(r" \(`\w+`\)", "", message)
    return re.sub(r": [^:'\"]*`\w+`[^:'\"]*$", "", message)
