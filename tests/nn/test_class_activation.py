"""Maps with residual attention: what the best cell adds to a logit, shared among the cells."""

import pytest
import torch
from torch.testing import assert_close

from tagsight.metrics.localization import energy_in_boxes
from tagsight.nn.class_activation import (
    attended_maps,
    best_cell,
    class_logits,
    class_maps,
    logits_and_maps,
    pooled,
    smoothed,
)

WEIGHT = 0.5


def drawn(offset: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw features of four photos and classifiers of five labels; the offset shifts all scores."""
    random = torch.Generator().manual_seed(0)
    features = torch.randn(4, 3, 5, 6, generator=random, dtype=torch.double)
    features[:, 0] = 1
    classifiers = torch.randn(5, 3, generator=random, dtype=torch.double)
    classifiers[:, 0] = offset
    return features, classifiers


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("attention", [0.0, WEIGHT])
@pytest.mark.parametrize("bias", [None, torch.arange(5.0, dtype=torch.double)])
def test_a_logit_is_the_score_of_the_pooled_cells_and_a_share_of_the_best_one(
    pooling, attention, bias
):
    features, classifiers = drawn()
    found = logits_and_maps(features, classifiers, bias, pooling=pooling, attention=attention)
    plain = class_maps(features, classifiers)
    whole = class_logits(pooled(features, pooling), classifiers, bias)
    assert_close(found.logits, whole + best_cell(plain, attention))
    assert torch.equal(found.maps, plain)


@pytest.mark.parametrize("offset", [0.0, -2.0, -100.0, 100.0])
def test_maps_average_to_the_logit_and_keep_the_order_of_their_cells(offset):
    features, classifiers = drawn(offset)
    bias = torch.tensor([0.0, -3.0, 2.0, 0.5, -0.1], dtype=torch.double)
    plain = class_maps(features, classifiers)
    maps = attended_maps(plain, bias, WEIGHT)
    logits = class_logits(pooled(features, "average"), classifiers, bias)
    assert_close(maps.mean((-2, -1)), logits + best_cell(plain, WEIGHT))
    assert torch.equal(maps.flatten(2).argsort(-1), plain.flatten(2).argsort(-1))


def test_evidence_lies_where_it_lay_and_evidence_against_a_label_is_as_it_was():
    features, classifiers = drawn()
    plain = class_maps(features, classifiers).flatten(0, 1)
    maps = attended_maps(class_maps(features, classifiers), None, WEIGHT).flatten(0, 1)
    against = plain <= 0
    assert_close(maps[against], plain[against])
    boxes = torch.tensor([0.1, 0.2, 0.5, 0.9]).expand(len(maps), 1, 4)
    assert_close(energy_in_boxes(maps, boxes), energy_in_boxes(plain, boxes))


def test_where_no_cell_has_evidence_the_term_is_the_same_in_all():
    features, classifiers = drawn(-100.0)
    plain = class_maps(features, classifiers)
    best = best_cell(plain, WEIGHT)
    assert_close(attended_maps(plain, None, WEIGHT), plain + best[..., None, None])


@pytest.mark.parametrize("evidence", [0.0, 1e-30, 1e-12, -1e-12])
def test_a_map_is_continuous_where_its_best_cell_changes_sign(evidence):
    plain = torch.tensor([[[[evidence, -1.0], [-2.0, -3.0]]]])
    assert_close(attended_maps(plain, None, WEIGHT), plain, rtol=0, atol=1e-11)


@pytest.mark.parametrize("window", [3, 5])
def test_smoothing_keeps_the_mean_over_the_photo_and_moves_with_it(window):
    photo = torch.zeros(1, 1, 6, 7, dtype=torch.bool)
    maps = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    photo[..., 1:5, 2:] = True
    for on_photo in (None, photo):
        seen = smoothed(maps, window, on_photo)
        counted = torch.ones_like(photo) if on_photo is None else on_photo
        assert_close((seen * counted).sum((-2, -1)), (maps * counted).sum((-2, -1)))
        assert torch.equal(seen[..., ~counted[0, 0]], maps[..., ~counted[0, 0]])
        mirrored = None if on_photo is None else on_photo.flip(-1)
        assert_close(smoothed(maps.flip(-1), window, mirrored), seen.flip(-1))
        turned = None if on_photo is None else on_photo.rot90(1, (-2, -1))
        assert_close(smoothed(maps.rot90(1, (-2, -1)), window, turned), seen.rot90(1, (-2, -1)))


def test_a_window_of_one_cell_changes_nothing():
    maps = torch.rand(2, 3, 6, 7)
    assert torch.equal(smoothed(maps, 1), maps)
