"""A model that is served, and photos to search in."""

from __future__ import annotations

import io

from channels import channels_recognizer, corner
from PIL import Image

from tagsight.recognizer import Recognizer
from tagsight.server.limits import Limits

LIMITS = Limits(body=200_000, photos=3, pixels=100_000, seconds=20, room=8)
TOKEN = "correct horse battery staple"


def encoded(photo: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    photo.save(file, kind)
    return file.getvalue()


RED, GREEN = encoded(corner("red")), encoded(corner("green"), "JPEG")


def recognizer() -> Recognizer:
    model = channels_recognizer(batch_size=4)
    return Recognizer(model.network, batch_size=4, max_pixels=LIMITS.pixels)


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{i}.png", content, "image/png")) for i, content in enumerate(contents)]
