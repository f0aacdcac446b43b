from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.splits.split import write_split
from tagsight.errors import DataError
from tagsight.evaluation.measured_rows import SPLIT_FILE, measured_rows

SPLITS = ("train", "train", "val", "test")


def collection(splits: tuple[str, ...] | None = None, folder: str = "photos") -> Annotations:
    paths = tuple(Path(f"/photos/{folder}-{i}.jpg") for i in range(4))
    return Annotations(("a", "b"), paths, torch.eye(4, 2, dtype=torch.int8), splits, "test")


@pytest.mark.parametrize(
    ("recorded", "splits", "folder", "photos", "origin"),
    [
        (True, None, "photos", [3], "split 'test' as recorded when the model was trained"),
        (True, ("test", "test", "test", "train"), "photos", [3], "split 'test' as recorded"),
        (True, ("train", "test", "test", "test"), "other", [1, 2, 3], "split 'test' of the data"),
        (False, None, "photos", [0, 1, 2, 3], "no split in the data: all photos are measured"),
    ],
)
def test_the_recorded_split_comes_before_that_of_the_data_if_it_is_of_the_same_photos(
    tmp_path, recorded, splits, folder, photos, origin
):
    if recorded:
        write_split(tmp_path / SPLIT_FILE, collection(SPLITS))
    rows, said = measured_rows(collection(splits, folder), tmp_path / "model", "test")
    assert [path.stem[-1] for path in rows.paths] == [str(photo) for photo in photos]
    assert said.startswith(origin)


def test_a_split_that_the_data_do_not_have_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"split 'test', got 3 train, 1 val; give `split=val`$"):
        measured_rows(collection(("train", "train", "train", "val")), tmp_path / "model", "test")


def test_photos_that_have_gone_since_do_not_make_those_of_the_training_count_as_unseen(tmp_path):
    write_split(tmp_path / SPLIT_FILE, collection(SPLITS))
    rows, said = measured_rows(collection().select([1, 2, 3]), tmp_path / "model", "test")
    assert [path.stem for path in rows.paths] == ["photos-3"]
    assert said.endswith("when the model was trained, without 1 photo no longer there")


def test_photos_called_as_those_of_the_training_are_told_where_no_split_is_known(tmp_path):
    write_split(tmp_path / SPLIT_FILE, collection(SPLITS))
    rows, said = measured_rows(collection().select([0, 3]), tmp_path / "model", "test")
    assert len(rows) == 2
    assert said.endswith("measured; 1 photo of them may be of the training, by the names")
