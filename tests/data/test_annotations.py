from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.source import check_labels
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
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        table(**changes)


def test_rows_are_selected_by_split_and_in_the_order_asked_for():
    train = table().rows("train")
    assert (train.relative_names, train.splits) == (("a.jpg", "c.jpg"), ("train", "train"))
    assert (train.targets.tolist(), train.targets.dtype) == ([[1, 0], [0, 0]], torch.int8)
    assert table().relative_names == ("a.jpg", "sub/b.jpg", "c.jpg")
    assert table().rows("val").relative_names == ("sub/b.jpg",)
    for indices in ([2, 0], torch.tensor([2, 0])):
        selected = table().select(indices)
        assert selected.relative_names == ("c.jpg", "a.jpg")
        assert selected.targets.tolist() == [[0, 0], [1, 0]]
    empty = table().select([])
    assert (len(empty), empty.relative_names, empty.split_sizes) == (0, (), {})
    assert table().labelled().relative_names == ("a.jpg", "sub/b.jpg")


def test_labels_are_matched_to_a_model_by_name_and_unknown_where_missing():
    matched = table(names=(" cat ", "hot\u00a0 dog\n")).matched_to(["hot dog", "bird"])
    assert (matched.names, matched.unmatched) == (("hot dog", "bird"), ("cat",))
    assert matched.targets.tolist() == [[0, -1], [1, -1], [0, -1]]
    assert table().matched_to(["cat", "dog"]).hash() == table().hash()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: table().rows("test"), "'test', got 2 train, 1 val"),
        (lambda: table(splits=None).rows("test"), "got no split at all"),
        (lambda: table().matched_to(["sun"]), r"such as \['sun'\], .*such as \['cat', 'dog'\]"),
        (
            lambda: table(names=("Cats", "animal/dog")).matched_to(["cat", "dog", "sun"]),
            "'Cats' looks like the label 'cat', and 1 more look like labels; "
            '`rename` "Cats=cat" `rename` "animal/dog=dog"',
        ),
        (lambda: table().select([2]).labelled(), "photos with a label, got none among 1"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(ask, message):
    with pytest.raises(DataError, match=message):
        ask()


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
def test_the_hash_sees_every_change(changed):
    assert changed.hash() != table().hash()


def test_the_hash_is_the_same_on_every_machine():
    moved = [Path("/home/me") / path.relative_to("/") for path in table().paths]
    assert table(paths=tuple(moved)).hash() == table().hash()
    expected = "0af8540270fb39fff7d7b66ae64af756ee577ea3d87bd420b5f7a101d19a3133"
    assert table().hash() == expected


@pytest.mark.parametrize("names", [["cat", ""], ["cat", "hot  dog"], ["c\x1bat"], ["cat", "cat"]])
def test_labels_of_foreign_models_that_no_file_could_have_given_are_refused(names):
    assert check_labels(["cat", "hot dog"]) == ["cat", "hot dog"]
    with pytest.raises(DataError, match=r"without control characters|labels once, got 'cat'"):
        check_labels(names)
