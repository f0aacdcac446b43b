from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_collections import EXAMPLES, NUMBERED, PHOTOS, Example

from tagsight.data import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture(params=READERS)
def bare_example(request, tmp_path) -> Callable[..., Example]:
    """Write the label files of each format in turn, without photos."""

    def write(folder: str = "data") -> Example:
        place = tmp_path / folder
        place.mkdir()
        return EXAMPLES[request.param](place, PHOTOS)

    return write


@pytest.fixture(params=[format_ for format_ in READERS if format_ not in NUMBERED])
def renamed_example(request, tmp_path) -> Callable[[Sequence[str]], Example]:
    """Write the label files with other names of photos, in each format that has such."""

    def write(photos: Sequence[str]) -> Example:
        return EXAMPLES[request.param](tmp_path, photos)

    return write


@pytest.fixture
def write_example(bare_example) -> Callable[..., Example]:
    """Write each format in turn, with photos, which for a reader need only exist."""

    def write(folder: str = "data") -> Example:
        example = bare_example(folder)
        example.photos.mkdir(parents=True, exist_ok=True)
        for name in example.files[: len(PHOTOS)]:
            (example.photos / name).touch()
        return example

    return write


@pytest.fixture
def example(write_example) -> Example:
    return write_example()
