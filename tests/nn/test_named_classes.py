import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from tagsight.labels.imagenet import imagenet_classes
from tagsight.labels.space import LabelSpace
from tagsight.nn.backbones import skip_initial_weights
from tagsight.nn.class_scores import GAIN
from tagsight.nn.named_classes import named_classes
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


@pytest.mark.parametrize("name", [*LINEAR, "csra"])
@pytest.mark.parametrize("grid", ["last", "fused"])
def test_how_sure_the_encoder_is_of_a_labels_classes_is_added_to_its_map(name, grid):
    torch.manual_seed(0)
    system = system_by_name(name, grid=grid)
    attention = "attention" if name == "csra" else "residual_attention"
    system.config = system.config.model_copy(update={attention: 0.0, "map_smoothing": 1})
    with torch.no_grad():
        features = system.backbone(IMAGES)
    first = system.backbone.first_class
    probability = (features[:, first : first + 1000] / GAIN).square()
    of_label = imagenet_classes(NAMES).float()
    expected = GAIN * torch.einsum("bkhw,lk->blhw", probability, of_label).sqrt()
    with_names, without = logits_at(system, 2.0), logits_at(system, 0.0)
    assert_close(with_names.maps - without.maps, 2 * expected, rtol=1e-3, atol=1e-4)
    means = 2 * expected.mean((-2, -1))
    assert_close(with_names.logits - without.logits, means, rtol=1e-3, atol=1e-4)


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


def test_a_cell_without_any_of_a_labels_classes_gives_a_gradient_that_is_finite():
    system = system_by_name("gcam").train()
    sum(system.losses(IMAGES, TARGETS[:2], 1.0).values()).backward()
    assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)


def test_encoders_with_other_classes_do_without():
    named = system_by_name("gcam", class_scores=False)
    assert named.by_name is None


def test_which_labels_have_classes_is_logged_once_for_all_systems(caplog):
    caplog.set_level("INFO")
    backbone = system_by_name("gcam").backbone
    caplog.clear()
    for names in (
        ["dog", "cow", "cat", "car", "mood"],
        ["dog", "cow", "cat", "car", "mood"],
        ["ire"],
    ):
        named_classes(names, backbone, wanted=True)
    said = "labels named after classes of the encoder: "
    assert caplog.messages == [f"{said}4 of 5, such as 'dog', 'cow', 'cat'", f"{said}0 of 1"]


def test_a_fusion_that_is_not_linear_refuses_them():
    settings = RECIPES["f-gcn-cpu"].settings
    with pytest.raises(ValidationError, match="class_names: expected False for F-GCN"):
        type(settings).model_validate(settings.model_dump() | {"class_names": True})
