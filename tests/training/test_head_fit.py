"""The fit of heads: what it costs, and what a name changes in it."""

import pytest
import torch

from tagsight.training import head_fit
from tagsight.training.head_fit import Added, Judged, fitted_heads
from tagsight.training.label_prior import LabelPrior
from tagsight.training.quasi_newton import minimised

PHOTOS, LENGTH, LABELS = 600, 64, 4


@pytest.fixture
def asked(monkeypatch):
    """Count how often the loss of a fit is computed."""
    losses = []

    def counted(function, *arguments, **options):
        def counting(point):
            losses.append(point)
            return function(point)

        return minimised(counting, *arguments, **options)

    monkeypatch.setattr(head_fit, "minimised", counted)
    return losses


@pytest.fixture
def judged() -> Judged:
    """Make photos in which directions see most of what names say, and names say little."""
    random = torch.Generator().manual_seed(0)
    spread = torch.arange(1, LENGTH + 1) ** -0.5
    photos = torch.randn(PHOTOS, LENGTH, generator=random) * spread
    photos /= photos.square().sum(1).mean().sqrt()
    clear, within = torch.randn(2, LABELS, LENGTH, generator=random) * 3
    noise, unseen = torch.randn(2, PHOTOS, LABELS, generator=random)
    targets = (photos @ clear.T + noise > 1).int()
    said = photos @ within.T + 0.3 * unseen
    return Judged(photos, said, targets, within, torch.zeros(LABELS))


def unnamed(judged: Judged) -> Judged:
    nothing = torch.zeros(LABELS, LENGTH)
    return judged._replace(expected=torch.zeros(PHOTOS, LABELS), within=nothing)


def test_names_that_the_directions_see_cost_few_steps(asked, judged):
    fitted_heads(unnamed(judged), None)
    alone = len(asked)
    fitted_heads(judged, None)
    assert len(asked) - alone <= alone + 3


@pytest.mark.parametrize("with_graph", [True, False])
def test_the_solution_does_not_depend_on_what_directions_are_said_to_see(judged, with_graph):
    words = torch.randn(LABELS, 8, generator=torch.Generator().manual_seed(1))
    prior = LabelPrior(vectors=words) if with_graph else None
    blind = judged._replace(within=torch.zeros(LABELS, LENGTH))
    one, other = (fitted_heads(photos, prior).logits(photos) for photos in (judged, blind))
    assert (one - other).square().mean().sqrt() < 0.1
    assert one.square().mean().sqrt() > 1


def test_a_fit_that_begins_at_its_solution_is_there_at_once(asked, judged):
    best = fitted_heads(judged, None)
    first = len(asked)
    again = fitted_heads(judged, None, start=best)
    assert len(asked) - first <= 4
    torch.testing.assert_close(again.logits(judged), best.logits(judged), rtol=0.05, atol=0.1)


def test_a_trust_in_a_name_is_what_the_name_is_multiplied_by(judged):
    trust = torch.tensor([1.0, 0.5, 0.0, -1.0])
    added = Added(torch.zeros(LABELS, LENGTH), trust, torch.zeros(LABELS))
    torch.testing.assert_close(added.logits(judged), trust * judged.expected)
