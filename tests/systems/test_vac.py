from __future__ import annotations

import math

import pytest
import torch
from tiny import drawn, exact_photos, label_space, tiny_system
from torch.testing import assert_close


def test_the_bias_has_no_part_in_the_consistency():
    system = tiny_system("vac")
    images, targets = drawn(4)
    before = system.losses(images, targets)["consistency"]
    with torch.no_grad():
        system.classifier.bias += 100
    assert_close(system.losses(images, targets)["consistency"], before)


def test_label_weights_follow_the_training_photos():
    """Present labels weigh exp(1 - r), absent ones exp(r), in each view's loss."""
    system = tiny_system("vac", consistency={"weight": 0}, label_weights="vac").double()
    images, targets = exact_photos(3)
    total = 0.0
    for logits, shown in zip(system(images).logits.tolist(), targets.tolist(), strict=True):
        for logit, target, share in zip(logits, shown, label_space().frequency, strict=True):
            score = 1 / (1 + math.exp(-logit))
            if target:
                total -= math.exp(1 - share) * math.log(score)
            else:
                total -= math.exp(share) * math.log(1 - score)
    assert system.losses(images, targets)["labels"].item() == pytest.approx(total / 3)
