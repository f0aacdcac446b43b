import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tagsight.errors import DataError
from tagsight.labels.counts import read_counts, write_counts
from tagsight.labels.space import LabelSpace

NAMES = ("cat", "dining table", "dog")
TARGETS = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 0, -1], [1, 0, 1]])
GOOD = {
    "names": np.array(NAMES),
    "counts": np.array([3, 1, 2]),
    "cooccurrence": np.array([[0, 1, 2], [1, 0, 0], [2, 0, 0]]),
}
NONE = {
    "names": np.array([], dtype="U1"),
    "counts": np.zeros(0, int),
    "cooccurrence": np.zeros((0, 0), int),
}


def test_counts_survive_as_npz_and_their_diagonal_is_stored_apart(tmp_path):
    labels = LabelSpace.from_targets(NAMES, TARGETS)
    write_counts(tmp_path / "counts.npz", labels)
    found = read_counts(tmp_path / "counts.npz")
    assert found.names == NAMES
    assert_close(found.cooccurrence, labels.cooccurrence)
    with np.load(tmp_path / "counts.npz", allow_pickle=False) as stored:
        assert set(stored) == set(GOOD)
        assert all(np.array_equal(stored[name], value) for name, value in GOOD.items())
    with pytest.raises(DataError, match=r"expected a file that ends in \.npz, got .*counts.pkl"):
        write_counts(tmp_path / "counts.pkl", labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (NONE, "expected 1 to 20,000 labels, got 0"),
        ({"counts": None}, "got none of the name 'counts'"),
        ({"names": np.array(["cat", "dog"])}, "expected counts of all labels"),
        ({"names": np.array(["cat", "dog", "cat"])}, "expected each label once"),
        ({"names": np.array(["cat", "dog", "a\x1b"])}, "without control characters"),
        ({"names": np.array(NAMES, dtype=object)}, "objects are never unpickled"),
        ({"counts": np.array([3.0, 1, 2])}, "expected integers in 'counts'"),
        ({"counts": np.array([1, 1, 2])}, "none larger for a pair than for either"),
        ({"counts": np.array([-3, 1, 2])}, "expected symmetric counts"),
        ({"cooccurrence": np.tri(3, dtype=int)}, "expected symmetric counts"),
        ({"cooccurrence": np.zeros((3, 2), dtype=int)}, r"got \(3,\) and \(3, 2\)"),
    ],
)
def test_counts_that_make_no_sense_are_refused(tmp_path, changes, message):
    arrays = {name: value for name, value in (GOOD | changes).items() if value is not None}
    np.savez(tmp_path / "counts.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_counts(tmp_path / "counts.npz")


def test_files_of_too_many_labels_or_another_kind_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "counts.npz"
    file.write_text("no archive")
    with pytest.raises(DataError, match=r"expected an \.npz file, got one that cannot be read"):
        read_counts(file)
    monkeypatch.setattr("tagsight.labels.counts.MOST_LABELS", 2)
    np.savez(file, **GOOD)
    with pytest.raises(DataError, match="expected 1 to 2 labels, got 3"):
        read_counts(file)
