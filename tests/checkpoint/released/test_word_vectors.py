import pickle

import numpy as np
import pytest
import torch
from released_checkpoints import pickled

from tagsight.checkpoint.released.word_vectors import released_vectors
from tagsight.errors import DataError

NAMES = ("dog", "dining table")


def test_the_numbers_of_the_authors_pickle_are_read_without_unpickling_it(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    (tmp_path / "vectors.pkl").write_bytes(pickled(matrix))
    assert torch.equal(
        released_vectors(tmp_path / "vectors.pkl", NAMES, 300), torch.from_numpy(matrix)
    )


def test_vectors_in_other_formats_are_matched_by_name(tmp_path):
    (tmp_path / "glove.txt").write_text("table 0 4\ndog 1 1\ndining 2 0\n")
    vectors = released_vectors(tmp_path / "glove.txt", NAMES, 2)
    assert vectors.tolist() == [[1, 1], [1, 2]]


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Hostile(), protocol=3),
        pickle.dumps([1.0, 2.0], protocol=3),
        pickled(np.zeros((2, 300), np.float64)),
        pickled(np.zeros((2, 300), np.float32))[:-9],
        pickled(np.zeros((2, 300), np.float32)).replace(b"M,\x01", b"M,\x02"),
        b"\x80\x03r\xff\xff\xff\x7f.",
        b"\x80\x03\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x80",
    ],
)
def test_other_pickles_are_refused_and_never_opened(content, tmp_path):
    (tmp_path / "vectors.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"vectors.pkl: expected a pickle of one matrix of float32"):
        released_vectors(tmp_path / "vectors.pkl", NAMES, 300)


def test_vectors_that_are_missing_or_of_another_size_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"vectors of length 300 .* as `vectors`, .* got none"):
        released_vectors(None, NAMES, 300)
    (tmp_path / "vectors.pkl").write_bytes(pickled(np.zeros((3, 300), np.float32)))
    with pytest.raises(DataError, match=r"shape \(2, 300\), as `vectors`, got \(3, 300\)"):
        released_vectors(tmp_path / "vectors.pkl", NAMES, 300)
    with pytest.raises(FileNotFoundError):
        released_vectors(tmp_path / "absent.pkl", NAMES, 300)
