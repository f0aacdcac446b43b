"""Immich's machine-learning service: smart search by the model's labels.

https://github.com/immich-app/immich/tree/main/machine-learning describes the interface. Immich
stores a vector for each photo and looks for those near the vector of what was typed. Here a vector
has a coordinate for each label, its score, and the rest are the photo's embedding, so that a
label's name finds the photos with the highest scores and photos that look alike are near.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from tagsight.data.tags.text import leaf, same
from tagsight.server.limits import FORM
from tagsight.server.responses import ERROR_RESPONSES
from tagsight.server.uploads import form_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from numpy.typing import NDArray

    from tagsight.inference.result import Result
    from tagsight.server.limits import Limits
    from tagsight.server.service import Recognise, Service

LENGTHS: Mapping[str, int] = {
    "ViT-B-32__openai": 512,
    "ViT-L-14__openai": 768,
    "RN50__openai": 1024,
    "ViT-SO400M-16-SigLIP2-384__webli": 1152,
    "ViT-gopt-16-SigLIP2-384__webli": 1536,
}
"""Lengths that Immich expects, by the name of the model in its settings: the known ones. None of
them is that of an embedding, which is folded."""

LEAST_LOOK = 64
"""Coordinates that the embedding has at least."""

LONGEST_TEXT = 1000
LONGEST_ENTRIES = 10_000

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["entries"],
                    "properties": {
                        "entries": {"type": "string", "description": "what is asked, as JSON"},
                        "image": {"type": "string", "format": "binary"},
                        "text": {"type": "string", "maxLength": LONGEST_TEXT},
                    },
                }
            }
        },
    }
}

_WORDS = re.compile(r"\w+")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Encoder(_Settings):
    """The model that Immich asks for."""

    modelName: str = Field(max_length=200)  # noqa: N815 - Immich's name of it


class SearchEntry(_Settings):
    """The subject of an embedding: a photo or a text."""

    visual: Encoder | None = None
    textual: Encoder | None = None


class Entries(_Settings):
    """A request; what is asked of faces and of letters is refused."""

    clip: SearchEntry | None = None


class VectorAnswer(BaseModel):
    """The vector of a photo or of a text, as JSON within JSON."""

    clip: str = Field(examples=["[0.1,0.2]"])
    imageWidth: int | None = None  # noqa: N815 - Immich's name of it
    imageHeight: int | None = None  # noqa: N815


def add_immich(app: FastAPI, service: Service, recognise: Recognise) -> None:
    """Add the routes of Immich's machine-learning service.

    Args:
        app: Gets the routes.
        service: The model and its limits.
        recognise: Recognises the contents of photos.

    Example:
        >>> import tagsight as ts
        >>> from fastapi.testclient import TestClient
        >>> from tagsight.server.app import create_app
        >>> from tagsight.server.service import Service
        >>> app = create_app(Service(ts.load("runs/first/model"), bridges=("immich",)))
        >>> entries = {"clip": {"textual": {"modelName": "ViT-B-32__openai"}}}
        >>> form = {"entries": (None, json.dumps(entries)), "text": (None, "a dog")}
        >>> answer = TestClient(app, base_url="http://localhost").post("/predict", files=form)
        >>> len(json.loads(answer.json()["clip"]))
        512
    """
    labels = service.recognizer.labels

    @app.get("/ping", tags=["immich"], response_class=Response)
    async def ping() -> Response:
        """Check that the service responds."""
        return Response("pong", media_type="text/plain")

    @app.post(
        "/predict",
        tags=["immich"],
        responses=ERROR_RESPONSES,
        response_model_exclude_none=True,
        openapi_extra=_BODY,
    )
    async def vector(request: Request) -> VectorAnswer:
        """Compute the vector of a photo, or of the labels that a text names."""
        entries, image, text = await _fields(request, service.limits)
        wanted = _wanted(entries)
        if wanted.visual is not None and image is not None:
            length = vector_length(wanted.visual.modelName, len(labels))
            (result,) = await recognise([image])
            width, height = result.photo_size
            clip = _as_text(photo_vector(result, length))
            return VectorAnswer(clip=clip, imageWidth=width, imageHeight=height)
        if wanted.textual is not None and text is not None:
            length = vector_length(wanted.textual.modelName, len(labels))
            return VectorAnswer(clip=_as_text(text_vector(text, labels, length)))
        raise HTTPException(422, "expected 'image' for 'visual' or 'text' for 'textual', got none")


async def _fields(request: Request, limits: Limits) -> tuple[str, bytes | None, str | None]:
    """Read the fields ``entries``, ``image`` and ``text`` of a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise HTTPException(415, f"expected {FORM}, got {kind or 'no content type'}")
    form = await form_of(request, limits)
    try:
        entries, image, text = (form.get(name) for name in ("entries", "image", "text"))
        if not isinstance(entries, str) or len(entries) > LONGEST_ENTRIES:
            raise HTTPException(422, "expected the field 'entries' as JSON, got none")
        if isinstance(text, UploadFile) or len(text or "") > LONGEST_TEXT:
            message = f"expected a text of at most {LONGEST_TEXT:,} characters, got another"
            raise HTTPException(422, message)
        if isinstance(image, str):
            raise HTTPException(422, "expected a file in the field 'image', got text")
        return entries, None if image is None else await image.read(), text
    finally:
        await form.close()


