import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.data.annotations import Annotations
from tagsight.data.splits.split import (
    FRACTIONS,
    complete_splits,
    leaked,
    random_halves,
    read_split,
    stratified_split,
    write_split,
)
from tagsight.errors import DataError

cells = st.tuples(*[st.sampled_from([1, 0, -1])] * 4)
tables = st.lists(cells, min_size=1, max_size=30)
seeds = st.integers(0, 2**32)
law = settings(max_examples=50)


def rows(splits, targets=None) -> Annotations:
    paths = tuple(Path("/photos") / f"{index:03}.jpg" for index in range(len(splits)))
    if targets is None:
        targets = torch.ones(len(splits), 1)
    given_splits = None if None in splits else tuple(splits)
    return Annotations(tuple(map(str, range(targets.shape[1]))), paths, targets, given_splits, "t")


@law
@given(table=tables, seed=seeds)
def test_present_labels_and_the_seed_decide_the_split_of_every_row(table, seed):
    targets = torch.tensor(table)
    splits = stratified_split(targets, seed=seed)
    assert len(splits) == len(table)
    assert set(splits) <= set(FRACTIONS)
    assert splits == stratified_split(targets.clamp(min=0), seed=seed)
    assert stratified_split(torch.ones(50, 1), seed=0) != stratified_split(
        torch.ones(50, 1), seed=seed + 1
    )


@law
@given(labels=st.lists(st.integers(0, 4), min_size=1), seed=seeds)
def test_with_one_label_per_photo_every_split_has_its_share_of_every_label(labels, seed):
    """The split that lacks most goes first, so none ends 2/3 above its share or 4/3 below."""
    targets = torch.nn.functional.one_hot(torch.tensor(labels), 5)
    splits = stratified_split(targets, seed=seed)
    for split, fraction in FRACTIONS.items():
        inside = torch.tensor([name == split for name in splits])
        surplus = targets[inside].sum(0) - fraction * targets.sum(0)
        assert (surplus <= 2 / 3 + 1e-5).all()
        assert (surplus >= -4 / 3 - 1e-5).all()


def test_with_many_labels_per_photo_every_split_has_its_share_of_every_label(generator):
    frequency = 0.4 / torch.arange(1, 21)
    targets = (torch.rand(2000, 20, generator=generator) < frequency).long()
    splits = stratified_split(targets, seed=0)
    for split, fraction in FRACTIONS.items():
        inside = torch.tensor([name == split for name in splits])
        assert (targets[inside].sum(0) - fraction * targets.sum(0)).abs().max() < 1.5
        assert abs(inside.sum() - fraction * 2000) < 1.5


@pytest.mark.parametrize("rows_", [14, 24, 40, 400])
@pytest.mark.parametrize("labels", [1, 50])
def test_where_every_row_has_labels_of_its_own_no_split_is_empty(rows_, labels):
    targets = torch.eye(rows_, dtype=torch.long).repeat(1, labels)
    for fractions in (FRACTIONS, {"train": 0.85, "val": 0.15}):
        splits = stratified_split(targets, fractions=fractions, seed=0)
        for split, fraction in fractions.items():
            assert abs(splits.count(split) - fraction * rows_) <= 1


@law
@given(table=tables, seed=seeds, data=st.data())
def test_groups_are_never_separated(table, seed, data):
    numbers = st.lists(st.integers(0, 9), min_size=len(table), max_size=len(table))
    groups = data.draw(numbers)
    splits = stratified_split(torch.tensor(table), seed=seed, groups=groups)
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))


def test_a_rare_label_is_trained_before_it_is_tested():
    targets = torch.zeros(100, 2, dtype=torch.int8)
    targets[:, 0] = targets[42, 1] = 1
    assert {stratified_split(targets, seed=seed)[42] for seed in range(10)} == {"train"}


def test_fractions_add_up_and_may_be_0():
    for fractions in ({"train": 0.7, "val": 0.2}, {"train": 1.5, "val": -0.5}):
        with pytest.raises(ValueError, match="fractions that add up to 1"):
            stratified_split(torch.ones(3, 1), fractions=fractions, seed=0)
    splits = stratified_split(torch.ones(8, 1), fractions={"train": 1.0, "val": 0.0}, seed=0)
    assert splits == ("train",) * 8


@law
@given(numbers=st.sets(st.integers(0, 999)), seed=seeds, data=st.data())
def test_a_photo_is_in_the_same_half_whatever_the_order_of_the_rows(numbers, seed, data):
    names = [f"im{number}.jpg" for number in sorted(numbers)]
    shuffled = data.draw(st.permutations(names))
    half = dict(zip(names, random_halves(names, seed), strict=True))
    assert random_halves(shuffled, seed) == tuple(half[name] for name in shuffled)
    assert list(half.values()).count("train") == (len(names) + 1) // 2


