"""Annotations of Label Studio, added to a project of ``tagsight label`` as judgements."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from tagsight.data.formats.label_studio_values import (
    labels_in,
    photo_field,
    task_photo,
    without_prefixes,
)
from tagsight.data.photos.inside import PhotosInside
from tagsight.data.source import clean_name
from tagsight.data.tags.text import same
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.server.batching import QueueFullError
from tagsight.server.bridges.label_studio.configuration import controls
from tagsight.server.bridges.label_studio.messages import AnnotatedTask, EventProject
from tagsight.server.bridges.label_studio.photos import task_content
from tagsight.tagging.labelling.finding import photos_named, photos_with_content
from tagsight.tagging.labelling.judgements import Change

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from tagsight.server.bridges.label_studio.client import LabelStudio
    from tagsight.server.bridges.label_studio.configuration import Control
    from tagsight.server.bridges.label_studio.messages import Annotation, Event
    from tagsight.tagging.labelling.project import Project

logger = logging.getLogger(__name__)

_EXPORT = TypeAdapter(list[AnnotatedTask])

CREATED, UPDATED = "ANNOTATION_CREATED", "ANNOTATION_UPDATED"
RECORDED = frozenset({CREATED, "ANNOTATIONS_CREATED", UPDATED})
"""Events that make judgements."""

ASKS_FOR_ALL = "START_TRAINING"
"""The event of the button 'Start training', which brings no annotations."""

LARGEST_EXPORT = 2**28
MOST_WAITING = 64
"""Requests whose annotations wait to be recorded."""

WHOLE_PHOTO = frozenset({"choices", "taxonomy"})
"""Kinds of controls that ask about the whole photo."""

MOST_REASONS = 20
"""Annotations of an export that cannot be recorded, of which the log says why."""


class Said(NamedTuple):
    """Labels that an annotation gives, and all that it could have given."""

    present: frozenset[str]
    offered: frozenset[str]


class Recorder:
    """Adds annotations to a project; nothing is trained.

    Labels that are offered by the labelling configuration and not given are absent, as when an
    export is read. Annotations are recorded one after the other, in the order of their requests,
    and also if Label Studio stops waiting for the response, which it does after a second.

    Args:
        project: Open, its photos searched.
        studio: Label Studio, for all annotations of a project and for photos whose names do not
            tell which they are, or None.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.server.bridges.label_studio.configuration import EXAMPLE
        >>> from tagsight.tagging.labelling.project import Project
        >>> result = [{"from_name": "label", "value": {"choices": ["dog"]}}]
        >>> said = {"annotations": [{"id": 1, "result": result}], "data": {"image": "dog.jpg"}}
        >>> with TemporaryDirectory() as folder, Project(Path(folder), Path("photos")) as project:
        ...     project.photos.search(lambda: None)
        ...     recorder = Recorder(project, studio=None)
        ...     asyncio.run(recorder.tasks([AnnotatedTask.model_validate(said)], EXAMPLE))
        ...     sorted(label.name for label in project.labels.shown)
        ['cat', 'dog']
    """

    def __init__(self, project: Project, studio: LabelStudio | None) -> None:
        self._project = project
        self._studio = studio
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()

    async def event(self, event: Event) -> None:
        """Record what an event says: its annotations, or all of a project.

        Raises:
            DataError: If its only annotation cannot be recorded.
            QueueFullError: If too many requests are waiting.
        """
        if event.action == ASKS_FOR_ALL and event.project is not None and event.project.id:
            await self._in_turn(self.catch_up(event.project.id))
        elif event.action in RECORDED:
            configuration = "" if event.project is None else event.project.label_config
            await self.tasks(event.annotated(), configuration)

    async def tasks(self, tasks: Sequence[AnnotatedTask], configuration: str) -> None:
        """Record the annotations of tasks, made with a labelling configuration.

        Raises:
            DataError: If there is one alone, which cannot be recorded.
            QueueFullError: If too many requests are waiting.
        """
        await self._in_turn(self._record(tasks, configuration))

    async def catch_up(self, project: int) -> None:
        """Record all annotations of a project of Label Studio; those recorded before do nothing.

        Raises:
            DataError: If they cannot be fetched.
        """
        if self._studio is None:
            msg = "expected the address of Label Studio to fetch all annotations from, got none"
            raise DataError(msg)
        _, facts = await self._studio.call("GET", f"/api/projects/{project}")
        path = f"/api/projects/{project}/export?exportType=JSON"
        status, exported = await self._studio.call("GET", path, largest=LARGEST_EXPORT)
        try:
            configuration = EventProject.model_validate(facts).label_config
            tasks = _EXPORT.validate_python(exported)
        except ValidationError as error:
            msg = f"expected the annotations of project {project}, got another response ({status})"
            raise DataError(msg) from error
        await self._record(tasks, configuration)

    async def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work after all that was asked for before, even if the client disconnects."""
        if len(self._waiting) >= MOST_WAITING:
            work.close()
            raise QueueFullError

        async def alone() -> None:
            async with self._turn:
                await work

        task = asyncio.create_task(alone())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(task)

    async def _record(self, tasks: Sequence[AnnotatedTask], configuration: str) -> None:
        """Record annotations; the log says what became of each, or of all if there are many."""
        offering = _offering(configuration)
        pairs = [(task, one) for task in tasks for one in task.annotations if not one.was_cancelled]
        outcomes = [await self._outcome(task, one, offering) for task, one in pairs]
        problems = [outcome for outcome in outcomes if isinstance(outcome, DataError)]
        for problem in problems[:MOST_REASONS]:
            logger.warning("label studio: %s", problem)
        changed = sum(outcome for outcome in outcomes if isinstance(outcome, int))
        logger.info(
            "label studio: %s recorded, %s changed; %d could not be recorded",
            amount(len(pairs) - len(problems), "annotation"),
            amount(changed, "judgement"),
            len(problems),
        )
        if len(pairs) == 1 and problems:
            raise problems[0]

    async def _outcome(
        self, task: AnnotatedTask, annotation: Annotation, offering: Sequence[Control]
    ) -> int | DataError:
        """Record an annotation; return the number of judgements that it changed, or why not."""
        try:
            said = said_by(annotation, offering)
            photos = await self._photos(task, offering)
            return await asyncio.to_thread(self._judge, photos, said, annotation)
        except DataError as error:
            return DataError(f"annotation {annotation.id} of task {task.id}: {error}")

    async def _photos(self, task: AnnotatedTask, offering: Sequence[Control]) -> list[int]:
        """Find the photos of the project that a task shows: by name, or else by content."""
        fields = {control.field for control in offering} & task.data.keys()
        if len(fields) == 1:
            (field,) = fields
        else:
            field = photo_field([task.data], f"task {task.id}")
        value = task.data[field]
        tried = "its content"
        if isinstance(value, str) and not value.startswith("data:"):
            name = task_photo(value, f"task {task.id}", PhotosInside("task", write=False))
            names = dict.fromkeys([name, *without_prefixes([name])])
            for tried in names:
                found = await asyncio.to_thread(photos_named, self._project, tried)
                if len(found) == 1:
                    return found
        content = await task_content(value, field, self._studio)
        found = await asyncio.to_thread(photos_with_content, self._project, content)
        if not found:
            msg = (
                f"expected a photo of {self._project.photos.folder}, got one that is not there, "
                f"neither by name nor by content ({tried!r:.100})"
            )
            raise DataError(msg)
        return found

    def _judge(self, photos: Sequence[int], said: Said, annotation: Annotation) -> int:
        known = {same(label.name): label.name for label in self._project.labels.shown}
        values = {
            self._project.labels.make(known.get(same(name), name)).id: int(name in said.present)
            for name in sorted(said.offered)
        }
        changes = [
            Change(photo, label, value) for photo in photos for label, value in values.items()
        ]
        key = f"label studio {annotation.id} {annotation.updated_at}"
        batch = self._project.judge_all(
            changes, _person(annotation), key if annotation.updated_at else None
        )
        return 0 if batch.repeated else len(batch.changes)


