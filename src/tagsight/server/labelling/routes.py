"""Routes of a project: photos, judgements, labels, and what is written of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends, Header, Query, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from tagsight.data.source import clean_name
from tagsight.server.responses import ERROR_RESPONSES, Problem
from tagsight.tagging.labelling import orders
from tagsight.tagging.labelling.views import (
    BatchView,
    LabelView,
    LeftOut,
    PhotoDetail,
    PhotosView,
    PhotoView,
    ProjectView,
    Written,
)
from tagsight.tagging.labelling.written import write_labels

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from tagsight.tagging.labelling.session import Session

MOST_JUDGED = 100_000
MOST_LISTED = 1000
LONGEST_PERSON = 60
ME = "me"

Id = Annotated[int, Field(ge=1, le=2**31)]
PathId = Annotated[int, InPath(ge=1, le=2**31)]
Fraction = Annotated[float, Field(ge=0, le=1)]

RESPONSES = {
    **ERROR_RESPONSES,
    404: {"model": Problem, "description": "No photo or label of this id."},
    507: {"model": Problem, "description": "The disk is full; nothing was changed."},
}


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewJudgements(_Body):
    """Judgements of photos: 1 present, 0 absent, null not judged."""

    photos: list[Id] = Field(min_length=1, max_length=MOST_JUDGED)
    label: Id
    value: Literal[1, 0] | None


class NewLabel(_Body):
    """A label to make."""

    name: str = Field(max_length=1000)


class LabelChange(_Body):
    """Changes to a label; an empty shortcut removes it."""

    name: str | None = Field(None, max_length=1000)
    colour: str | None = Field(None, max_length=20)
    shortcut: str | None = Field(None, max_length=1)


class Region(_Body):
    """A part of a photo: left, top, width and height as fractions of it."""

    photo: Id
    box: tuple[Fraction, Fraction, Fraction, Fraction]


class FoundPhotos(_Body):
    """Photos that were found, most alike first."""

    photos: list[PhotoView]


class Writing(_Body):
    """Format for labels to be written in."""

    format: Literal["csv", "sidecars", "coco", "label-studio"]


def _person(
    as_: Annotated[str, Query(alias="as", max_length=LONGEST_PERSON)] = "",
    x_person: Annotated[str, Header(max_length=LONGEST_PERSON)] = "",
) -> str:
    """Return who makes a request: the name that the page sends, or ``me``."""
    return clean_name(as_ or x_person) or ME


Person = Annotated[str, Depends(_person)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
"""Name of a request: sent again after a lost answer, it changes nothing and is answered again."""


def add_routes(app: FastAPI, session: Session, journal: Path) -> None:
    """Add the routes of the project, its photos, judgements and labels.

    Args:
        app: Gets the routes.
        session: The project in use.
        journal: Journal of changes of sidecars.

    Example:
        >>> from pathlib import Path
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> add_routes(app, session, Path("journal.sqlite"))
        >>> client = TestClient(app)
        >>> client.post("/label/labels", json={"name": "dog"}).json()["name"]
        'dog'
    """
    _add_project_routes(app, session, journal)
    _add_photo_routes(app, session)
    _add_judgement_routes(app, session)
    _add_label_routes(app, session)


def _add_project_routes(app: FastAPI, session: Session, journal: Path) -> None:
    @app.get("/label/project", tags=["project"], responses=RESPONSES)
    def project() -> ProjectView:
        """Describe the project: photos, progress, labels and queues."""
        return session.view()

    @app.get("/label/left-out", tags=["project"], responses=RESPONSES)
    def left_out() -> list[LeftOut]:
        """List the photos that cannot be used, and why: the first 1,000."""
        return [LeftOut(*one) for one in session.project.photos.left_out(MOST_LISTED)]

    @app.post("/label/write", tags=["project"], responses=RESPONSES)
    def write(body: Writing) -> Written:
        """Write what is judged into the project's folder, or into sidecars of the photos."""
        return write_labels(session.project, body.format, journal)


def _add_photo_routes(app: FastAPI, session: Session) -> None:
    @app.get("/label/photos", tags=["photos"], responses=RESPONSES)
    def photos(
        queue: Annotated[str, Query(max_length=60)] = "all",
        label: Annotated[int | None, Query(ge=1, le=2**31)] = None,
        state: orders.State | None = None,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 200,
        fresh: Annotated[bool, Query(description="put the queue in order anew")] = False,  # noqa: FBT002
    ) -> PhotosView:
        """List photos of a queue; its order stays until a fresh one is asked for."""
        return session.photos(orders.Query(queue, label, state), offset, limit, fresh=fresh)

    @app.get("/label/photos/{photo}", tags=["photos"], responses=RESPONSES)
    def one(photo: PathId) -> PhotoDetail:
        """Describe a photo, with its score for every label."""
        return session.photo(photo)

    @app.post("/label/region", tags=["photos"], responses=RESPONSES)
    def region(body: Region) -> FoundPhotos:
        """Find photos with a part like that of a photo."""
        return FoundPhotos(photos=session.like_region(body.photo, body.box, MOST_LISTED))


def _add_judgement_routes(app: FastAPI, session: Session) -> None:
    @app.post("/label/judgements", tags=["judgements"], responses=RESPONSES)
    def judge(body: NewJudgements, who: Person, key: Key = None) -> BatchView:
        """Record that a label of photos is present, absent, or not judged."""
        value = -1 if body.value is None else body.value
        return session.judge(body.photos, body.label, value, who, key)

    @app.post("/label/undo", tags=["judgements"], responses=RESPONSES)
    def undo(who: Person, key: Key = None) -> BatchView:
        """Revert what this person did last."""
        return session.undo(who, key)

    @app.post("/label/redo", tags=["judgements"], responses=RESPONSES)
    def redo(who: Person, key: Key = None) -> BatchView:
        """Repeat what this person has undone last."""
        return session.redo(who, key)


def _add_label_routes(app: FastAPI, session: Session) -> None:
    @app.post("/label/labels", tags=["labels"], responses=RESPONSES)
    def make(body: NewLabel) -> LabelView:
        """Make a label, or return the one of this name."""
        return session.make_label(body.name)

    @app.patch("/label/labels/{label}", tags=["labels"], responses=RESPONSES)
    def change(label: PathId, body: LabelChange) -> LabelView:
        """Change the name, colour or shortcut of a label."""
        return session.change_label(
            label, name=body.name, colour=body.colour, shortcut=body.shortcut
        )

    @app.delete("/label/labels/{label}", tags=["labels"], responses=RESPONSES, status_code=204)
    def remove(label: PathId) -> Response:
        """Remove a label of which nothing is said."""
        session.remove_label(label)
        return Response(status_code=204)
