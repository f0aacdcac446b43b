"""G-CAM's equations once more, written out with loops."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import drawn, label_space, tiny_system
from torch import Tensor
from torch.testing import assert_close

from tagsight.systems.base import System

LAMBDA = 0.4


def batch() -> tuple[Tensor, Tensor]:
    images, targets = drawn(2, side=32)
    return images.double(), targets


def gcam(**consistency: object) -> System:
    settings = {"scale": 0.75, "weight": LAMBDA, **consistency}
    return tiny_system("gcam", consistency=settings).double()


def equation_8(system: System, features: Tensor) -> list[list[float]]:
    """Y = M D with D the average of each channel: photo by label."""
    photos, channels, height, width = features.shape
    scores = []
    for photo in range(photos):
        pooled = [features[photo, c].sum().item() / (height * width) for c in range(channels)]
        rows = system.label_graph().tolist()
        scores.append([sum(m * d for m, d in zip(row, pooled, strict=True)) for row in rows])
    return scores


def equation_9(scores: list[list[float]], targets: Tensor) -> float:
    """L_M, with its minus sign, the sum over labels, averaged over photos."""
    total = 0.0
    for photo, photo_scores in enumerate(scores):
        for label, y in enumerate(photo_scores):
            sigmoid = 1 / (1 + math.exp(-y))
            present = targets[photo, label].item()
            total -= present * math.log(sigmoid) + (1 - present) * math.log(1 - sigmoid)
    return total / len(scores)


def equation_10(system: System, features: Tensor) -> Tensor:
    """Q_j(m, n) = sum_k M(j, k) F_k(m, n)."""
    photos, channels, height, width = features.shape
    classifiers = system.label_graph()
    maps = features.new_zeros(photos, len(classifiers), height, width)
    for j in range(len(classifiers)):
        for k in range(channels):
            maps[:, j] += classifiers[j, k] * features[:, k]
    return maps


def equation_12(maps: Tensor, others: Tensor, *, squared: bool) -> float:
    """L_A: the norm of each label's difference over L H W; or squared, as released."""
    photos, labels, height, width = maps.shape
    total = 0.0
    for photo in range(photos):
        for j in range(labels):
            norm = 0.0
            for m in range(height):
                for n in range(width):
                    norm += (maps[photo, j, m, n] - others[photo, j, m, n]).item() ** 2
            total += norm if squared else math.sqrt(norm)
    return total / (labels * height * width) / photos


def enlarged(maps: Tensor, side: int) -> Tensor:
    times = side // maps.shape[-1]
    return maps.repeat_interleave(times, -1).repeat_interleave(times, -2)


def shrunk(images: Tensor) -> Tensor:
    return torch.nn.functional.interpolate(images, size=(24, 24), mode="bilinear", antialias=True)


@torch.no_grad()
def test_logits_are_equation_8_and_maps_equation_10():
    system, (images, _) = gcam().eval(), batch()
    features = system.backbone(images)
    logits, maps, embedding = system(images)
    assert_close(logits, torch.tensor(equation_8(system, features), dtype=torch.double))
    assert_close(maps, equation_10(system, features))
    assert_close(embedding, features.flatten(2).mean(2))


@torch.no_grad()
@pytest.mark.parametrize("error", ["squared", "norm"])
def test_losses_are_equations_9_to_13(error: str):
    """Four views, flip at both sizes and both sizes, on 4 x 4 and 3 x 3 cells repeated to 12."""
    system, (images, targets) = gcam(alignment="nearest", error=error), batch()
    # The flip would cost this network nothing: make it see the edges that lie to the left.
    system.backbone.network.pixels = torch.nn.Conv2d(3, 16, (1, 2), padding=(0, 1)).double()
    small = shrunk(images)
    views = {
        "large": images,
        "large, flipped": images.flip(-1),
        "small": small,
        "small, flipped": small.flip(-1),
    }
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
        consistency += weight * equation_12(first, second, squared=error == "squared")

    losses = system.losses(images, targets)
    assert consistency > 0
    assert losses["labels"].item() == pytest.approx((1 - LAMBDA) * label_loss)
    assert losses["consistency"].item() == pytest.approx(LAMBDA * consistency)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_without_consistency_it_is_ml_gcn_with_the_same_pooling(pooling: str):
    system = tiny_system("gcam", pooling=pooling, consistency={"weight": 0}).double()
    plain = tiny_system("ml-gcn", pooling=pooling).double()
    plain.load_state_dict(system.state_dict())
    images, targets = batch()
    assert_close(system(images), plain(images))
    assert_close(system.losses(images, targets), plain.losses(images, targets))


def test_every_label_can_be_scored_as_absent():
    """With a ReLU behind the last layer, as Eq. 7 reads, no score could fall below 0.5."""
    system = tiny_system("gcam").eval()
    assert (system(drawn(8)[0]).logits < 0).any()
    assert (system.label_graph() < 0).any(1).all()


def test_a_label_in_no_training_photo_still_has_a_classifier():
    labels = label_space()
    labels.cooccurrence[3], labels.cooccurrence[:, 3] = 0, 0
    logits = tiny_system("gcam", labels).eval()(drawn(2)[0]).logits
    assert logits.isfinite().all()
    assert logits[:, 3].any()
