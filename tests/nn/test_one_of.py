"""Laws of labels that exclude each other."""

import numpy as np
import pytest
import torch

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.labels.one_of import OneOf, log_odds, one_of_groups
from tagsight.labels.space import empty_label_space
from tagsight.nn.losses import label_loss
from tagsight.nn.one_of import one_of_cost, one_of_log_odds, one_of_scores

GROUPS = [(OneOf((0, 3, 2), complete=True), OneOf((1, 5))), (OneOf((4, 0)),), ()]


@pytest.fixture
def logits() -> torch.Tensor:
    return 9 * torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("groups", GROUPS)
def test_scores_of_a_group_are_its_softmax_in_every_form(logits, groups):
    scores = one_of_scores(logits, groups)
    assert torch.allclose(one_of_log_odds(logits, groups).sigmoid(), scores)
    decided = Decision.default(6, groups).scores(logits)
    assert np.allclose(decided, scores.numpy())
    assert np.allclose(log_odds(logits.numpy(), groups), one_of_log_odds(logits, groups).numpy())
    for labels, complete in groups:
        odds = logits[:, list(labels)].exp()
        expected = odds / (odds.sum(1, keepdim=True) + (not complete))
        assert torch.allclose(scores[:, list(labels)], expected)
    alone = [i for i in range(6) if all(i not in group.labels for group in groups)]
    assert torch.allclose(scores[:, alone], logits[:, alone].sigmoid())


@pytest.mark.parametrize("complete", [True, False])
def test_the_highest_of_a_complete_group_is_predicted_and_never_two(logits, complete):
    groups = (OneOf((1, 2, 5), complete),)
    targets = torch.zeros(50, 6, dtype=torch.int8)
    targets[torch.arange(50), torch.tensor([1, 2, 5])[torch.arange(50) % 3]] = 1
    for decision in (
        Decision.default(6, groups),
        fit_decision(logits, targets, names="abcdef", one_of=groups),
        fit_decision(logits, targets, names="abcdef", one_of=groups).at("sure"),
    ):
        scores = decision.scores(logits)
        predicted = decision.predicted(scores)[:, [1, 2, 5]]
        assert (predicted.sum(1) <= 1).all()
        if complete:
            assert np.allclose(scores[:, [1, 2, 5]].sum(1), 1)
            assert (predicted.argmax(1) == scores[:, [1, 2, 5]].argmax(1)).all()
            assert predicted.any(1).all()


def test_the_cost_of_a_group_is_the_likelihood_of_what_is_known(logits):
    complete, open_ = OneOf((0, 1, 2), complete=True), OneOf((0, 1, 2))
    for group, none in ((complete, 0.0), (open_, 1.0)):
        odds = torch.cat([logits[:, :3].exp(), torch.full((50, 1), none).double()], 1)
        shares = odds / odds.sum(1, keepdim=True)
        for known, may_be in (
            ([1, 0, 0], [0]),
            ([0, 0, -1], [2, 3]),
            ([0, -1, -1], [1, 2, 3]),
            ([-1, -1, -1], [0, 1, 2, 3]),
        ):
            targets = torch.tensor([[*known, 0, 0, 0]]).expand(50, 6)
            expected = -shares[:, may_be].sum(1).log()
            assert torch.allclose(one_of_cost(logits, targets, group), expected, atol=1e-9)


def test_the_cost_of_a_mixed_photo_is_the_mixture_of_costs(logits):
    first, second = torch.eye(6)[[0] * 50], torch.eye(6)[[1] * 50]
    for group in (OneOf((0, 1, 2), complete=True), OneOf((0, 1, 2))):
        mixed = one_of_cost(logits, 0.3 * first + 0.7 * second, group)
        parts = (one_of_cost(logits, one, group) for one in (first, second))
        assert torch.allclose(mixed, sum(w * c for w, c in zip((0.3, 0.7), parts, strict=True)))


def test_the_loss_has_finite_gradients_and_none_of_what_is_unknown():
    logits = torch.tensor([[80.0, -80.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    targets = torch.tensor([[0, 0, 1], [-1, -1, -1]])  # the first contradicts a complete group
    for complete in (True, False):
        label_loss(logits, targets, one_of=(OneOf((0, 1), complete),)).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert logits.grad[1].abs().max() < 1e-6


def test_a_group_of_one_with_none_is_a_label_of_its_own(logits):
    targets = torch.randint(-1, 2, (50, 6), generator=torch.Generator().manual_seed(1))
    alone = tuple(OneOf((label,)) for label in range(6))
    assert torch.allclose(label_loss(logits, targets, one_of=alone), label_loss(logits, targets))


def test_a_group_is_complete_if_no_photo_is_known_to_lack_all_of_it():
    names = ("day", "dog", "night")
    for rows, complete in (
        ([[1, 0, 0], [0, 1, 1]], True),
        ([[1, 0, 0], [-1, 1, 0]], True),
        ([[1, 0, 0], [0, 1, 0]], False),
        ([[-1, 0, -1]], False),
    ):
        found = one_of_groups([["day", "night", "dusk"], ["dog"]], names, torch.tensor(rows))
        assert found == (OneOf((0, 2), complete),)


def test_groups_follow_their_labels(logits):
    space = empty_label_space("abc")
    grouped = type(space)(
        space.names, space.vectors, space.cooccurrence, space.photos, (OneOf((0, 1), True),)
    )
    assert grouped.extended(["d"], None).one_of == grouped.one_of
    decision = Decision.default(3, grouped.one_of)
    assert Decision.from_dict(decision.as_dict("abc"), "abc").one_of == grouped.one_of
