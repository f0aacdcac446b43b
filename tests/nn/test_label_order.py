from itertools import permutations, product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tagsight.nn.label_order import aligned_labels, cheapest_assignment, label_priority, next_label

COUNTS = torch.tensor([5, 9, 2, 9])
CONFIDENCE = torch.tensor([0.1, 0.2, 0.4, 0.3]).log()


def sequence(order: str, present: list[bool], confidence: Tensor = CONFIDENCE) -> list[int]:
    """The order in which labels come if the confidence never changes."""
    priority, remaining = label_priority(COUNTS, order), torch.tensor([present])
    said = []
    while remaining.any():
        label = int(next_label(confidence[None], remaining, priority))
        said.append(label)
        remaining[0, label] = False
    return said


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # Counts 5, 9, 2, 9; of the two nines the last is the more confident.
        ("frequent", [3, 1, 0, 2]),
        ("rare", [2, 0, 3, 1]),
        ("confidence", [2, 3, 1, 0]),
    ],
)
def test_labels_come_by_count_or_by_confidence(order, expected):
    assert sequence(order, [True] * 4) == expected
    assert sequence(order, [True, True, False, True]) == [k for k in expected if k != 2]
    assert sequence(order, [False] * 4) == []


@pytest.mark.parametrize("order", ["frequent", "rare", "confidence", "mla", "pla"])
def test_priorities_move_with_the_labels_and_photos_do_not_influence_one_another(order, generator):
    moved, priority = torch.tensor([2, 0, 3, 1]), label_priority(COUNTS, order)
    assert_close(label_priority(COUNTS[moved], order), priority[moved])
    remaining = torch.tensor(list(product([False, True], repeat=4))[1:])
    confidence = torch.rand(len(remaining), 4, generator=generator).log()
    alone = [
        next_label(*one, priority)
        for one in zip(confidence.split(1), remaining.split(1), strict=True)
    ]
    assert_close(next_label(confidence, remaining, priority), torch.cat(alone))


def brute_force(cost: Tensor) -> tuple[float, tuple[int, ...]]:
    rows = range(len(cost))
    return min((sum(cost[i, j].item() for i, j in enumerate(p)), p) for p in permutations(rows))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_assignment_is_the_cheapest_of_all(size, generator):
    cost = torch.rand(20, size, size, generator=generator, dtype=torch.double)
    found = cheapest_assignment(cost)
    for photo in range(20):
        assert tuple(found[photo].tolist()) == brute_force(cost[photo])[1]


def test_what_is_forbidden_is_not_assigned():
    cost = torch.tensor([[[0.0, 9], [torch.inf, 0]], [[torch.inf, 9], [0, torch.inf]]])
    assert cheapest_assignment(cost).tolist() == [[0, 1], [1, 0]]


def drawn(generator: torch.Generator, photos: int = 40) -> tuple[Tensor, Tensor]:
    """Log-probabilities of six labels at five steps, and which are present."""
    log_p = torch.rand(photos, 5, 6, generator=generator, dtype=torch.double).log()
    return log_p, torch.rand(photos, 6, generator=generator) < 0.5


def test_mla_has_the_smallest_loss_of_all_orders(generator):
    log_p, present = drawn(generator)
    present[:, 5] = False
    found = aligned_labels(log_p, present, None, 5)
    for photo in range(len(present)):
        labels = present[photo].nonzero()[:, 0].tolist()
        expected = max(
            permutations(labels), key=lambda p: sum(log_p[photo, t, k] for t, k in enumerate(p))
        )
        assert found[photo, : len(labels)].tolist() == list(expected)


@pytest.mark.parametrize("again", [False, True], ids=["each label once", "repeated predictions"])
def test_pla_keeps_what_was_predicted_and_aligns_the_rest(again, generator):
    log_p, present = drawn(generator)
    present[:, 5] = False
    photos = len(present)
    predicted = torch.rand(photos, 7, generator=generator).argsort(1)[:, :5]
    if again:
        predicted = torch.randint(7, (photos, 5), generator=generator)
    found = aligned_labels(log_p, present, predicted, 5)
    for photo in range(photos):
        labels = present[photo].nonzero()[:, 0].tolist()
        kept: dict[int, int] = {}
        for step, label in enumerate(predicted[photo, : len(labels)].tolist()):
            if label in labels and label not in kept.values():
                kept[step] = label
        orders = [p for p in permutations(labels) if all(p[step] == k for step, k in kept.items())]
        expected = max(orders, key=lambda p: sum(log_p[photo, t, k] for t, k in enumerate(p)))
        assert found[photo, : len(labels)].tolist() == list(expected)


def test_a_photo_with_more_labels_than_steps_keeps_the_predicted_then_the_most_probable():
    log_p = torch.tensor([[[0.1, 0.2, 0.3, 0.4], [0.4, 0.1, 0.2, 0.3]]]).log()
    present = torch.ones(1, 4, dtype=torch.bool)
    assert aligned_labels(log_p, present, None, 2).tolist() == [[3, 0]]
    assert aligned_labels(log_p, present, torch.tensor([[1, 4]]), 2).tolist()[0][0] == 1


def test_alignment_moves_with_the_labels(generator):
    log_p, present = drawn(generator)
    moved = torch.tensor([3, 5, 0, 1, 4, 2])
    found = aligned_labels(log_p, present, None, 4)
    other = aligned_labels(log_p[..., moved], present[:, moved], None, 4)
    own = torch.arange(4) < present.sum(1, keepdim=True)
    assert_close(moved[other][own], found[own])
