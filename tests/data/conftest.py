import pytest
from tiny_collections import EXAMPLES, NUMBERED, PHOTOS, PHOTOS_INSIDE

from tagsight.data.formats import mirflickr
from tagsight.data.readers import FORMATS

BY_PEOPLE = [name for name, format_ in FORMATS.items() if not format_.is_of_model]
"""Formats that are read without being chosen."""


@pytest.fixture(autouse=True)
def few_photos_of_mirflickr(request, monkeypatch):
    if "shared_data" not in request.fixturenames:
        monkeypatch.setattr(mirflickr, "PHOTOS", 50)


@pytest.fixture
def write_csv(tmp_path):
    """Write ``labels.csv`` beside three photos."""
    for name in ("a.jpg", "b.jpg", "c d.jpg"):
        (tmp_path / name).touch()

    def write(content: str | bytes):
        file = tmp_path / "labels.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def written(format_, tmp_path):
    (tmp_path / "data").mkdir()
    return EXAMPLES[format_](tmp_path / "data", PHOTOS)


@pytest.fixture(params=[name for name in BY_PEOPLE if name not in PHOTOS_INSIDE])
def bare_example(request, tmp_path):
    return written(request.param, tmp_path)


@pytest.fixture(params=[name for name in BY_PEOPLE if name not in PHOTOS_INSIDE | NUMBERED])
def renamed_example(request, tmp_path):
    return lambda photos: EXAMPLES[request.param](tmp_path, photos)


@pytest.fixture(params=BY_PEOPLE)
def complete_example(request, tmp_path):
    example = written(request.param, tmp_path)
    if example.format not in PHOTOS_INSIDE:
        example.photos.mkdir(parents=True, exist_ok=True)
        for name in example.files[: len(PHOTOS)]:
            example.path_of(name).touch()
    return example
