"""Requests and responses of Label Studio's interface for models."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from tagsight.server.bridges.label_studio.configuration import EXAMPLE, Kind

LONGEST_CONFIGURATION = 100_000
MOST_TASKS = 1000


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SetupRequest(_Request):
    """A project to connect."""

    schema_: str = Field(
        "",
        alias="schema",
        max_length=LONGEST_CONFIGURATION,
        description="its labelling configuration",
    )


class Task(_Request):
    """A task of a project."""

    id: int | None = None
    data: dict[str, Any] = Field(examples=[{"image": "data:image/png;base64,..."}])


class PredictRequest(_Request):
    """Tasks to suggest labels for."""

    tasks: list[Task] = Field(min_length=1, max_length=MOST_TASKS)
    label_config: str = Field(max_length=LONGEST_CONFIGURATION, examples=[EXAMPLE])


class Annotation(_Request):
    """An annotation of a task by a person."""

    id: int
    result: list[dict[str, Any]] = Field(default_factory=list)
    was_cancelled: bool = False
    completed_by: int | dict[str, Any] | None = None
    updated_at: str = Field("", max_length=100)


class EventProject(_Request):
    """The project of an event."""

    id: int | None = None
    label_config: str = Field("", max_length=LONGEST_CONFIGURATION)


class AnnotatedTask(Task):
    """A task with what people say of it, as in an export."""

    annotations: list[Annotation] = Field(default_factory=list)


class Event(_Request):
    """Something that happened in Label Studio; only annotations matter."""

    action: str = Field("", max_length=100, examples=["ANNOTATION_CREATED"])
    annotation: Annotation | list[Annotation] | None = None
    task: Task | list[Task] | None = None
    project: EventProject | None = None

    def annotated(self) -> list[AnnotatedTask]:
        """Return the tasks of the event, each with its annotation.

        Example:
            >>> annotation = {"id": 7, "result": [{"value": {"choices": ["dog"]}}]}
            >>> event = {"task": {"id": 3, "data": {"image": "a.jpg"}}, "annotation": annotation}
            >>> (task,) = Event.model_validate(event).annotated()
            >>> task.data, task.annotations[0].result
            ({'image': 'a.jpg'}, [{'value': {'choices': ['dog']}}])
        """
        said = self.annotation if isinstance(self.annotation, list) else [self.annotation]
        tasks = self.task if isinstance(self.task, list) else [self.task]
        return [
            AnnotatedTask(id=task.id, data=task.data, annotations=[annotation])
            for task, annotation in zip(tasks, said, strict=False)
            if task is not None and annotation is not None
        ]


class TrainRequest(_Request):
    """All annotated tasks of a project, which Label Studio sends where it has no webhooks."""

    annotations: list[AnnotatedTask] = Field(default_factory=list)
    label_config: str = Field("", max_length=LONGEST_CONFIGURATION)


class State(BaseModel):
    """State of the backend."""

    status: Literal["UP"] = "UP"
    model_class: str = "tagsight"


class Version(BaseModel):
    """Version of the model."""

    model_version: str


class ChosenLabels(BaseModel):
    """Labels of the whole photo."""

    choices: list[str]


class ChosenPaths(BaseModel):
    """Paths of a taxonomy, of the whole photo."""

    taxonomy: list[list[str]]


class Rectangle(BaseModel):
    """A labelled rectangle, in percent of the photo's width and height."""

    x: float = Field(ge=0, le=100)
    y: float = Field(ge=0, le=100)
    width: float = Field(ge=0, le=100)
    height: float = Field(ge=0, le=100)
    rotation: float = 0.0
    rectanglelabels: list[str]


class Ellipse(BaseModel):
    """A labelled ellipse, in percent of the photo's width and height."""

    x: float = Field(ge=0, le=100, description="of its centre")
    y: float = Field(ge=0, le=100)
    radiusX: float = Field(ge=0, le=100)  # noqa: N815 - Label Studio's name of it
    radiusY: float = Field(ge=0, le=100)  # noqa: N815
    rotation: float = 0.0
    ellipselabels: list[str]


class Polygon(BaseModel):
    """A labelled polygon, its corners in percent of the photo's width and height."""

    points: list[tuple[float, float]] = Field(min_length=3)
    closed: Literal[True] = True
    polygonlabels: list[str]


class Brush(BaseModel):
    """A labelled mask of the photo's pixels."""

    format: Literal["rle"] = "rle"
    rle: list[int] = Field(description="run lengths, as bytes")
    brushlabels: list[str]


class Bitmask(BaseModel):
    """A labelled mask of the photo's pixels, as a picture of the photo's size."""

    imageDataURL: str = Field(  # noqa: N815
        description="PNG, black inside and transparent outside", pattern="^data:image/png;base64,"
    )
    bitmasklabels: list[str]


class KeyPoint(BaseModel):
    """A labelled point, in percent of the photo's width and height."""

    x: float = Field(ge=0, le=100)
    y: float = Field(ge=0, le=100)
    width: float = Field(1.0, description="size at which it is drawn")
    keypointlabels: list[str]


Region: TypeAlias = Rectangle | Ellipse | Polygon | Brush | Bitmask | KeyPoint
Value: TypeAlias = ChosenLabels | ChosenPaths | Region


class Suggestion(BaseModel):
    """Suggestion for one control of the labelling configuration: labels, or a labelled region."""

    id: str
    from_name: str
    to_name: str
    type: Kind
    value: Value
    score: float = Field(ge=0, le=1)
    original_width: int = Field(description="pixels")
    original_height: int = Field(description="pixels")
    image_rotation: Literal[0] = 0


class Prediction(BaseModel):
    """Suggestions for a task."""

    result: list[Suggestion]
    score: float = Field(ge=0, le=1, description="highest score of a suggested label")
    model_version: str


class PredictAnswer(BaseModel):
    """Suggestions for all tasks, in their order; for some a list without any."""

    results: list[Prediction | list[Prediction]]
    model_version: str
