from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.errors import DataError


def table(**changes) -> Annotations:
    values = {
        "names": ("cat", "dog"),
        "paths": (Path("/photos/a.jpg"), Path("/photos/sub/b.jpg"), Path("/photos/c.jpg")),
        "targets": torch.tensor([[1, 0], [-1, 1], [0, 0]], dtype=torch.int8),
        "splits": ("train", "val", "train"),
        "format": "test",
    }
    return Annotations(**(values | changes))


def test_names_lose_white_space_that_nobody_sees() -> None:
    assert table(names=(" cat ", "hot\u00a0 dog\n")).names == ("cat", "hot dog")


def test_targets_are_kept_in_a_byte_each() -> None:
    assert table(targets=torch.tensor([[1, 0], [-1, 1], [0, 0]])).targets.dtype == torch.int8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": (), "targets": torch.zeros(3, 0)}, "at least one label"),
        ({"names": ("cat", " ")}, "a name for every label"),
        ({"names": ("cat", "cat ")}, r"each label once, got \['cat'\]"),
        ({"names": ("cat", "d\x1b[31mog")}, "without control characters"),
        ({"targets": torch.zeros(3, 3)}, r"each photo and label, .*got shape \(3, 3\)"),
        ({"targets": torch.tensor([[1, 0], [1, 2], [0, 0]])}, "got 2 for label 'dog' of .*b.jpg"),
        ({"targets": torch.full((3, 2), 0.5)}, "got 0.5 for label 'cat'"),
        ({"splits": ("train",)}, "a split for each photo, 3, got 1"),
        ({"splits": ("train", "val", "dev")}, r"got \['dev'\]"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message) -> None:
    with pytest.raises(DataError, match=message):
        table(**changes)


def test_the_rows_of_a_split_keep_their_order() -> None:
    train = table().rows("train")
    assert [path.name for path in train.paths] == ["a.jpg", "c.jpg"]
    assert train.targets.tolist() == [[1, 0], [0, 0]]
    assert train.splits == ("train", "train")


def test_a_split_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DataError, match="'test', got 2 train, 1 val"):
        table().rows("test")
    with pytest.raises(DataError, match="got no split at all"):
        table(splits=None).rows("test")


def test_rows_are_selected_in_the_order_asked_for() -> None:
    for indices in ([2, 0], torch.tensor([2, 0])):
        selected = table().select(indices)
        assert [path.name for path in selected.paths] == ["c.jpg", "a.jpg"]
        assert selected.targets.tolist() == [[0, 0], [1, 0]]
    assert len(table().select([])) == 0


def test_labels_are_matched_to_a_model_by_name_and_unknown_where_missing() -> None:
    matched = table().matched_to(["dog", "bird"])
    assert matched.names == ("dog", "bird")
    assert matched.targets.tolist() == [[0, -1], [1, -1], [0, -1]]


def test_matching_to_the_same_labels_changes_nothing() -> None:
    assert table().matched_to(["cat", "dog"]).hash() == table().hash()


def test_labels_that_have_nothing_in_common_with_a_model_are_refused() -> None:
    with pytest.raises(DataError, match=r"such as \['sun'\], .*such as \['cat', 'dog'\]"):
        table().matched_to(["sun"])


@pytest.mark.parametrize(
    "changed",
    [
        table(names=("cat", "horse")),
        table().matched_to(["dog", "cat"]),
        table().select([1, 0, 2]),
        table().with_splits(["train", "val", "val"]),
        table(splits=None),
        table(targets=torch.zeros(3, 2)),
        table(paths=(Path("/photos/a.jpg"), Path("/photos/b.jpg"), Path("/photos/c.jpg"))),
    ],
)
def test_the_hash_sees_every_change(changed) -> None:
    assert changed.hash() != table().hash()


def test_the_hash_is_the_same_on_every_machine() -> None:
    moved = [Path("/home/me") / path.relative_to("/") for path in table().paths]
    assert table(paths=tuple(moved)).hash() == table().hash()
    expected = "0af8540270fb39fff7d7b66ae64af756ee577ea3d87bd420b5f7a101d19a3133"
    assert table().hash() == expected


def test_subsets_name_their_photos_as_the_whole_does() -> None:
    assert table().relative_names == ("a.jpg", "sub/b.jpg", "c.jpg")
    assert table().rows("val").relative_names == ("sub/b.jpg",)


def test_a_table_may_be_empty_but_for_its_labels() -> None:
    empty = table(paths=(), targets=torch.zeros(0, 2), splits=())
    assert (len(empty), empty.relative_names, empty.split_sizes) == (0, (), {})
    assert empty.hash() != table().hash()
