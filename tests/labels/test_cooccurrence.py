import pytest
import torch
from torch.testing import assert_close

from tagsight.labels import cooccurrence
from tagsight.labels.space import LabelSpace

LABELS = 9


@pytest.fixture
def both(generator, monkeypatch) -> tuple[LabelSpace, LabelSpace]:
    """The same labels with dense and with sparse counts, made in small parts."""
    targets = torch.randint(-1, 2, (40, LABELS), generator=generator)
    targets[:, 3] = 0
    names = [f"label {number}" for number in range(LABELS)]
    vectors = torch.randn(LABELS, 6, generator=generator)
    dense = LabelSpace.from_targets(names, targets, vectors)
    monkeypatch.setattr(cooccurrence, "DENSE_LABELS", 2)
    monkeypatch.setattr(cooccurrence, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(cooccurrence, "PAIRS_AT_ONCE", 20)
    sparse = LabelSpace.from_targets(names, targets.to_sparse(), vectors)
    assert sparse.cooccurrence.is_sparse
    assert_close(LabelSpace.from_targets(names, targets).cooccurrence, sparse.cooccurrence)
    return dense, sparse


def test_sparse_counts_are_those_of_the_dense_matrix(both):
    dense, sparse = both
    for one, other in (
        (dense, sparse),
        (dense.extended(["new"], torch.ones(1, 6)), sparse.extended(["new"], torch.ones(1, 6))),
    ):
        assert_close(one.cooccurrence, other.cooccurrence.to_dense())
        assert_close(one.counts, other.counts)
        assert_close(one.photos, other.photos)
