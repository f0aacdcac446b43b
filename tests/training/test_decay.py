import pytest
import torch

from tagsight.training.decay import FACTORS, FEWEST, MOST_PHOTOS, chosen_decay

LEAST = 1e-3


def made(photos: int, noise: float, labels: int = 1, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Make photos whose labels are as clear as noise allows."""
    random = torch.Generator().manual_seed(seed)
    points = torch.randn(photos, 12, generator=random) / 12**0.5
    seen = points[:, :labels] + noise * torch.randn(photos, labels, generator=random)
    return points, (seen > 0).int()


def left_out(points: torch.Tensor, targets: torch.Tensor, factor: float) -> float:
    """Fit ridge regressions anew without each photo, about the means of all of them."""
    answer = targets[:, 0].float()
    rate = answer.mean()
    ridge = LEAST * factor * len(answer) / (rate * (1 - rate)) * torch.eye(points.shape[1])
    whole = torch.cat([points - points.mean(0), torch.ones(len(points), 1)], 1)
    keep_bias = torch.zeros(points.shape[1] + 1, points.shape[1] + 1)
    keep_bias[:-1, :-1] = ridge
    errors = []
    for photo in range(len(answer)):
        rest = torch.arange(len(answer)) != photo
        x, y = whole[rest].double(), answer[rest].double()
        weights = torch.linalg.solve(x.T @ x + keep_bias, x.T @ y)
        errors.append(float(answer[photo] - whole[photo].double() @ weights) ** 2)
    return sum(errors)


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
def test_the_choice_is_that_of_leaving_each_photo_out(noise):
    points, targets = made(60, noise)
    errors = [left_out(points, targets, factor) for factor in FACTORS]
    best = FACTORS[errors.index(min(errors))]
    assert chosen_decay(points, targets, LEAST) == pytest.approx(LEAST * best)


def test_unknown_targets_and_labels_with_few_photos_have_no_part():
    points, targets = made(80, 0.5, labels=2)
    rare = torch.zeros(80, 1, dtype=torch.int32)
    rare[: FEWEST - 1] = 1
    unknown = torch.full((80, 1), -1, dtype=torch.int32)
    more = torch.cat([rare, targets, unknown], 1)
    assert chosen_decay(points, more, LEAST) == chosen_decay(points, targets, LEAST)
    some = targets.clone()
    some[60:] = -1
    fewer = chosen_decay(points[:60], targets[:60], LEAST)
    assert chosen_decay(points, some, LEAST) * 80 == pytest.approx(fewer * 80)
    assert chosen_decay(points, rare, LEAST) == LEAST
    assert chosen_decay(points[:0], targets[:0], LEAST) == LEAST


def test_with_many_photos_some_decide_and_the_decay_a_photo_falls():
    points, targets = made(4 * MOST_PHOTOS, 3.0)
    few = chosen_decay(points[::4], targets[::4], LEAST)
    assert chosen_decay(points, targets, LEAST) == pytest.approx(max(LEAST, few / 4))


def test_what_is_known_before_is_not_to_be_learned():
    random = torch.Generator().manual_seed(0)
    points = torch.randn(200, 16, generator=random) / 4
    logits = 20 * points[:, :1]
    targets = (logits.sigmoid() > torch.rand(200, 1, generator=random)).int()
    alone, known = (chosen_decay(points, targets, LEAST, e) for e in (None, logits))
    assert known > alone
    assert chosen_decay(points, targets, LEAST, torch.full_like(logits, 3.0)) == alone


def test_photos_in_which_all_deciding_labels_are_known_decide_where_there_are_enough():
    points, targets = made(3 * MOST_PHOTOS, 1.0, labels=2)
    some = targets.clone()
    some[::3, 0] = -1
    complete = (some >= 0).all(1)
    before = chosen_decay(points[complete], targets[complete], LEAST)
    spread = before * int(complete.sum()) / len(points)
    assert chosen_decay(points, some, LEAST) == pytest.approx(max(LEAST, spread))
