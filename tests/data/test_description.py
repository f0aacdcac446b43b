import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.description import Pair, describe
from tagsight.data.photos.check import Check, Problem

A, B, C, D, E = (Path("/photos") / f"{name}.jpg" for name in "abcde")


@pytest.fixture
def annotations() -> Annotations:
    targets = torch.tensor(
        [[0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, -1], [0, 0, 0, 0]], dtype=torch.int8
    )
    splits = ("train", "train", "train", "val", "val")
    names = ("boat", "sand", "sea", "sun")
    return Annotations(names, (A, B, C, D, E), targets, splits, "test")


@pytest.fixture
def check() -> Check:
    return Check((Problem(E, "does not exist"),), {A: b"1", B: b"2", C: b"1", D: b"3"})


def test_a_collection_is_counted_and_told_once(annotations, check):
    seen = describe(annotations)
    assert seen.counts["sea"] == {"all": 3, "train": 2, "val": 1}
    assert (seen.checked, seen.problems, seen.duplicates, seen.comparisons) == (False, (), (), ())
    unopened = "the labels only: photos were not opened"
    assert unopened in seen.lines()
    text = "\n".join(describe(annotations, check).lines())
    assert unopened not in text
    for part in (
        "5 photos (3 train, 2 val), 4 labels, 1.80 labels per photo",
        "1 photo without a label, 1 unknown target",
        "sand and sea: 3 photos; P(sea given sand) 1.00, P(sand given sea) 1.00",
        "1 photo cannot be used, 1 lies there twice or more",
        "'boat' is in no training photo",
        "'sand', 'sea' always occur together",
        "/photos/e.jpg: does not exist",
        "the same photo 2 times: /photos/a.jpg, /photos/c.jpg",
    ):
        assert text.count(part) == 1, part


def test_the_dictionary_is_plain_json(annotations, check):
    described = describe(replace(annotations, protocol="coco2014"), check)
    assert any(line.startswith("protocol coco2014: COCO 2014") for line in described.lines())
    seen = json.loads(json.dumps(described.as_dict()))
    assert [compared["name"] for compared in seen["comparisons"]] == ["coco2014"]
    assert seen["pairs"][0]["second_given_first"] == 1.0
    assert seen["problems"] == [{"path": "/photos/e.jpg", "reason": "does not exist"}]
    assert seen["duplicates"] == [["/photos/a.jpg", "/photos/c.jpg"]]
    assert seen["splits"] == {"train": 3, "val": 2}


def test_pairs_come_with_their_probability_both_ways(annotations):
    pairs = describe(annotations).pairs
    assert pairs[0] == Pair("sand", "sea", 3, 1.0, 1.0)
    assert Pair("boat", "sand", 1, 1.0, pytest.approx(1 / 3)) in pairs
    assert Pair("sand", "sun", 1, pytest.approx(1 / 3), 0.5) in pairs
    assert all(pair.together for pair in pairs)
    assert len(describe(annotations, most=2).pairs) == 2


def test_without_splits_all_rows_count_as_training(annotations):
    seen = describe(replace(annotations, splits=None))
    assert (seen.splits, seen.without_positive) == ({}, [])
    assert seen.inseparable == [["sand", "sea"]]
    assert seen.counts["boat"] == {"all": 1}
    assert any("no split" in line for line in seen.lines())
    alone = describe(Annotations(("cat", "dog"), (A, B), torch.eye(2), None, "t"))
    assert alone.pairs == ()
    assert not any("together" in line for line in alone.lines())


def test_warnings_of_a_kind_are_capped_in_the_text_and_whole_in_the_dictionary():
    paths = [Path(f"/photos/{row:03}.jpg") for row in range(100)]
    names = tuple(f"label {column}" for column in range(100))
    rows = Annotations(names, tuple(paths), torch.zeros(100, 100), None, "t")
    problems = tuple(Problem(path, "does not exist") for path in paths[:40])
    seen = describe(rows, Check(problems, dict.fromkeys(paths[40:], b"1")))
    lines = seen.lines(most=3)
    assert sum("does not exist" in line for line in lines) == 3
    assert "37 more photos that cannot be used; as_dict() lists them all" in lines
    assert "97 more labels in no training photo; as_dict() lists them all" in lines
    assert f"the same photo 60 times: {', '.join(map(str, paths[40:43]))} and 57 more" in lines
    assert len(seen.as_dict()["problems"]) == 40
    assert len(seen.as_dict()["duplicates"][0]) == 60
    assert seen.as_dict()["without_positive"] == list(names)


def test_a_copy_of_a_training_photo_is_a_leak():
    rows = Annotations(("sea",), (A, B, C), torch.ones(3, 1), ("train", "test", "test"), "test")
    seen = describe(rows, Check((), {A: b"1", B: b"2", C: b"1"}))
    assert [leak.sentence() for leak in seen.leaks] == [
        "50 % of test photos (1 of 2) have a near twin or copy in train"
    ]


def test_suspicions_that_were_told_before_are_not_looked_for_again(annotations):
    assert describe(annotations).label_problems
    assert describe(annotations, problems=()).label_problems == ()
