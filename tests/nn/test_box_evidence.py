import math

import pytest
import torch
from torch.testing import assert_close
from torchvision.ops import box_iou

from tagsight.nn import box_evidence as evidence
from tagsight.nn.regions import lattice_boxes

FOUR = lattice_boxes(2)
"""Of halves: 9 boxes, from a quarter of the photo to all of it."""


def values(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape))).double()


def test_scores_of_boxes_stay_below_1_and_log_odds_finite():
    named = 20 * values(3, 50, 4)
    scores = evidence.box_shares(named, named.flip(1)).logsumexp(1)
    assert scores.max() <= 0
    assert evidence.log_odds(scores).isfinite().all()
    scores = torch.tensor([1e-9, 0.2, 0.5, 0.999]).double()
    assert_close(evidence.log_odds(scores.log()), scores.logit())
    assert evidence.log_odds(torch.zeros(1).double()).item() == pytest.approx(math.log(1e6))


def test_logits_of_a_mean_are_those_of_the_mean_of_sigmoids():
    logits = [values(4, 3), 3 * values(4, 3), values(4, 3) - 2]
    expected = (sum(x.sigmoid() for x in logits) / 3).logit()
    assert_close(evidence.mean_of_scores(logits), expected)
    far = torch.tensor([-200.0, 200.0])
    assert_close(evidence.mean_of_scores([far, far]), far)


def test_boxes_cover_cells_by_hand():
    # Of two boxes the left half has a share of 0.4, the whole photo one of 0.2.
    boxes = torch.tensor([[0.0, 0, 0.5, 1], [0, 0, 1, 1]])
    scores = torch.tensor([0.4, 0.2]).view(1, 2, 1)
    expected = torch.tensor([0.6, 0.2]).view(1, 1, 1, 2)
    assert_close(evidence.covered_by_boxes(scores, boxes, (1, 2)), expected)


def test_hot_cells_reach_half_way_from_lowest_to_highest():
    heat = torch.tensor([[-4.0, -2.0, -1.9], [0.0, -3.0, -2.5]])[None, None]
    assert evidence.hot_cells(heat)[0, 0].tolist() == [[False, True, True], [True, False, False]]
    assert torch.equal(evidence.hot_cells(3 * heat + 7), evidence.hot_cells(heat))


def test_agreement_against_a_loop():
    shares, heat = values(3, 9, 4), values(3, 4, 4, 4)
    hot = evidence.hot_cells(heat)
    agreed = evidence.agreeing(shares, hot, FOUR, 0.4)
    near = box_iou(FOUR, FOUR) > 0.4
    for photo in range(3):
        for label in range(4):
            cells = hot[photo, label]
            fits = []
            for left, top, right, bottom in (4 * FOUR).long().tolist():
                shared = cells[top:bottom, left:right].sum()
                area = (right - left) * (bottom - top)
                fits.append((shared / (cells.sum() + area - shared)).item())
            best = int(shares[photo, :, label].argmax()), max(range(9), key=fits.__getitem__)
            assert torch.equal(agreed[photo, label], near[best[0]] & near[best[1]])


@pytest.mark.parametrize(
    ("nearness", "candidates", "kept"),
    [
        # Of 0.9, 0.1, 0.5 and 0.3 the lower median is 0.3.
        ([0.9, 0.1, 0.5, 0.7, 0.3], [1, 1, 1, 0, 1], [1, 0, 1, 0, 1]),
        ([0.2, 0.1], [0, 0], [0, 0]),
        ([0.4, 0.6], [1, 0], [1, 0]),
    ],
)
def test_candidates_as_typical_as_their_median_are_kept(nearness, candidates, kept):
    found = evidence.typical(torch.tensor([[nearness]]), torch.tensor([[candidates]]).bool())
    assert found.int().tolist() == [[kept]]


def test_cells_are_within_boxes_that_cover_more_than_half_of_them():
    boxes = torch.tensor([[0.0, 0, 0.6, 1], [0, 0, 1, 0.25]])
    kept = torch.tensor([[[True, False], [False, True], [False, False]]])
    found = evidence.within(kept, boxes, (2, 2))[0].tolist()
    nowhere = [[False, False], [False, False]]
    assert found == [[[True, False], [True, False]], nowhere, nowhere]


def test_the_loss_of_boxes_by_hand():
    # Odds of the two labels to none: 3 and 1 in the first box, 1 and 2 in the second.
    named = torch.tensor([[[3.0, 1.0], [1.0, 2.0]]]).log()
    kept = torch.tensor([[[True, False], [True, True]]])  # label by box
    targets = torch.tensor([[1, 1]])
    expected = -(math.log(3 / 5) + math.log(1 / 5) + math.log(2 / 4)) / 3
    assert evidence.box_loss(named, kept, targets).item() == pytest.approx(expected)
    both = evidence.box_loss(
        named.repeat(2, 1, 1), torch.cat([kept, ~kept & kept]), targets.repeat(2, 1)
    )
    assert both.item() == pytest.approx(expected / 2)


def test_no_box_is_taught_that_it_does_not_show_an_unknown_label():
    named = values(1, 2, 3).requires_grad_()
    kept = torch.zeros(1, 3, 2, dtype=torch.bool)
    kept[0, 0, 1] = True
    evidence.box_loss(named, kept, torch.tensor([[1, -1, 0]])).backward()
    assert (named.grad[..., 1] == 0).all()
    assert (named.grad[0, 1, [0, 2]] != 0).all()


def test_the_loss_of_cells_by_hand():
    cells = torch.tensor([[[[0.0, 2.0]], [[1.0, -1.0]], [[5.0, 5.0]]]])
    shown = torch.tensor([[[[False, True]], [[False, False]], [[False, False]]]])
    targets = torch.tensor([[1, 0, -1]])
    present = math.log(1 + math.exp(-2))  # of one cell; the other has no part
    absent = (math.log(1 + math.exp(1)) + math.log(1 + math.exp(-1))) / 2
    assert evidence.cell_loss(cells, shown, targets).item() == pytest.approx(present + absent)
    mean = evidence.cell_loss(cells, shown, targets, "mean").item()
    assert mean == pytest.approx((present + absent) / 2)  # of the two labels that are known
