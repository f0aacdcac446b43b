from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace, empty_label_space

# Four photos of cat, dog and sofa; whether the third shows a dog is unknown.
TARGETS = torch.tensor([[1, 1, 0], [1, 0, 1], [1, -1, 1], [0, 1, 0]])
VECTORS = torch.arange(6.0).reshape(3, 2)


def pets():
    return LabelSpace.from_targets(["cat", "dog", "sofa"], TARGETS, VECTORS)


def test_labels_are_counted_by_hand_where_they_are_known():
    expected = torch.tensor([[3, 1, 2], [1, 2, 0], [2, 0, 2]])
    assert torch.equal(pets().cooccurrence, expected)
    assert pets().photos.tolist() == [4, 3, 4]
    assert_close(pets().frequency, torch.tensor([3 / 4, 2 / 3, 2 / 4]))
    unknown = LabelSpace.from_targets(["cat"], torch.full((3, 1), -1))
    assert unknown.frequency.tolist() == [0.0]


def test_labels_without_photos_are_not_taught_unless_nothing_is_known():
    assert pets().extended(["rug"], torch.zeros(1, 2)).taught.tolist() == [True] * 3 + [False]
    assert empty_label_space(["cat", "dog"]).taught.all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ()}, "expected at least one label, got none"),
        ({"names": ("cat", "dog", "cat")}, r"expected each label once, got \['cat'\]"),
        (
            {"cooccurrence": torch.zeros(2, 2)},
            r"counts of the labels, shape \(3, 3\), got shape \(2, 2\)",
        ),
        ({"photos": torch.zeros(2)}, r"label is known, shape \(3,\), got shape \(2,\)"),
        ({"vectors": torch.zeros(2, 300)}, r"each label, shape \(3, E\), got shape \(2, 300\)"),
        ({"vectors": torch.zeros(3)}, r"shape \(3, E\), got shape \(3,\)"),
    ],
    ids=["none", "twice", "counts", "photos", "vectors", "flat"],
)
def test_what_does_not_fit_the_labels_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(pets(), **changes)
