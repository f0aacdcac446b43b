import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from tagsight.loading.transforms import shrunk, squared


def painted(width: int, height: int) -> Image.Image:
    """Left half red, right half blue; the top row white."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    pixels[0] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(40, 20), (1, 1), (7, 300), (16, 16)])
def test_any_photo_becomes_a_square_and_one_of_the_right_size_is_taken_as_it_is(size):
    photo = painted(*size)
    warped = squared(photo, 16)
    assert (warped.shape, warped.dtype) == ((3, 16, 16), torch.uint8)
    assert warped.movedim(0, -1).is_contiguous()
    if size == (16, 16):
        assert torch.equal(warped, torch.from_numpy(np.array(photo)).permute(2, 0, 1))


def test_left_stays_left_and_the_first_channel_is_red():
    red, green, blue = squared(painted(64, 32), 8)[:, 4, [0, 1, 2, 5, 6, 7]]
    assert red.tolist() == [255] * 3 + [0] * 3
    assert blue.tolist() == [0] * 3 + [255] * 3
    assert not green.any()


def test_fine_detail_is_averaged_not_skipped():
    stripes = np.zeros((128, 128, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    inside = squared(Image.fromarray(stripes), 16)[..., 2:-2].float()
    assert_close(inside, torch.full_like(inside, 127.5), rtol=0, atol=2)


@pytest.mark.parametrize(("size", "shape"), [((90, 60), (30, 45)), ((60, 90), (45, 30))])
def test_a_photo_is_shrunk_in_its_aspect_and_never_enlarged(size, shape):
    photo = painted(*size)
    assert shrunk(photo, 30).shape == (3, *shape)
    assert torch.equal(shrunk(photo, 61), torch.from_numpy(np.array(photo)).permute(2, 0, 1))
