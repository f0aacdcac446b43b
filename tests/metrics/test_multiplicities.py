import numpy as np
import pytest

from tagsight.metrics.multiplicities import Multiplicities


@pytest.mark.parametrize("most", [1, 9, 200, 40_000, 2**40])
@pytest.mark.parametrize("groups", [1, 7, 50])
def test_packed_sums_equal_plain_ones_whatever_the_size_of_counts(most, groups):
    chance = np.random.default_rng(0)
    counts = chance.integers(0, most + 1, (300, 11))
    rows = chance.permutation(300)[:290]
    ends = np.sort(chance.choice(np.arange(1, 291), groups, replace=False))
    expected = counts[rows].cumsum(0)[ends - 1].T
    packed = Multiplicities(counts)
    assert (packed.running_sums(rows, ends)(slice(11)) == expected).all()
    assert (packed.totals(rows) == counts[rows].sum(0)).all()
    assert (packed.totals(rows[:0]) == 0).all()
