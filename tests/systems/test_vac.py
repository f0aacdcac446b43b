from __future__ import annotations

import math

import torch
from tiny import drawn, label_space, tiny_system
from torch.testing import assert_close


def test_without_consistency_it_is_the_linear_baseline():
    system = tiny_system("vac", consistency={"weight": 0})
    plain = tiny_system("resnet")
    plain.load_state_dict(system.state_dict())
    images, targets = drawn(4)
    assert_close(system(images), plain(images))
    assert_close(system.losses(images, targets), plain.losses(images, targets))


def test_the_bias_has_no_part_in_the_consistency():
    system = tiny_system("vac")
    images, targets = drawn(4)
    before = system.losses(images, targets)["consistency"]
    with torch.no_grad():
        system.classifier.bias += 100
    assert_close(system.losses(images, targets)["consistency"], before)


def test_label_weights_follow_the_training_photos():
    """Present labels weigh exp(1 - r), absent ones exp(r), in each view's loss."""
    labels = label_space()
    settings = {"consistency": {"weight": 0}, "label_weights": "vac"}
    system = tiny_system("vac", labels, **settings).double()
    images, targets = drawn(3)
    logits = system(images.double()).logits
    total = 0.0
    for photo in range(3):
        for label, share in enumerate(labels.frequency.tolist()):
            score = 1 / (1 + math.exp(-logits[photo, label].item()))
            if targets[photo, label] == 1:
                total -= math.exp(1 - share) * math.log(score)
            else:
                total -= math.exp(share) * math.log(1 - score)
    expected = torch.tensor(total / 3, dtype=torch.double)
    assert_close(system.losses(images.double(), targets)["labels"], expected, rtol=1e-6, atol=0)
