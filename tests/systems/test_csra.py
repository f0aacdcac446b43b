import math

import numpy as np
import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.systems.csra import TEMPERATURES, CSRAConfig, spatial_attention


def logits_by_the_letter(features, classifiers, temperatures, weight):
    """Logits of one photo from ``(D, h, w)`` features, cell by cell."""
    cells = features.reshape(len(features), -1).T
    logits = np.zeros(len(classifiers))
    for label, heads in enumerate(classifiers):
        for classifier, temperature in zip(heads, temperatures, strict=True):
            scores = np.array([x @ classifier / np.linalg.norm(classifier) for x in cells])
            if temperature == math.inf:
                attended = scores.max()
            else:
                powers = np.exp(temperature * scores)
                attended = (powers / powers.sum()) @ scores
            logits[label] += scores.mean() + weight * attended
    return logits


@pytest.mark.parametrize("heads", [1, 4])
def test_logits_are_a_transcription_in_numpy(heads):
    system = tiny_system("csra", heads=heads, attention=0.3).double().eval()
    images = drawn(3)[0].double()
    features = system.backbone(images).detach().numpy()
    classifiers = system.classifiers.detach().numpy()
    temperatures = TEMPERATURES[heads]
    expected = [logits_by_the_letter(one, classifiers, temperatures, 0.3) for one in features]
    assert_close(system(images).logits, torch.from_numpy(np.stack(expected)))


def test_attention_is_shared_by_all_cells_and_at_infinity_by_the_best():
    scores = torch.tensor([[[1.0, 3.0], [3.0, -1.0]]], dtype=torch.double)
    assert_close(spatial_attention(scores, math.inf)[0].tolist(), [[0.0, 0.5], [0.5, 0.0]])
    sharp, soft = spatial_attention(scores, 60.0), spatial_attention(scores, 1.0)
    assert_close(sharp, spatial_attention(scores, math.inf))
    assert_close(soft.sum(), torch.tensor(1.0, dtype=torch.double))
    assert soft.min() > 0


def test_attention_at_infinity_has_the_gradient_of_a_maximum(generator):
    scores = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.double, requires_grad=True)
    attended = (scores * spatial_attention(scores, math.inf)).sum((-2, -1))
    assert_close(attended, scores.amax((-2, -1)))
    gradients = (
        torch.autograd.grad(value.sum(), scores)[0] for value in (attended, scores.amax((-2, -1)))
    )
    assert_close(*gradients)


@pytest.mark.parametrize("heads", [0, 3])
def test_numbers_of_heads_without_temperatures_are_refused(heads):
    with pytest.raises(ValueError, match=f"heads: expected 1, 2, 4, 6 or 8, got {heads}"):
        CSRAConfig(heads=heads)
