"""Counts of the rows and columns of tables."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tagsight.runtime.counts import column_counts, row_counts


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_counts_equal_sums(rows):
    mask = torch.rand(rows, 7, generator=torch.Generator().manual_seed(0)) > 0.3
    assert torch.equal(column_counts(mask), mask.sum(0))
    assert torch.equal(row_counts(mask), mask.sum(1))


def test_counting_does_not_copy_the_table():
    mask = torch.ones(1000, 100, dtype=torch.bool)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
        column_counts(mask)
    assert sum(max(0, event.self_cpu_memory_usage) for event in told.events()) < mask.numel()
