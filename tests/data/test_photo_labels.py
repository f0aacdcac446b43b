from __future__ import annotations

import pytest

from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.errors import DataError


def test_entries_of_one_photo_are_united_and_what_is_surely_present_is_so(caplog) -> None:
    photos = [
        PhotoLabels("a.jpg", ["sky"], ["dog"]),
        PhotoLabels("b.jpg", [], ["sky"]),
        PhotoLabels("a.jpg", ["dog"]),
    ]
    table = tabulate("labels", photos, names=["cat"])
    assert table.photos == ("a.jpg", "b.jpg")
    assert (table.names, table.targets.tolist()) == (
        ("cat", "dog", "sky"),
        [[0, 1, 1], [0, 0, -1]],
    )
    assert "labels: 1 further entry of the same photos, united" in caplog.text


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", "test"), "each photo in one split, got 'a.jpg' in two"),
        (("train", None), "each photo in one split"),
    ],
)
def test_a_photo_in_two_splits_is_refused(splits, message) -> None:
    photos = [PhotoLabels("a.jpg", ["sky"], split=split) for split in splits]
    with pytest.raises(DataError, match=message):
        tabulate("labels", photos)
