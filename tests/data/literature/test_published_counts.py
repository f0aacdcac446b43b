import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.literature.protocols import PROTOCOLS, Published, read_protocol
from tagsight.data.literature.published_counts import Count, compare
from tagsight.data.readers import read_annotations


@pytest.fixture
def small_voc(monkeypatch):
    """VOC 2007 as if it had three photos for training and two for the test."""
    counts = {"train": Published(3, 1.33), "test": Published(2)}
    small = PROTOCOLS["voc2007"]._replace(labels=2, counts=counts)
    monkeypatch.setitem(PROTOCOLS, "voc2007", small)


def voc(splits: str, protocol: str | None = None) -> Annotations:
    """Photos with two labels, the first with both and all others with one."""
    names = {"t": "train", "v": "val", "e": "test"}
    paths = tuple(Path(f"/photos/{row}.jpg") for row in range(len(splits)))
    targets = torch.tensor([[1, 1], *[[1, 0]] * (len(splits) - 1)], dtype=torch.int8)
    given = tuple(names[split] for split in splits)
    return Annotations(("cat", "dog"), paths, targets, given, "voc", protocol=protocol)


@pytest.mark.usefixtures("small_voc")
@pytest.mark.parametrize(
    ("splits", "differences"),
    [
        ("tttee", []),
        ("ttt", ["  your test has 0 photos, expected 2"]),
        (
            "teee",
            [
                "  your train has 1 photo, expected 3",
                "  your train has 2.00 labels per photo, expected 1.33",
                "  your test has 3 photos, expected 2",
            ],
        ),
    ],
)
def test_counts_are_compared_with_the_published_ones(splits, differences):
    (comparison,) = compare(voc(splits, "voc2007"))
    first, second, *rest = comparison.lines()
    assert first == "protocol voc2007: VOC 2007: trainval for training, test for the test"
    verdict = "other counts than published" if differences else "counts as published"
    assert second.startswith(f"  {verdict} (the challenge's own statistics")
    assert rest == differences
    seen = json.loads(json.dumps(comparison.as_dict()))
    assert (seen["name"], seen["told"], seen["recalled"]) == ("voc2007", True, False)
    found = splits.count("t")
    train = {"split": "train", "quantity": "photos", "found": found, "expected": 3}
    assert seen["counts"][:2] == [
        {"split": "all", "quantity": "labels", "found": 2, "expected": 2, "agrees": True},
        train | {"agrees": found == 3},
    ]


@pytest.mark.usefixtures("small_voc")
def test_a_protocol_that_nobody_named_is_found_by_an_exact_count():
    (comparison,) = compare(voc("ttvee"))
    first, verdict = comparison.lines()
    assert not comparison.told
    assert first.startswith("looks like voc2007: VOC 2007")
    assert verdict.startswith("  counts as published")
    assert comparison.advice == "to read it as voc2007: `protocol=voc2007`"
    (comparison,) = compare(voc("ttee"))
    assert "  other counts than published" in list(comparison.lines())[1]
    for rows in (
        voc("tte"),
        replace(voc("tttee"), format="csv-columns"),
        replace(voc("tttee"), splits=None),
    ):
        assert compare(rows) == ()


def test_counts_from_memory_say_so():
    (comparison,) = compare(voc("te", "coco2014"))
    assert "from memory)" in list(comparison.lines())[1]
    assert "you have 2 labels, expected 80" in str(comparison.differences[0])


@pytest.mark.parametrize(("found", "agrees"), [(1.335, True), (1.325, True), (1.336, False)])
def test_means_agree_to_the_decimals_that_are_published(found, agrees):
    assert Count("train", "labels per photo", found, 1.33).agrees == agrees


def test_mirflickr_is_known_by_its_counts(shared_data):
    source = shared_data / "mirflickr25k"
    alike = compare(read_annotations(source, labels_only=True))
    assert [comparison.protocol for comparison in alike] == ["mirflickr25k", "mirflickr25k-all"]
    relevant = compare(read_protocol(source, "mirflickr25k-38", labels_only=True))
    assert not any(comparison.differences for comparison in (*alike, *relevant))