def said_by(annotation: Annotation, offering: Sequence[Control]) -> Said:
    """Return the labels that an annotation gives, and those that its controls offer.

    A region with a label says that the photo has it. Labels that several questions about the whole
    photo offer, such as "yes", are named with their control, ``indoor: yes``.

    Raises:
        DataError: If a label is not text.

    Example:
        >>> from tagsight.server.bridges.label_studio.configuration import EXAMPLE, controls
        >>> from tagsight.server.bridges.label_studio.messages import Annotation
        >>> result = {"from_name": "label", "value": {"choices": ["dog"]}}
        >>> said = said_by(Annotation(id=1, result=[result]), controls(EXAMPLE))
        >>> sorted(said.present), sorted(said.offered)
        (['dog'], ['cat', 'dog'])
    """
    where = f"annotation {annotation.id}"
    present = {
        (str(result.get("from_name", "")), label)
        for result in annotation.result
        if isinstance(value := result.get("value"), dict)
        for label in labels_in(value, where)
    }
    offered = {
        (control.name, clean_name(label, where))
        for control in offering
        for label in control.options.values()
    }
    whole = {one.name: set(one.options.values()) for one in offering if one.kind in WHOLE_PHOTO}
    uses = Counter(label for labels in whole.values() for label in labels)

    def named(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
        return frozenset(
            clean_name(f"{control}: {label}", where)
            if control in whole and uses[label] > 1
            else label
            for control, label in pairs
        )

    return Said(named(present), named(offered | present))


def _offering(configuration: str) -> list[Control]:
    """Return the controls of a configuration; none if it is missing or cannot be read."""
    try:
        return controls(configuration) if configuration else []
    except HTTPException:
        return []


def _person(annotation: Annotation) -> str:
    by = annotation.completed_by
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    return clean_name(f"Label Studio {by}")[:60] if by else "Label Studio"
