import pytest
import torch

from tagsight.runtime.step_share import StepShare, drawn, uniform


def numbers(places: range, *, step: int = 3, shared: bool = False) -> list[torch.Tensor]:
    """Two draws of a batch."""
    with StepShare(places, seed=0, step=step).computed():
        return [drawn(torch.empty(len(places), 2), uniform, shared=shared) for _ in range(2)]


@pytest.mark.parametrize("end", [1, 3, 5])
def test_what_is_drawn_for_a_photo_depends_on_its_place_in_the_step_only(end):
    whole, parts = numbers(range(6)), (numbers(range(end)), numbers(range(end, 6)))
    for draw, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([first, second]), draw)


def test_photos_draws_and_steps_have_numbers_of_their_own():
    draws = [*numbers(range(6)), *numbers(range(6), step=4)]
    rows = torch.cat(draws).unique(dim=0)
    assert len(rows) == 24
    assert 0 <= rows.min() <= rows.max() < 1


def test_shared_numbers_do_not_depend_on_the_place():
    first, second = numbers(range(2), shared=True), numbers(range(2, 4), shared=True)
    assert all(map(torch.equal, first, second))


def test_outside_of_a_run_numbers_are_those_of_torch(generator):
    torch.manual_seed(0)
    assert torch.equal(drawn(torch.empty(2, 3), uniform), torch.rand(2, 3, generator=generator))