def vector_length(name: str, labels: int) -> int:
    """Return how many coordinates Immich expects of a model.

    Raises:
        HTTPException: 422 if it is another model, or the labels do not fit into its vectors.

    Example:
        >>> vector_length("ViT-B-32__openai", 20)
        512
    """
    if name not in LENGTHS:
        known = ", ".join(LENGTHS)
        raise HTTPException(422, f"expected one of {known} as model, got {name!r:.100}")
    if labels + LEAST_LOOK > LENGTHS[name]:
        most = LENGTHS[name] - LEAST_LOOK
        message = f"expected a model of at most {most} labels for {name}, got {labels}"
        raise HTTPException(422, f"{message}: choose a longer one in Immich's settings")
    return LENGTHS[name]


def photo_vector(result: Result, length: int) -> NDArray[np.float32]:
    """Compute the vector of a photo: ``(length,)`` float32.

    First come the scores of the labels, then the embedding, folded and with length 1.

    Example:
        >>> from tagsight.inference.result import Result
        >>> scores, maps = np.array([0.9, 0.2]), np.zeros((2, 1, 1), np.float32)
        >>> look = np.array([3, 4], np.float32)
        >>> names, half = ("dog", "sky"), np.full(2, 0.5)
        >>> result = Result(None, names, scores, half, scores >= half, maps, scores, look, (64, 48))
        >>> vector = photo_vector(result, 512)
        >>> [round(float(one), 2) for one in (*vector[:2], np.linalg.norm(vector[2:]))]
        [0.9, 0.2, 1.0]
    """
    look = folded(result.embedding, length - len(result.scores))
    look /= max(float(np.linalg.norm(look)), 1e-12)
    return np.concatenate([result.scores.astype(np.float32), look])


def folded(embedding: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Add the coordinates of an embedding up in fewer: ``(D,) -> (length,)``.

    By feature hashing, which keeps inner products in expectation: Weinberger et al., Feature
    hashing for large scale multitask learning, ICML 2009.

    Args:
        embedding: ``(D,)`` float32, of any length.
        length: Number of coordinates.

    Example:
        >>> folded(np.ones(2280, np.float32), 512).shape
        (512,)
    """
    hashes = _hashes(len(embedding))
    signs = np.where(hashes & 1, np.float32(1), np.float32(-1))
    found = np.zeros(length, np.float32)
    np.add.at(found, (hashes >> 1) % length, signs * embedding)
    return found


@cache
def _hashes(count: int) -> NDArray[np.int64]:
    """Return a number for each coordinate of an embedding."""
    return np.array([zlib.crc32(str(place).encode()) for place in range(count)])


def text_vector(text: str, labels: Sequence[str], length: int) -> NDArray[np.float32]:
    """Compute the vector of the labels that a text names: ``(length,)`` float32.

    Args:
        text: Names of labels, or of the last levels of their paths, among other words.
        labels: The model's labels.
        length: Number of coordinates.

    Raises:
        HTTPException: 422 if it names none.

    Example:
        >>> text_vector("a Dog on grass", ["animal/dog", "sky"], 4).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """
    said = f" {_plain(text)} "
    named = [f" {_plain(leaf(label))} " in said or same(label) == same(text) for label in labels]
    if not any(named):
        some = ", ".join(labels[:5])
        raise HTTPException(422, f"expected the name of a label such as {some}, got {text!r:.100}")
    vector = np.zeros(length, np.float32)
    vector[: len(labels)] = named
    return vector


def _plain(text: str) -> str:
    return " ".join(_WORDS.findall(same(text)))


def _wanted(entries: str) -> SearchEntry:
    try:
        asked = Entries.model_validate_json(entries)
    except ValidationError as error:
        raise HTTPException(422, "expected 'entries' as JSON with 'clip', got another") from error
    if asked.clip is None:
        raise HTTPException(
            422,
            "expected a request for smart search ('clip'), got another: faces and letters are not "
            "recognised here, name Immich's own service as second URL for them",
        )
    return asked.clip


def _as_text(vector: NDArray[np.float32]) -> str:
    return json.dumps([round(float(one), 6) for one in vector], separators=(",", ":"))
