from __future__ import annotations

import pytest
import torch

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.runtime.precision import full_precision, widened

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_widened_and_no_other(dtype: torch.dtype, expected: torch.dtype):
    assert widened(torch.ones(2, dtype=dtype)).dtype == expected


def test_a_full_precision_region_leaves_autocast_and_returns_to_it():
    matrix = torch.eye(2)
    with torch.autocast("cpu", torch.bfloat16):
        with full_precision(CPU):
            assert (matrix @ matrix).dtype == torch.float32
        assert (matrix @ matrix).dtype == torch.bfloat16


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
