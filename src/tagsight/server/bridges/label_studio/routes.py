"""Routes of Label Studio's interface for models."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.server.batching import QueueFullError
from tagsight.server.bridges.label_studio.configuration import answered_controls, controls
from tagsight.server.bridges.label_studio.messages import (
    Event,
    PredictAnswer,
    Prediction,
    PredictRequest,
    SetupRequest,
    State,
    TrainRequest,
    Version,
)
from tagsight.server.bridges.label_studio.photos import task_content
from tagsight.server.bridges.label_studio.recording import Recorder
from tagsight.server.bridges.label_studio.suggestions import suggest
from tagsight.server.responses import ERROR_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from tagsight.server.bridges.label_studio.configuration import Control
    from tagsight.server.bridges.label_studio.messages import Task
    from tagsight.server.service import Recognise, Service

logger = logging.getLogger(__name__)

AT_ONCE = 2 * min(8, os.cpu_count() or 1)
"""Tasks of a request that are worked on at the same time; the photos of the others are not held."""

SHARE_OF_TIME = 0.8
"""Share of the time limit of a response after which tasks that remain get no suggestions."""


def add_label_studio(app: FastAPI, service: Service, recognise: Recognise) -> None:
    """Add the routes of Label Studio's interface for models.

    Args:
        app: Gets the routes.
        service: The model and its limits.
        recognise: Recognises the contents of photos.

    Example:
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.app import create_app
        >>> from tagsight.server.bridges.label_studio.configuration import EXAMPLE
        >>> from tagsight.server.service import Service
        >>> app = create_app(Service(ts.load("runs/first/model"), bridges=("label-studio",)))
        >>> client = TestClient(app, base_url="http://localhost")
        >>> client.get("/health").json()
        {'status': 'UP', 'model_class': 'tagsight'}
        >>> client.post("/setup", json={"schema": EXAMPLE}).json().keys()
        dict_keys(['model_version'])
    """
    version, labels = service.version, service.recognizer.labels
    suggester = _Suggester(service, recognise)

    @app.get("/health", tags=["label studio"])
    async def health() -> State:
        """Check that the backend responds."""
        return State()

    @app.post("/setup", tags=["label studio"], responses=ERROR_RESPONSES)
    async def setup(request: SetupRequest) -> Version:
        """Connect a project that shares labels with the model."""
        if request.schema_:
            answered_controls(controls(request.schema_), labels)
        return Version(model_version=version)

    @app.post("/predict", tags=["label studio"], responses=ERROR_RESPONSES)
    async def predict(request: PredictRequest) -> PredictAnswer:
        """Suggest labels and regions for tasks; the log says why a task gets none."""
        answered = answered_controls(controls(request.label_config), labels)
        return PredictAnswer(
            results=await suggester.all_tasks(request.tasks, answered), model_version=version
        )

    _add_annotation_routes(app, service)


def _add_annotation_routes(app: FastAPI, service: Service) -> None:
    recorder = None
    if service.judgements is not None:
        recorder = Recorder(service.judgements, service.label_studio)

    @app.post("/webhook", tags=["label studio"], responses=ERROR_RESPONSES)
    async def happened(event: Event) -> State:
        """Add annotations to the project of judgements, if there is one; nothing is trained."""
        if recorder is None:
            logger.info("label studio: annotations are not kept: start with `judgements`")
        else:
            await recorder.event(event)
        return State()

    @app.post("/train", tags=["label studio"], responses=ERROR_RESPONSES)
    async def annotated(request: TrainRequest | Event) -> State:
        """Add all annotations that are sent, as the other route does; nothing is trained."""
        if isinstance(request, Event):
            return await happened(request)
        if recorder is not None:
            await recorder.tasks(request.annotations, request.label_config)
        return State()


class _Suggester:
    """Answers for tasks one by one, so that a photo that cannot be read costs its task alone."""

    def __init__(self, service: Service, recognise: Recognise) -> None:
        self._service = service
        self._recognise = recognise

    async def all_tasks(
        self, tasks: Sequence[Task], controls: Sequence[Control]
    ) -> list[Prediction | list[Prediction]]:
        """Suggest labels for tasks, in their order, as long as there is time.

        Label Studio keeps an empty prediction and asks no more. Where a photo could not be read, it
        gets no prediction, so that it asks again.
        """
        turn = asyncio.Semaphore(AT_ONCE)
        seconds = SHARE_OF_TIME * self._service.limits.seconds
        end = asyncio.get_running_loop().time() + seconds
        results = await asyncio.gather(*(self._one(task, controls, turn, end) for task in tasks))
        answered = sum(isinstance(result, Prediction) for result in results)
        logger.info("label studio: %s, %d answered", amount(len(tasks), "task"), answered)
        return list(results)

    async def _one(
        self, task: Task, controls: Sequence[Control], turn: asyncio.Semaphore, end: float
    ) -> Prediction | list[Prediction]:
        try:
            async with asyncio.timeout_at(end), turn:
                prediction = await self._suggested(task, controls)
        except (DataError, HTTPException) as error:
            reason = str(error.detail if isinstance(error, HTTPException) else error)
        except QueueFullError:
            reason = "other clients have taken all places for photos"
        except TimeoutError:
            reason = "no time was left for it: ask for fewer tasks at once"
        else:
            if not prediction.result:
                logger.info("label studio: task %s gets none: no label is found", task.id)
            return prediction
        logger.warning("label studio: task %s gets no suggestion: %s", task.id, reason)
        return []

    async def _suggested(self, task: Task, controls: Sequence[Control]) -> Prediction:
        """Suggest labels for a task; its controls may refer to several photos."""
        parts = []
        for field in dict.fromkeys(control.field for control in controls):
            of_field = [control for control in controls if control.field == field]
            content = await task_content(task.data.get(field), field, self._service.label_studio)
            (result,) = await self._recognise([content])
            parts.append(await asyncio.to_thread(suggest, result, of_field, self._service.version))
        if len(parts) == 1:
            return parts[0]
        together = [one for part in parts for one in part.result]
        best = max(part.score for part in parts)
        return parts[0].model_copy(update={"result": together, "score": best})
