"""Label Studio's ML backend: suggestions for those who label photos.

https://labelstud.io/guide/ml describes what is asked and answered. Only photos within a task are
looked at (``data:`` URLs): Label Studio's own addresses would have to be fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.parsers import expat

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tagsight.server.data_urls import photos_in
from tagsight.tagging.sidecars.edit import same

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fastapi import FastAPI

    from tagsight.inference.result import Result
    from tagsight.server.app import Service

    Refusals = dict[int | str, dict[str, Any]]
    Recognise = Callable[[Sequence[bytes]], Awaitable[list[Result]]]

CONFIG = '<View><Image name="image" value="$image"/><Choices name="label" toName="image" '
CONFIG += 'choice="multiple"><Choice value="dog"/><Choice value="cat"/></Choices></View>'
"""A labelling configuration, for the examples."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SetupRequest(_Asked):
    """A project that is connected."""

    schema_: str = Field(
        "", alias="schema", max_length=100_000, description="its labelling configuration"
    )


class Task(_Asked):
    """Something to be labelled."""

    data: dict[str, Any] = Field(examples=[{"image": "data:image/png;base64,..."}])


class PredictRequest(_Asked):
    """Tasks of a project."""

    tasks: list[Task] = Field(min_length=1)
    label_config: str = Field(max_length=100_000, examples=[CONFIG])


class State(BaseModel):
    """Whether the backend works."""

    status: Literal["UP"] = "UP"
    model_class: str = "tagsight"


class Version(BaseModel):
    """Who will answer."""

    model_version: str


class Choices(BaseModel):
    """What is chosen."""

    choices: list[str]


class Suggestion(BaseModel):
    """What is suggested for one control of the labelling configuration."""

    from_name: str
    to_name: str
    type: Literal["choices"] = "choices"
    value: Choices
    score: float = Field(ge=0, le=1)


class Prediction(BaseModel):
    """What is suggested for a task."""

    result: list[Suggestion]
    score: float = Field(ge=0, le=1, description="of the surest label that is suggested")
    model_version: str


class PredictAnswer(BaseModel):
    """What is suggested for the tasks, in their order."""

    results: list[Prediction]
    model_version: str


class Control(NamedTuple):
    """A place in the labelling configuration where labels of photos are chosen.

    Attributes:
        name: Of the control.
        to_name: Of the picture that it is about.
        field: Of a task's data in which that picture is.
        several: Whether more than one may be chosen.
        choices: As they are written there, by what is equal for people.
    """

    name: str
    to_name: str
    field: str
    several: bool
    choices: dict[str, str]


def add_label_studio(
    app: FastAPI, service: Service, recognise: Recognise, refusals: Refusals
) -> None:
    """Answer Label Studio.

    Args:
        app: Gets the routes.
        service: What is served.
        recognise: Takes the contents of photos.
        refusals: Answers of other kinds, for the description.
    """
    version = f"{service.recognizer.info.recipe} {service.digest}"

    @app.get("/health", tags=["label studio"])
    async def health() -> State:
        """Whether the backend works."""
        return State()

    @app.post("/setup", tags=["label studio"], responses=refusals)
    async def setup(asked: SetupRequest) -> Version:
        """Connect a project whose labels are the model's, or some of them."""
        if asked.schema_:
            suggested(controls(asked.schema_), service.recognizer.labels)
        return Version(model_version=version)

    @app.post("/predict", tags=["label studio"], responses=refusals)
    async def predict(asked: PredictRequest) -> PredictAnswer:
        """Suggest labels for tasks."""
        control = suggested(controls(asked.label_config), service.recognizer.labels)
        urls = [_picture(task, control, place) for place, task in enumerate(asked.tasks, 1)]
        results = await recognise(photos_in(urls, service.limits.photos))
        return PredictAnswer(
            results=[_prediction(result, control, version) for result in results],
            model_version=version,
        )

    @app.post("/webhook", tags=["label studio"], responses=refusals)
    async def webhook() -> State:
        """Take note of an event; nothing is learned from it."""
        return State()


def controls(config: str) -> list[Control]:
    """Read the choices about pictures in a labelling configuration.

    Raises:
        HTTPException: 422 if it is no XML, or declares a document type.
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
        parser.Parse(config, True)  # noqa: FBT003 - its only way to say that this is all
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


def suggested(found: Sequence[Control], labels: Sequence[str]) -> Control:
    """The control whose choices are labels of the model.

    Raises:
        HTTPException: 422 if there is none.
    """
    known = {same(label) for label in labels}
    for control in found:
        if control.choices.keys() & known:
            return control
    raise HTTPException(
        422,
        "expected Choices about an Image, some of them labels of the model such as "
        f"{', '.join(labels[:5])}, got none in the labelling configuration",
    )


def _picture(task: Task, control: Control, place: int) -> str:
    picture = task.data.get(control.field)
    if not isinstance(picture, str):
        got = "none" if picture is None else type(picture).__name__
        raise HTTPException(
            422, f"expected a photo in the field {control.field!r} of task {place}, got {got}"
        )
    return picture


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
