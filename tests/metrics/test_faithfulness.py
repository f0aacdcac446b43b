import math

import pandas as pd
import pytest
import torch

from tagsight.metrics.faithfulness import area_under_curve, rank_correlation, strongest_pixels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_share_of_the_pixels_is_taken_from_the_top_and_larger_shares_hold_smaller_ones():
    maps = torch.randn(4, 6, 5, generator=seeded())
    shares = [0, 0.1, 1 / 3, 0.9, 1]
    masks = strongest_pixels(maps, shares)
    assert masks.sum((2, 3)).tolist() == [[round(30 * share)] * 4 for share in shares]
    assert (masks[1:] >= masks[:-1]).all()
    for mask in masks[1:-1]:
        for one, taken in zip(maps, mask, strict=True):
            assert one[taken].min() > one[~taken].max()


def test_equally_strong_pixels_are_drawn_and_stronger_ones_still_come_first():
    maps = torch.zeros(1, 8, 8)
    maps[0, 2, 3] = 1
    first, again, other = (
        strongest_pixels(maps, [0.5], generator=seeded(seed))[0, 0] for seed in (0, 0, 1)
    )
    assert first[2, 3]
    assert other[2, 3]
    assert first.equal(again)
    assert not first.equal(other)
    # Reading order would take the upper half.
    assert 0.2 < first[4:].float().mean() < 0.8


def test_the_area_is_the_mean_height_of_a_curve_exact_for_straight_lines():
    steps = torch.linspace(0, 1, 21)
    curves = torch.stack([1 - steps, torch.full_like(steps, 0.3), (steps > 0.999).float()])
    assert area_under_curve(curves).tolist() == pytest.approx([0.5, 0.3, 0.025])
    random = torch.rand(9, 21, generator=seeded())
    areas = area_under_curve(random)
    assert ((areas >= random.amin(1)) & (areas <= random.amax(1))).all()


def test_removing_what_matters_first_has_a_smaller_area_than_at_random():
    # The score is the share of the object's pixels that remain.
    matters = torch.zeros(16, 16)
    matters[4:9, 6:12] = 1
    maps = torch.stack([matters, torch.rand(16, 16, generator=seeded()), -matters])
    shares = [step / 20 for step in range(21)]
    masks = strongest_pixels(maps, shares, generator=seeded())
    scores = ((~masks) * matters).sum((2, 3)).T / matters.sum()
    oracle, random, opposite = area_under_curve(scores).tolist()
    assert oracle < 0.15
    assert 0.4 < random < 0.6
    assert opposite > 0.85


def test_the_rank_correlation_is_that_of_pandas_also_with_equal_values():
    maps = torch.randn(5, 4, 6, generator=seeded())
    others = (maps + torch.randn(5, 4, 6, generator=seeded(1))).round()
    expected = [
        pd.DataFrame(torch.stack([one.flatten(), other.flatten()], 1)).corr("spearman")[0][1]
        for one, other in zip(maps, others, strict=True)
    ]
    assert rank_correlation(maps, others).tolist() == pytest.approx(expected)
    assert rank_correlation(others, maps).tolist() == pytest.approx(expected)


def test_a_constant_map_has_no_rank_correlation_and_grids_must_be_the_same():
    maps = torch.randn(1, 3, 3, generator=seeded())
    assert math.isnan(rank_correlation(maps, torch.ones(1, 3, 3)).item())
    with pytest.raises(ValueError, match="on one grid"):
        rank_correlation(maps, torch.ones(1, 3, 4))
