"""G-CAM's equations once more, written out with loops."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from tiny import drawn, exact_photos, label_space, tiny_system
from torch.testing import assert_close

LAMBDA = 0.4


def gcam(**consistency):
    settings = {"scale": 0.75, "weight": LAMBDA, **consistency}
    return tiny_system("gcam", consistency=settings).double()


def equation_8(system, features):
    """Y = M D with D the average of each channel: photo by label."""
    photos, channels, height, width = features.shape
    scores = []
    for photo in range(photos):
        pooled = [features[photo, c].sum().item() / (height * width) for c in range(channels)]
        rows = system.label_graph().tolist()
        scores.append([sum(m * d for m, d in zip(row, pooled, strict=True)) for row in rows])
    return scores


def equation_9(scores, targets):
    """L_M, with its minus sign, the sum over labels, averaged over photos."""
    total = 0.0
    for photo, photo_scores in enumerate(scores):
        for label, y in enumerate(photo_scores):
            sigmoid = 1 / (1 + math.exp(-y))
            present = targets[photo, label].item()
            total -= present * math.log(sigmoid) + (1 - present) * math.log(1 - sigmoid)
    return total / len(scores)


def equation_10(system, features):
    """Q_j(m, n) = sum_k M(j, k) F_k(m, n)."""
    photos, channels, height, width = features.shape
    classifiers = system.label_graph()
    maps = features.new_zeros(photos, len(classifiers), height, width)
    for j in range(len(classifiers)):
        for k in range(channels):
            maps[:, j] += classifiers[j, k] * features[:, k]
    return maps


def equation_12(maps, others, squared):
    """L_A: the norm of each label's difference over L H W; or squared, as released."""
    photos, labels, height, width = maps.shape
    total = 0.0
    for photo, j in product(range(photos), range(labels)):
        norm = 0.0
        for m, n in product(range(height), range(width)):
            norm += (maps[photo, j, m, n] - others[photo, j, m, n]).item() ** 2
        total += norm if squared else math.sqrt(norm)
    return total / (labels * height * width) / photos


def enlarged(maps, side):
    times = side // maps.shape[-1]
    return maps.repeat_interleave(times, -1).repeat_interleave(times, -2)


@torch.no_grad()
def test_logits_are_equation_8_and_maps_equation_10():
    system, (images, _) = gcam().eval(), exact_photos(2)
    features = system.backbone(images)
    logits, maps, embedding = system(images)
    assert_close(logits, torch.tensor(equation_8(system, features), dtype=torch.double))
    assert_close(maps, equation_10(system, features))
    assert_close(embedding, features.flatten(2).mean(2))


@torch.no_grad()
@pytest.mark.parametrize("error", ["squared", "norm"])
def test_losses_are_equations_9_to_13(error):
    """Four views, flip at both sizes and both sizes, on 4 x 4 and 3 x 3 cells repeated to 12."""
    system, (images, targets) = gcam(alignment="nearest", error=error), exact_photos(2)
    # The flip would cost this network nothing: make it see the edges that lie to the left.
    system.backbone.network.pixels = torch.nn.Conv2d(3, 16, (1, 2), padding=(0, 1)).double()
    small = F.interpolate(images, size=(24, 24), mode="bilinear", antialias=True)
    views = {"large": images, "small": small}
    views |= {f"{name}, flipped": view.flip(-1) for name, view in views.items()}
    features = {name: system.backbone(view) for name, view in views.items()}
    label_loss = sum(equation_9(equation_8(system, f), targets) for f in features.values()) / 4

    maps = {name: equation_10(system, f) for name, f in features.items()}
    for name in ("large, flipped", "small, flipped"):
        maps[name] = maps[name].flip(-1)  # Eq. 11: back into the photo's frame
    pairs = [("large", "large, flipped", 1), ("small", "small, flipped", 1)]
    pairs += [("large", "small", 0.5), ("large, flipped", "small, flipped", 0.5)]
    consistency = 0.0
    for one, other, weight in pairs:
        first, second = maps[one], maps[other]
        if first.shape != second.shape:
            first, second = enlarged(first, 12), enlarged(second, 12)
        consistency += weight * equation_12(first, second, error == "squared")

    losses = system.losses(images, targets)
    assert consistency > 0
    assert losses["labels"].item() == pytest.approx((1 - LAMBDA) * label_loss)
    assert losses["consistency"].item() == pytest.approx(LAMBDA * consistency)


@pytest.mark.parametrize(
    ("name", "plain", "pooling"),
    [("gcam", "ml-gcn", "average"), ("gcam", "ml-gcn", "max"), ("vac", "resnet", "average")],
)
def test_without_consistency_it_is_the_plain_system_with_the_same_pooling(name, plain, pooling):
    system = tiny_system(name, pooling=pooling, consistency={"weight": 0})
    plain = tiny_system(plain, pooling=pooling)
    plain.load_state_dict(system.state_dict())
    images, targets = drawn(4)
    assert_close(system(images), plain(images))
    assert_close(system.losses(images, targets), plain.losses(images, targets))


def test_every_label_can_be_scored_as_absent_and_one_in_no_training_photo_has_a_classifier():
    """With a ReLU behind the last layer, as Eq. 7 reads, no score could fall below 0.5."""
    labels = label_space()
    labels.cooccurrence[3], labels.cooccurrence[:, 3] = 0, 0
    system = tiny_system("gcam", labels).eval()
    logits = system(drawn(8)[0]).logits
    assert logits.isfinite().all()
    assert (logits < 0).any()
    assert (system.label_graph() < 0).any(1).all()