def test_halves_are_the_same_on_every_machine():
    """SHA-256 of ``7/a.jpg`` begins with 46, and then ab, 0e, c8; with seed 8 d5, 1fb, 1f2, 25."""
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert random_halves(names, 7) == ("train", "test", "train", "test")
    assert random_halves(names, 8) == ("test", "train", "train", "test")


@pytest.mark.parametrize(
    ("given_splits", "protocol", "hold_out", "expected"),
    [
        ([None] * 100, None, True, {"train": 70, "val": 15, "test": 15}),
        (["train"] * 100, None, True, {"train": 70, "val": 15, "test": 15}),
        (["train"] * 100, "coco2014", True, {"train": 85, "val": 15}),
        (["train"] * 100 + ["test"] * 20, None, True, {"train": 85, "val": 15, "test": 20}),
        (["train"] * 5 + ["val"] * 3, None, True, {"train": 5, "val": 3}),
        (["test"] * 5, None, True, {"test": 5}),
        (["val"] * 5, None, True, {"val": 5}),
        ([None] * 100, None, False, {"train": 85, "test": 15}),
        (["train"] * 100, None, False, {"train": 100}),
        (["train"] * 80 + ["test"] * 20, None, False, {"train": 80, "test": 20}),
        (["train"] * 5 + ["val", "test"], None, False, {"train": 5, "val": 1, "test": 1}),
    ],
)
def test_official_splits_stay_and_missing_ones_are_made_by_the_seed(
    given_splits, protocol, hold_out, expected
):
    annotations = replace(rows(given_splits), protocol=protocol)
    completed, again, other = (
        complete_splits(annotations, {}, seed, hold_out=hold_out) for seed in (0, 0, 1)
    )
    assert completed.split_sizes == expected
    assert completed.paths == annotations.paths
    official = [i for i, split in enumerate(given_splits) if split in {"val", "test"}]
    assert all(completed.splits[i] == given_splits[i] for i in official)
    assert completed.splits == again.splits
    made = completed.splits != tuple(given_splits)
    assert (completed.splits != other.splits) == made


def test_the_same_content_stays_together_in_a_new_split():
    annotations = rows([None] * 60)
    hashes = {path: bytes([index // 3]) for index, path in enumerate(annotations.paths)}
    splits = complete_splits(annotations, hashes, seed=0).splits
    assert all(len(set(splits[start : start + 3])) == 1 for start in range(0, 60, 3))


def test_the_same_content_in_two_official_splits_stays_in_the_later_one(caplog):
    annotations = rows(["train", "val", "test", "train", "val", "train", "train"])
    content = [b"x", b"x", b"x", b"y", b"y", b"z", b"z"]
    hashes = dict(zip(annotations.paths, content, strict=True))
    assert leaked(annotations, hashes) == [0, 1, 3]
    with caplog.at_level(logging.WARNING):
        completed = complete_splits(annotations, hashes, seed=0)
    assert [path.name for path in completed.paths] == ["002.jpg", "004.jpg", "005.jpg", "006.jpg"]
    assert completed.splits == ("test", "val", "train", "train")
    assert "3 photos are also in a later split" in caplog.text
    assert leaked(completed, hashes) == []


def test_a_recorded_split_is_read_back_whatever_the_order_of_the_rows(tmp_path):
    names = [*(f"{index:03}.jpg" for index in range(20)), 'a, "b".jpg', "c\u00e9.jpg", "=x.jpg"]
    paths = tuple(Path("/photos", name) for name in names)
    undivided = Annotations(("cat",), paths, torch.ones(23, 1), None, "t")
    annotations = complete_splits(undivided, {}, seed=0)
    write_split(tmp_path / "split.csv", annotations)
    shuffled = undivided.select(range(22, -1, -1))
    assert read_split(tmp_path / "split.csv", shuffled).splits == annotations.splits[::-1]


def test_a_recorded_split_is_plain_text_and_rows_that_are_not_in_it_are_left_out(tmp_path):
    digest = write_split(tmp_path / "split.csv", rows(["train", "test"]))
    assert (tmp_path / "split.csv").read_text() == "000.jpg,train\n001.jpg,test\n"
    assert digest == "43740b8439a95fcf1974b0c32842e18d37ecb2f6760e83f8194b73b3f92ee51e"
    read = read_split(tmp_path / "split.csv", rows([None] * 3).select([2, 1, 0]))
    assert read.relative_names == ("001.jpg", "000.jpg")
    assert read.splits == ("test", "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("000.jpg,train\nother.jpg,val\n", "got 1 others, such as 'other.jpg'"),
        ("000.jpg,dev\n", "split.csv:1: expected 'photo,split', got"),
        ("000.jpg\n", "split.csv:1: expected 'photo,split', got"),
        ("000.jpg,train\n000.jpg,val\n", "split.csv:2: expected 'photo,split', got"),
        ('"000.jpg"x,train\n', "split.csv: expected lines 'photo,split', got"),
        ("", "an empty file"),
    ],
)
def test_a_record_of_something_else_is_refused(tmp_path, content, message):
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_split(tmp_path / "split.csv", rows([None] * 2))
