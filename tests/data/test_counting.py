"""Counts over blocks of rows are those of the whole table."""

import pytest
import torch

from tagsight.data import counting


@pytest.fixture(params=[3, 7, 100])
def targets(request, monkeypatch):
    monkeypatch.setattr(counting, "ROWS_AT_ONCE", request.param)
    return torch.randint(-1, 2, (7, 4), generator=torch.Generator().manual_seed(3)).to(torch.int8)


@pytest.mark.parametrize("value", [1, 0, -1])
def test_photos_are_counted_by_target_and_split(targets, value):
    rows = torch.tensor([True, False, True, True, False, False, True])
    counted = counting.photos_with(targets, value, rows)
    assert counted == (targets[rows] == value).sum(0).tolist()
    assert counting.photos_with(targets, value) == (targets == value).sum(0).tolist()


def test_pairs_and_photos_without_any_label_are_counted(targets):
    present = (targets == 1).long()
    assert counting.photos_with_both(targets).tolist() == (present.T @ present).tolist()
    assert counting.photos_without_any(targets) == int((present.sum(1) == 0).sum())
