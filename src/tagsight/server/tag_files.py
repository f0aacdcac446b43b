"""Route that turns reviewed labels into the files that ``tagsight tag`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_line, csv_list
from tagsight.server.responses import ERROR_RESPONSES, ReviewedPhoto
from tagsight.tagging.sidecars import text, xmp
from tagsight.tagging.sidecars.edit import Stamp, Tag
from tagsight.tagging.sidecars.journal import now

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tagsight.tagging.sidecars.edit import Edit

Form = Literal["xmp", "txt", "csv"]
KINDS: dict[Form, str] = {"xmp": "application/rdf+xml", "txt": "text/plain", "csv": "text/csv"}
MOST_PHOTOS = 10_000


class Reviewed(BaseModel):
    """Photos with the labels that a person has accepted."""

    model_config = ConfigDict(extra="forbid")

    photos: list[ReviewedPhoto] = Field(min_length=1, max_length=MOST_PHOTOS)


def add_tag_files(app: FastAPI, model: str) -> None:
    """Add the route of ``/v1/tags``; the server stores nothing.

    Args:
        app: Gets the route.
        model: Recipe and digest of the model, recorded in sidecars.

    Example:
        >>> from fastapi import FastAPI
        >>> from fastapi.testclient import TestClient
        >>> app = FastAPI()
        >>> add_tag_files(app, "gcam-cpu 3f2a9c0d11ee")
        >>> photos = [{"name": "a.jpg", "labels": [{"name": "dog", "score": 0.93}]}]
        >>> print(TestClient(app).post("/v1/tags?form=csv", json={"photos": photos}).text, end="")
        path,labels
        a.jpg,dog
    """
    described: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "The file.",
            "content": {kind: {"schema": {"type": "string"}} for kind in KINDS.values()},
        }
    }
    responses = {**ERROR_RESPONSES, **described}

    @app.post(
        "/v1/tags",
        tags=["photos"],
        responses=responses,
        response_class=Response,
    )
    def tags(
        reviewed: Reviewed,
        form: Annotated[Form, Query(description="a sidecar (xmp, txt) or a table (csv)")],
    ) -> Response:
        """Get labels as the sidecar of a photo, or as a table of several photos."""
        content = _table(reviewed) if form == "csv" else _sidecar(reviewed, form, model)
        first = reviewed.photos[0].name
        name = "labels.csv" if form == "csv" else f"{first}.xmp" if form == "xmp" else _txt(first)
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        return Response(
            content, media_type=KINDS[form], headers={"Content-Disposition": disposition}
        )


def _table(reviewed: Reviewed) -> bytes:
    lines = [csv_line(["path", "labels"])]
    lines += [
        csv_line([photo.name, csv_list([label.name for label in photo.labels])])
        for photo in reviewed.photos
    ]
    return "".join(lines).encode("utf-8", "backslashreplace")


def _sidecar(reviewed: Reviewed, form: Form, model: str) -> bytes:
    photo, *others = reviewed.photos
    if others or not photo.labels:
        got = amount(len(reviewed.photos), "photo") if others else "no label"
        raise HTTPException(422, f"expected one photo with labels for a sidecar, got {got}")
    tags = [Tag(label.name, label.score) for label in photo.labels]
    edit: Edit | None
    if form == "xmp":
        edit = xmp.add_keywords(None, tags, Stamp(model, now()))
    else:
        edit = text.add_tags(None, tags)
    if edit is None:
        raise HTTPException(422, "expected labels that are not only white space, got none")
    return edit.content


def _txt(name: str) -> str:
    stem = name.rpartition(".")[0]
    return f"{stem or name}.txt"
