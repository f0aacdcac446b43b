import numpy as np
import pytest

from tagsight.data.splits.alike import alike_pairs

LEAST = 0.8


def drawn(count: int, width: int, seed: int = 0) -> np.ndarray:
    """Draw vectors, of which a third are near another, at cosines around the border."""
    random = np.random.default_rng(seed)
    scales = np.linspace(2, 0.2, width)  # as of features, a few directions hold most
    vectors = random.normal(size=(count, width)) * scales
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    copies = count // 3
    noise = random.normal(size=(copies, width)) * scales
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    cosines = random.uniform(0.7, 1, (copies, 1))
    vectors[:copies] = cosines * vectors[copies : 2 * copies] + np.sqrt(1 - cosines**2) * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[random.permutation(count)].astype(np.float32)


def all_pairs(units: np.ndarray) -> set[tuple[int, int]]:
    ones, others = np.nonzero(np.triu(units @ units.T >= LEAST, 1))
    return set(zip(ones.tolist(), others.tolist(), strict=True))


@pytest.mark.parametrize("width", [32, 320])
def test_pairs_of_5000_are_those_that_comparing_all_gives(width):
    units = drawn(5_000, width)
    expected = all_pairs(units)
    assert len(expected) > 900
    found = alike_pairs(units, LEAST).tolist()
    assert set(map(tuple, found)) == expected
    assert found == sorted(found)


@pytest.mark.parametrize("width", [32, 320])
def test_lists_miss_few_pairs_and_none_that_are_near(width):
    units = drawn(5_000, width)
    found = set(map(tuple, alike_pairs(units, LEAST, compared_with_all=0).tolist()))
    expected = all_pairs(units)
    assert found <= expected
    assert len(found) >= 0.99 * len(expected)
    near = {(one, other) for one, other in expected if units[one] @ units[other] >= 0.9}
    assert near <= found


def test_few_vectors_are_compared_with_all():
    units = drawn(300, 200, seed=1)
    assert set(map(tuple, alike_pairs(units, LEAST).tolist())) == all_pairs(units)


def test_equal_vectors_are_pairs_and_none_is_its_own():
    units = np.repeat(np.eye(3, 200, dtype=np.float32), 2, axis=0)
    for limit in (0, 100):
        pairs = alike_pairs(units, LEAST, compared_with_all=limit)
        assert pairs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert alike_pairs(units[:0], LEAST).shape == (0, 2)
