import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tagsight.nn.equivariance import on_one_grid, transform_images, undo_on_maps

SHAPES = [(7, 7), (4, 6)]
MOVES = ["flip", "quarter_turn"]


def images(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.double)


def ramp(cells: int) -> Tensor:
    """The mean of ``x`` in [0, 1] over each of so many columns: a map that ignores the scale."""
    columns = (torch.arange(cells, dtype=torch.double) + 0.5) / cells
    return columns.expand(1, 1, cells, cells)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transform", MOVES)
def test_undoing_brings_every_cell_back(transform, shape):
    photo = images(*shape)
    assert torch.equal(undo_on_maps(transform_images(photo, transform), transform), photo)


@pytest.mark.parametrize(
    ("shape", "scale", "multiple", "expected"),
    [
        ((448, 448), 384 / 448, 1, (384, 384)),
        ((56, 28), 6 / 7, 1, (48, 24)),
        ((6, 6), 0.5, 1, (3, 3)),
        ((1, 4), 0.25, 1, (1, 1)),
        # Whole cells of 32 pixels, at least one, and at least one fewer than the photo has.
        ((224, 160), 6 / 7, 32, (192, 128)),
        ((64, 32), 6 / 7, 32, (32, 32)),
        # Half of 320 is 5 cells; half of 96 would be a cell and a half, of which 2 are left.
        ((320, 320), 0.5, 32, (160, 160)),
        ((96, 40), 0.5, 32, (64, 32)),
    ],
)
def test_scaling_gives_the_sides_of_the_small_view(shape, scale, multiple, expected):
    small = transform_images(images(*shape), "scale", scale=scale, multiple=multiple)
    assert small.shape[-2:] == expected


@pytest.mark.parametrize("move", MOVES)
def test_scaling_goes_with_every_move(move):
    photo = images(21, 14)
    scaled_first = transform_images(transform_images(photo, "scale"), move)
    moved_first = transform_images(transform_images(photo, move), "scale")
    assert_close(scaled_first, moved_first)


def test_scaling_keeps_one_colour():
    photo = torch.full((1, 3, 14, 14), 0.3, dtype=torch.double)
    assert_close(transform_images(photo, "scale"), photo[..., :12, :12])


@pytest.mark.parametrize("alignment", ["bilinear", "nearest"])
def test_maps_on_one_grid_are_left_as_they_are(alignment):
    first, second = images(7, 7), images(7, 7)
    assert on_one_grid(first, second, alignment) == (first, second)


@pytest.mark.parametrize(
    ("one", "other", "alignment", "expected"),
    [
        ((14, 14), (12, 12), "bilinear", (12, 12)),
        ((4, 9), (6, 5), "bilinear", (6, 5)),  # of fewer cells
        ((9, 4), (5, 6), "bilinear", (5, 6)),
        ((14, 14), (12, 12), "nearest", (84, 84)),
        ((6, 6), (3, 3), "nearest", (6, 6)),
    ],
)
def test_two_grids_meet_at_the_coarser_or_at_the_common_multiple(one, other, alignment, expected):
    for pair in ((images(*one), images(*other)), (images(*other), images(*one))):
        assert [maps.shape[-2:] for maps in on_one_grid(*pair, alignment)] == [expected] * 2


def test_nearest_enlargement_repeats_cells():
    first, second = on_one_grid(ramp(2), ramp(3), "nearest")
    assert_close(first[0, 0, 0], torch.tensor([1, 1, 1, 3, 3, 3]).double() / 4)
    assert_close(second[0, 0, 0], torch.tensor([1, 1, 3, 3, 5, 5]).double() / 6)


def test_a_slope_agrees_bilinearly_and_never_by_nearest_enlargement():
    """Why ``bilinear`` is the default: the two ramps are one evidence seen at two sizes."""
    assert_close(*on_one_grid(ramp(7), ramp(6), "bilinear"))
    first, second = on_one_grid(ramp(7), ramp(6), "nearest")
    # The two staircases are some 1 / 30 of the photo apart: 1 % of the ramp's variance of 1 / 12.
    assert (first - second).square().mean() > 0.01 / 12


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("alignment", ["bilinear", "nearest"])
def test_alignment_goes_with_every_move(move, alignment):
    large, small = images(7, 7), images(6, 6)
    first = on_one_grid(transform_images(large, move), transform_images(small, move), alignment)
    aligned = on_one_grid(large, small, alignment)
    assert_close(first, tuple(transform_images(maps, move) for maps in aligned))


@pytest.mark.parametrize(
    ("transform", "expected"),
    [("flip", [[3, 2, 1], [6, 5, 4]]), ("quarter_turn", [[3, 6], [2, 5], [1, 4]])],
)
def test_flips_mirror_left_and_right_and_turns_go_counter_clockwise(transform, expected):
    photo = torch.tensor([[[[1, 2, 3], [4, 5, 6]]]])
    assert transform_images(photo, transform)[0, 0].tolist() == expected
    assert undo_on_maps(photo, "scale") is photo


def test_a_small_view_averages_all_pixels_that_it_covers():
    """A triangle as wide as two cells of the small view weighs their pixels 1, 3, 3, 1."""
    photo = torch.zeros(1, 3, 8, 8, dtype=torch.double)
    photo[..., 3] = 1
    small = transform_images(photo, "scale", scale=0.5)
    expected = torch.tensor([0, 3, 1, 0], dtype=torch.double) / 8
    assert_close(small, expected.expand(1, 3, 4, 4))
