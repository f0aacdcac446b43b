from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_collections import EXAMPLES, NUMBERED, PHOTOS, PHOTOS_INSIDE, Example

from tagsight.data.formats import mirflickr
from tagsight.data.readers import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture(autouse=True)
def few_photos_of_mirflickr(request, monkeypatch) -> None:
    if "shared_data" not in request.fixturenames:
        monkeypatch.setattr(mirflickr, "PHOTOS", 50)


def writer(format_: str, tmp_path: Path) -> Callable[..., Example]:
    def write(folder: str = "data", photos: Sequence[str] = PHOTOS) -> Example:
        place = tmp_path / folder
        place.mkdir()
        return EXAMPLES[format_](place, photos)

    return write


def with_photos(example: Example) -> Example:
    if example.format not in PHOTOS_INSIDE:
        example.photos.mkdir(parents=True, exist_ok=True)
        for name in example.files[: len(PHOTOS)]:
            (example.photos / name).touch()
    return example


@pytest.fixture(params=[name for name in READERS if name not in PHOTOS_INSIDE])
def bare_example(request, tmp_path) -> Callable[..., Example]:
    return writer(request.param, tmp_path)


@pytest.fixture(params=[name for name in READERS if name not in PHOTOS_INSIDE | NUMBERED])
def renamed_example(request, tmp_path) -> Callable[[Sequence[str]], Example]:
    return lambda photos: EXAMPLES[request.param](tmp_path, photos)


@pytest.fixture
def example_of_files(bare_example) -> Example:
    return with_photos(bare_example())


@pytest.fixture(params=READERS)
def write_example(request, tmp_path) -> Callable[..., Example]:
    write = writer(request.param, tmp_path)

    def complete(folder: str = "data") -> Example:
        return with_photos(write(folder))

    return complete


@pytest.fixture
def complete_example(write_example) -> Example:
    return write_example()
