"""Label Studio's ML backend: it suggests labels to annotators.

https://labelstud.io/guide/ml describes the interface. Photos must be ``data:`` URLs within a task;
Label Studio's own addresses would have to be fetched, which this server never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.parsers import expat

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tagsight.data.tags.text import same
from tagsight.server.data_urls import decode_data_urls
from tagsight.server.responses import ERROR_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from tagsight.inference.result import Result
    from tagsight.server.service import Recognise, Service


CONFIG = '<View><Image name="image" value="$image"/><Choices name="label" toName="image" '
CONFIG += 'choice="multiple"><Choice value="dog"/><Choice value="cat"/></Choices></View>'
"""A labelling configuration, for the examples."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SetupRequest(_Request):
    """A project to connect."""

    schema_: str = Field(
        "", alias="schema", max_length=100_000, description="its labelling configuration"
    )


class Task(_Request):
    """A task of a project."""

    data: dict[str, Any] = Field(examples=[{"image": "data:image/png;base64,..."}])


class PredictRequest(_Request):
    """Tasks to suggest labels for."""

    tasks: list[Task] = Field(min_length=1)
    label_config: str = Field(max_length=100_000, examples=[CONFIG])


class State(BaseModel):
    """State of the backend."""

    status: Literal["UP"] = "UP"
    model_class: str = "tagsight"


class Version(BaseModel):
    """Version of the model."""

    model_version: str


class Choices(BaseModel):
    """Chosen labels."""

    choices: list[str]


class Suggestion(BaseModel):
    """Suggestion for one control of the labelling configuration."""

    from_name: str
    to_name: str
    type: Literal["choices"] = "choices"
    value: Choices
    score: float = Field(ge=0, le=1)


class Prediction(BaseModel):
    """Suggestions for a task."""

    result: list[Suggestion]
    score: float = Field(ge=0, le=1, description="highest score of a suggested label")
    model_version: str


class PredictAnswer(BaseModel):
    """Suggestions for all tasks, in their order."""

    results: list[Prediction]
    model_version: str


class Control(NamedTuple):
    """A ``Choices`` element of the labelling configuration.

    Attributes:
        name: Name of the control.
        to_name: Name of the image that it refers to.
        field: Field of a task's data that contains that image.
        several: Whether more than one choice is allowed.
        choices: Choices as written there, by their normalised text.
    """

    name: str
    to_name: str
    field: str
    several: bool
    choices: dict[str, str]


def add_label_studio(app: FastAPI, service: Service, recognise: Recognise) -> None:
    """Add the routes of Label Studio's ML backend.

    Args:
        app: Gets the routes.
        service: The model and its limits.
        recognise: Recognises the contents of photos.
    """
    version = service.version

    @app.get("/health", tags=["label studio"])
    async def health() -> State:
        """Check that the backend responds."""
        return State()

    @app.post("/setup", tags=["label studio"], responses=ERROR_RESPONSES)
    async def setup(request: SetupRequest) -> Version:
        """Connect a project that shares labels with the model."""
        if request.schema_:
            matching_control(controls(request.schema_), service.recognizer.labels)
        return Version(model_version=version)

    @app.post("/predict", tags=["label studio"], responses=ERROR_RESPONSES)
    async def predict(request: PredictRequest) -> PredictAnswer:
        """Suggest labels for tasks."""
        control = matching_control(controls(request.label_config), service.recognizer.labels)
        urls = [_image(task, control, place) for place, task in enumerate(request.tasks, 1)]
        results = await recognise(decode_data_urls(urls, service.limits.photos))
        return PredictAnswer(
            results=[_prediction(result, control, version) for result in results],
            model_version=version,
        )

    @app.post("/webhook", tags=["label studio"], responses=ERROR_RESPONSES)
    async def webhook() -> State:
        """Accept an event; the model learns nothing from it."""
        return State()


def controls(config: str) -> list[Control]:
    """Parse the choices for images in a labelling configuration.

    Raises:
        HTTPException: 422 if it is not XML, or declares a document type.

    Example:
        >>> [(control.name, control.field, control.several) for control in controls(CONFIG)]
        [('label', 'image', True)]
    """
    fields: dict[str, str] = {}
    found: list[tuple[dict[str, str], dict[str, str]]] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name == "Image":
            fields[attributes.get("name", "")] = attributes.get("value", "").removeprefix("$")
        elif name == "Choices":
            found.append((attributes, {}))
        elif name == "Choice" and found and "value" in attributes:
            choice = attributes.get("alias", attributes["value"])
            found[-1][1][same(attributes["value"])] = choice

    def refuse(*_: object) -> None:
        raise HTTPException(422, "expected a labelling configuration, got a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(config, True)  # noqa: FBT003 - positional only
    except expat.ExpatError as error:
        raise HTTPException(422, f"expected a labelling configuration in XML: {error}") from error
    return [
        Control(
            name=attributes.get("name", ""),
            to_name=attributes["toName"],
            field=fields[attributes["toName"]],
            several=attributes.get("choice") == "multiple",
            choices=choices,
        )
        for attributes, choices in found
        if attributes.get("toName") in fields
    ]


def matching_control(found: Sequence[Control], labels: Sequence[str]) -> Control:
    """Return the first control with a choice that is a label of the model.

    Raises:
        HTTPException: 422 if there is none.
    """
    known = {same(label) for label in labels}
    for control in found:
        if control.choices.keys() & known:
            return control
    raise HTTPException(
        422,
        "expected Choices for an Image, some of them labels of the model such as "
        f"{', '.join(labels[:5])}, got none in the labelling configuration",
    )


def _image(task: Task, control: Control, place: int) -> str:
    image = task.data.get(control.field)
    if not isinstance(image, str):
        got = "none" if image is None else type(image).__name__
        raise HTTPException(
            422, f"expected a photo in the field {control.field!r} of task {place}, got {got}"
        )
    return image


def _prediction(result: Result, control: Control, version: str) -> Prediction:
    found = [label for label in result.labels if same(label.name) in control.choices]
    chosen = found if control.several else found[:1]
    score = chosen[0].score if chosen else 0.0
    suggestion = Suggestion(
        from_name=control.name,
        to_name=control.to_name,
        value=Choices(choices=[control.choices[same(label.name)] for label in chosen]),
        score=score,
    )
    return Prediction(result=[suggestion] if chosen else [], score=score, model_version=version)
