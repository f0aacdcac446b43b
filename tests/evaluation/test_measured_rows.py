from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.split import write_split
from tagsight.errors import DataError
from tagsight.evaluation.measured_rows import SPLIT_FILE, measured_rows

SPLITS = ("train", "train", "val", "test")


def collection(splits: tuple[str, ...] | None = None, folder: str = "photos") -> Annotations:
    paths = tuple(Path(f"/{folder}/{i}.jpg") for i in range(4))
    return Annotations(("a", "b"), paths, torch.eye(4, 2, dtype=torch.int8), splits, "test")


@pytest.fixture
def model(tmp_path) -> Path:
    """A model folder beside the split that it was trained with."""
    write_split(tmp_path / SPLIT_FILE, collection(SPLITS))
    return tmp_path / "model"


def test_the_recorded_split_is_used_where_the_data_have_none(model: Path):
    rows, origin = measured_rows(collection(), model, "test")
    assert [path.name for path in rows.paths] == ["3.jpg"]
    assert origin == "split 'test' as recorded when the model was trained"


def test_the_recorded_split_comes_before_that_of_the_data(model: Path):
    rows, _ = measured_rows(collection(("test", "test", "test", "train")), model, "test")
    assert [path.name for path in rows.paths] == ["3.jpg"]


def test_a_record_of_other_photos_is_not_used(model: Path):
    other = collection(("train", "test", "test", "test"))
    renamed = tuple(path.with_name(f"new-{path.name}") for path in other.paths)
    rows, origin = measured_rows(
        Annotations(other.names, renamed, other.targets, other.splits, "test"), model, "test"
    )
    assert len(rows) == 3
    assert origin == "split 'test' of the data"


def test_data_without_any_split_are_measured_as_a_whole(tmp_path):
    rows, origin = measured_rows(collection(), tmp_path / "model", "test")
    assert len(rows) == 4
    assert origin == "no split in the data: all photos are measured"


def test_a_split_that_the_data_do_not_have_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected photos of the split 'test', got 3 train, 1 val"):
        measured_rows(collection(("train", "train", "train", "val")), tmp_path / "model", "test")
