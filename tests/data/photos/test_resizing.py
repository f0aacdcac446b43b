import numpy as np
import pytest
from PIL import Image

from tagsight.data.photos.resizing import WHOLE, as_square, frame_of, overhangs, without_padding

SIZES = [(64, 48), (48, 64), (300, 7), (31, 30), (1, 90), (40, 40)]
SIDE = 32


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("resize", ["fit", "crop"])
def test_a_square_photo_is_resized_as_by_warping(resize):
    photo = noise(50, 50)
    square = as_square(photo, SIDE, resize)
    assert np.array_equal(square[..., :3], as_square(photo, SIDE))
    assert (square[..., 3:] == 255).all()
    assert frame_of(photo.size, SIDE, resize) == WHOLE


@pytest.mark.parametrize("size", SIZES)
def test_a_fitted_photo_has_its_aspect_ratio_and_lies_in_the_middle(size):
    square = as_square(noise(*size), SIDE, "fit")
    opaque = square[..., 3] == 255
    height, width = without_padding(square).shape[:2]
    assert opaque.sum() == height * width
    assert max(width, height) == SIDE
    for fitted, length in zip((width, height), size, strict=True):
        assert abs(fitted - SIDE * length / max(size)) <= 1 or fitted == 2
    assert np.array_equal(opaque, opaque[::-1, ::-1])
    assert not square[~opaque].any()


@pytest.mark.parametrize("size", SIZES)
def test_a_photo_padded_by_hand_is_a_fitted_one(size):
    photo = noise(*size)
    across, down = overhangs(size, SIDE, "fit")
    by_hand = np.zeros((SIDE, SIDE, 3), np.uint8)
    shape = (SIDE + 2 * across, photo.height), (SIDE + 2 * across, SIDE + 2 * down)
    resized = photo
    for one in shape:
        resized = resized.resize(one, Image.Resampling.BILINEAR)
    by_hand[-down : SIDE + down, -across : SIDE + across] = np.array(resized)
    assert np.array_equal(as_square(photo, SIDE, "fit")[..., :3], by_hand)


@pytest.mark.parametrize("size", SIZES)
def test_a_crop_is_the_middle_of_the_photo_resized_by_its_shorter_side(size):
    photo = noise(*size)
    across, down = overhangs(size, SIDE, "crop")
    width, height = SIDE + 2 * across, SIDE + 2 * down
    assert min(width, height) == SIDE
    wide = photo.resize((width, photo.height), Image.Resampling.BILINEAR)
    whole = np.array(wide.resize((width, height), Image.Resampling.BILINEAR), dtype=int)
    middle = whole[down : down + SIDE, across : across + SIDE]
    assert np.abs(middle - as_square(photo, SIDE, "crop")).max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resize", ["warp", "fit", "crop"])
def test_turned_and_mirrored_photos_give_turned_and_mirrored_squares(size, resize):
    photo = noise(*size)
    square = as_square(photo, SIDE, resize).astype(int)
    mirrored = as_square(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), SIDE, resize)
    turned = as_square(photo.transpose(Image.Transpose.ROTATE_90), SIDE, resize)
    # Pixels are rounded after the first of the two axes.
    assert np.abs(mirrored[:, ::-1] - square).max() <= 1
    assert np.abs(np.rot90(turned, -1) - square).max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resize", ["warp", "fit", "crop"])
def test_the_frame_says_where_the_square_lies(size, resize):
    """Of a photo whose pixels say where they are, every pixel of the square lies there."""
    frame = frame_of(size, SIDE, resize)
    columns = np.linspace(0, 255, size[0])[None].repeat(size[1], 0)
    shades = np.repeat(columns[..., None], 3, 2).round().astype(np.uint8)
    square = as_square(Image.fromarray(shades), SIDE, resize).astype(float)
    x = frame.left + (np.arange(SIDE) + 0.5) / SIDE * (frame.right - frame.left)
    inside = (x > 0.1) & (x < 0.9)
    if size[0] > 20:
        found = square[SIDE // 2, :, 0][inside] / 255
        assert np.abs(found - (x[inside] * size[0] - 0.5) / (size[0] - 1)).max() < 0.02
    box = frame.within(0.25, 0.0, 0.5, 1.0)
    assert frame.part(*box) == pytest.approx((0.25, 0.0, 0.5, 1.0))
