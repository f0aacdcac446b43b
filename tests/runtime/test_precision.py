from __future__ import annotations

import torch

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.runtime.precision import full_precision

CPU = torch.device("cpu")


def test_a_full_precision_region_changes_nothing_outside_autocast():
    with full_precision(CPU):
        assert not torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")


def test_class_activation_is_never_halved():
    classifiers = torch.rand(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        features = torch.rand(2, 3, 5, 5).to(torch.bfloat16)
        embedding = pooled(features, "average")
        answers = (
            embedding,
            class_logits(embedding, classifiers),
            class_maps(features, classifiers),
        )
    assert [answer.dtype for answer in answers] == [torch.float32] * 3
