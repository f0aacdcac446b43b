import numpy as np
import pytest

from tagsight.server.bridges.label_studio.brush import run_lengths


def decoded(content: list[int]) -> list[int]:
    """Decode as rle-pack does; the program's own decoder is in ``tests/test_label_studio.py``."""
    bits = "".join(f"{byte:08b}" for byte in content)
    at = 0

    def read(length: int) -> int:
        nonlocal at
        at += length
        return int(bits[at - length : at], 2)

    count, value_bits = read(32), read(5) + 1
    length_bits = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        equal = read(1)
        length = read(length_bits[read(2)]) + 1
        values += (
            [read(value_bits)] * length if equal else [read(value_bits) for _ in range(length)]
        )
    assert len(bits) - at < 8
    assert "1" not in bits[at:]
    return values


@pytest.mark.parametrize("seed", range(10))
def test_a_mask_survives_with_four_equal_values_a_pixel(seed):
    random = np.random.default_rng(seed)
    shape, longest = random.integers(1, 40, 2), int(random.integers(1, 30))
    runs = np.repeat(random.integers(0, 2, shape.prod()), random.integers(1, longest + 1))
    mask = (255 * runs[: shape.prod()]).astype(np.uint8).reshape(shape)
    assert decoded(run_lengths(mask)) == np.repeat(mask.ravel(), 4).tolist()


@pytest.mark.parametrize("pixels", [1, 2, 4, 5, 64, 65, 16_384, 16_385, 40_000])
def test_runs_of_every_length_survive(pixels):
    mask = np.full((1, pixels + 1), 255, np.uint8)
    mask[0, -1] = 0
    values = decoded(run_lengths(mask))
    assert values == [255] * 4 * pixels + [0] * 4


def test_a_large_photo_takes_little_and_one_without_pixels_is_refused():
    mask = np.zeros((3000, 4000), np.uint8)
    mask[500:2500, 1000:3000] = 255
    assert len(run_lengths(mask)) < 20_000
    with pytest.raises(ValueError, match="expected 1 to"):
        run_lengths(np.zeros((0, 4), np.uint8))
