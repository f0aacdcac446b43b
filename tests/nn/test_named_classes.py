from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from test_backbones import untrained
from torch.testing import assert_close

from tagsight.labels.imagenet import imagenet_classes
from tagsight.labels.space import LabelSpace
from tagsight.nn.backbones import skip_initial_weights
from tagsight.nn.named_classes import NamedClasses
from tagsight.systems.catalogue import RECIPES, build_system

NAMES = ("dog", "bottle", "mood")
TARGETS = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]])
IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
LINEAR = ("resnet", "vac", "warp", "ml-gcn", "a-gcn", "gcam")


def system_by_name(name, **more):
    settings = RECIPES[f"{name}-cpu"].settings
    encoder = {"name": "test_resnet", "weights": "none", "frozen_stages": 0, "class_scores": True}
    backbone = encoder | more
    changed = {"backbone": settings.backbone.model_copy(update=backbone), "class_names": True}
    recipe = RECIPES[f"{name}-cpu"].model_copy(
        update={"settings": settings.model_copy(update=changed | {"pooling": "average"})}
    )
    labels = LabelSpace.from_targets(NAMES, TARGETS, torch.eye(3))
    return build_system(recipe, labels).eval()


def logits_at(system, weight):
    with torch.no_grad():
        system.by_name.weight.fill_(weight)
        return system(IMAGES)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("grid", ["last", "fused"])
def test_a_label_starts_as_the_classes_it_is_named_after(name, grid):
    torch.manual_seed(0)
    system = system_by_name(name, grid=grid)
    if hasattr(system.config, "residual_attention"):
        system.config = system.config.model_copy(update={"residual_attention": 0.0})
    with torch.no_grad():
        features = system.backbone(IMAGES)
    first = system.backbone.first_class
    scores = features[:, first : first + 1000].mean((-2, -1))
    expected = [
        scores[:, of_label].sum(1) / max(1, int(of_label.sum())) ** 0.5
        for of_label in imagenet_classes(NAMES)
    ]
    assert_close(
        logits_at(system, 2.0).logits - logits_at(system, 0.0).logits,
        2 * torch.stack(expected, 1),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("name", [*LINEAR, "csra"])
def test_a_map_still_averages_to_its_logit(name):
    torch.manual_seed(0)
    seen = logits_at(system_by_name(name), 3.0)
    assert_close(seen.maps.mean((-2, -1)), seen.logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*LINEAR, "csra"])
def test_its_weight_is_learned_where_a_label_has_classes(name):
    torch.manual_seed(0)
    system = system_by_name(name).train()
    sum(system.losses(IMAGES, TARGETS[:2], 1.0).values()).backward()
    assert system.by_name.weight.grad[:2].any()
    assert system.by_name.weight.grad[2] == 0
    assert "by_name.weight" in system.label_parameters


def test_a_saved_system_keeps_the_classes_that_it_found():
    system = system_by_name("gcam")
    with skip_initial_weights():
        again = system_by_name("gcam")
    assert not again.by_name.matches.any()
    again.load_state_dict(system.state_dict())
    with torch.no_grad():
        assert torch.equal(again(IMAGES).logits, system(IMAGES).logits)


def test_encoders_with_other_classes_do_without():
    named = system_by_name("gcam", class_scores=False)
    assert not isinstance(named.by_name, NamedClasses)
    assert not list(named.by_name.parameters())


def test_class_scores_begin_where_the_backbone_says():
    with torch.no_grad():
        grid = untrained("test_resnet", class_scores=True, grid="fused").eval()
        scores = grid(IMAGES)[:, grid.first_class : grid.first_class + 1000]
    assert_close((scores / 5).square().sum(1).amax(), torch.tensor(1.0), rtol=0, atol=0.5)


def test_a_fusion_that_is_not_linear_refuses_them():
    settings = RECIPES["f-gcn-cpu"].settings
    with pytest.raises(ValidationError, match="class_names: expected False for F-GCN"):
        type(settings).model_validate(settings.model_dump() | {"class_names": True})
