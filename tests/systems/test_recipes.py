from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import timm
import torch
import torchvision
from tiny import TINY, drawn, label_space, tiny_system
from torch import nn

from tagsight.config import GraphConfig
from tagsight.nn.backbones import build_backbone, skip_initial_weights
from tagsight.nn.encoder_weights import EMBEDDED
from tagsight.nn.equivariance import transform_images
from tagsight.systems.catalogue import RECIPES, SYSTEMS, build_system, parse_recipe
from tagsight.training.loop import build_optimizer, build_schedule

if TYPE_CHECKING:
    from tagsight.config import BackboneConfig, Recipe

every_recipe = pytest.mark.parametrize("name", RECIPES)
OF_PAPERS = [name for name in RECIPES if not name.endswith("-cpu")]
BATCHES = 3


BACKBONES = {recipe.settings.backbone for recipe in RECIPES.values()}


def rates(recipe: Recipe) -> list[float]:
    """The learning rate of the new layers at the beginning of each epoch."""
    training = recipe.training
    optimizer = build_optimizer(tiny_system("resnet"), training)
    schedule = build_schedule(optimizer, training, training.epochs * BATCHES, BATCHES)
    found = []
    for _ in range(training.epochs):
        found.append(optimizer.param_groups[0]["lr"])
        for _ in range(BATCHES):
            optimizer.step()
            schedule.step()
    return found


@every_recipe
def test_a_recipe_builds_its_system(name: str):
    recipe = RECIPES[name]
    settings = recipe.settings.model_copy(update={"backbone": TINY})
    system = build_system(recipe.model_copy(update={"settings": settings}), label_space())
    assert type(system) is SYSTEMS[recipe.system]
    assert type(recipe.settings) is SYSTEMS[recipe.system].Config
    if not system.remembers:
        assert build_optimizer(system, recipe.training).param_groups


@pytest.mark.parametrize("config", BACKBONES, ids=lambda config: config.name)
def test_a_recipe_names_an_encoder_that_has_weights(config: BackboneConfig):
    with skip_initial_weights():
        assert build_backbone(config).channels in {1280, 2048}
    assert config.weights == "imagenet"
    assert config.name in {EMBEDDED, *timm.list_pretrained()}


@every_recipe
def test_a_recipe_says_what_it_is(name: str):
    recipe = RECIPES[name]
    assert recipe.name == name
    for text in (recipe.source, recipe.expectation):
        assert text == " ".join(text.split())
        assert text


@every_recipe
def test_a_recipe_survives_being_written_and_read(name: str):
    recipe = RECIPES[name]
    assert parse_recipe(json.loads(recipe.model_dump_json())) == recipe


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_a_recipe_for_a_processor(system: str):
    recipe = RECIPES[f"{system}-cpu"]
    assert recipe.system == system
    # Weights that are installed with the package.
    assert recipe.settings.backbone.name == "efficientnet_lite0"
    assert recipe.settings.backbone.weights == "imagenet"
    assert recipe.training.image_size == 224


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_paper_is_reproduced_with_all_of_the_network_that_it_trained(name: str):
    backbone = RECIPES[name].settings.backbone
    assert backbone.name.startswith("resnet101")
    assert not backbone.freeze_depthwise
    # Query2Label leaves its first layers and all norms as they are.
    kept = (1, True) if name == "query2label-paper" else (0, False)
    assert (backbone.frozen_stages, backbone.freeze_batch_norm) == kept


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_paper_says_what_to_expect_and_that_we_did_not_run_it(name: str):
    expectation = RECIPES[name].expectation
    assert "published: " in expectation or "docs/decisions/" in expectation
    assert "not run by us" in expectation


@pytest.mark.parametrize("name", ["gcam-paper", "gcam-literal", "gcam-paper-448", "ml-gcn-paper"])
def test_papers_take_the_word_vectors_as_they_are(name: str):
    assert RECIPES[name].settings.graph.vectors == "raw"


@pytest.mark.parametrize(
    ("name", "sides"), [("gcam-paper", (224, 192)), ("gcam-paper-448", (448, 384))]
)
def test_gcam_sees_photos_at_the_two_sizes_of_its_paper(name: str, sides: tuple[int, int]):
    recipe = RECIPES[name]
    large = torch.zeros(1, 3, recipe.training.image_size, recipe.training.image_size)
    small = transform_images(large, "scale", scale=recipe.settings.consistency.scale)
    assert (large.shape[-1], small.shape[-1]) == sides
    assert set(recipe.settings.consistency.transforms) == {"flip", "scale"}
    assert recipe.settings.consistency.views == "all"


@pytest.mark.parametrize("name", ["gcam-paper", "gcam-literal", "gcam-paper-448"])
def test_gcam_has_the_numbers_of_its_section_4_2(name: str):
    settings, training = RECIPES[name].settings, RECIPES[name].training
    assert (settings.graph.epsilon, settings.graph.delta) == (0.4, 0.2)
    assert settings.consistency.weight == 0.4
    assert settings.pooling == "average"
    assert training.batch_size == 32
    (group, *_) = build_optimizer(tiny_system("gcam"), training).param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-3, 0.9, 5e-4)


def test_gcam_halves_its_rate_every_thirty_epochs():
    assert rates(RECIPES["gcam-paper"]) == pytest.approx([1e-3] * 30 + [5e-4] * 30)


def test_the_literal_method_differs_in_how_two_grids_meet_only():
    literal, ours = (RECIPES[name].settings for name in ("gcam-literal", "gcam-paper"))
    assert (literal.consistency.alignment, literal.consistency.error) == ("nearest", "squared")
    bilinear = literal.consistency.model_copy(update={"alignment": "bilinear"})
    assert literal.model_copy(update={"consistency": bilinear}) == ours
    assert RECIPES["gcam-literal"].training == RECIPES["gcam-paper"].training


def test_ml_gcn_has_the_released_rates_and_the_schedule_of_its_paper():
    recipe = RECIPES["ml-gcn-paper"]
    training = recipe.training
    groups = tiny_system("ml-gcn").parameter_groups(training.lr, training.backbone_lr_factor)
    new, backbone = (group for group in groups if group["params"])
    assert (new["lr"], backbone["lr"]) == pytest.approx((0.1, 0.01))
    assert rates(recipe) == pytest.approx([0.1] * 40 + [0.01] * 40 + [0.001] * 20)
    assert (training.weight_decay, training.clip_norm, training.image_size) == (1e-4, 10, 448)
    assert (training.crop, training.random_flip) == ("multi_scale", True)
    assert recipe.settings.pooling == "max"
    assert recipe.settings.label_reduction == "mean"
    assert recipe.settings.graph == GraphConfig(
        epsilon=0.4, delta=0.2, variant="released", vectors="raw", activation="leaky_relu"
    )


def test_a_rate_of_a_tenth_is_for_the_mean_over_labels():
    """ML-GCN's and CSRA's rate; of the sum the gradient would be 80 times as large for COCO."""
    fast = {name for name, recipe in RECIPES.items() if recipe.training.lr >= 0.1}
    assert {"resnet101-gap", "resnet101-gmp", "multi-evidence-paper", "csra-paper"} <= fast
    assert {RECIPES[name].settings.label_reduction for name in fast} == {"mean"}


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_recipe_without_selection_can_do_without_validation_photos(name: str):
    recipe = RECIPES[name]
    if recipe.training.selection == "last":
        assert recipe.settings.probabilities
        assert not SYSTEMS[recipe.system].remembers


def test_vac_sees_photos_at_288_and_256_and_weighs_labels_by_their_share():
    recipe = RECIPES["vac-paper"]
    assert recipe.training.image_size == 288
    assert round(288 * recipe.settings.consistency.scale) == 256
    assert recipe.settings.consistency.alignment == "nearest"
    assert recipe.settings.label_weights == "vac"
    assert recipe.training.batch_size == 24


def test_sgd_takes_the_steps_of_vacs_released_rate_and_decay():
    """Of a loss 1 / c times as large: c times the rate, and 1 / c times the decay."""
    recipe = RECIPES["vac-paper"]
    factor = 1 / (1 - recipe.settings.consistency.weight)
    assert factor == pytest.approx(1.6)
    released = [1e-3] * 6 + [1e-4] * 6 + [1e-5] * 2
    assert [rate / factor for rate in rates(recipe)] == pytest.approx(released)
    assert recipe.training.weight_decay * factor == pytest.approx(5e-4)


def test_the_two_baselines_differ_in_their_pooling_only():
    average, largest = RECIPES["resnet101-gap"], RECIPES["resnet101-gmp"]
    assert (average.settings.pooling, largest.settings.pooling) == ("average", "max")
    assert average.training == largest.training


@pytest.mark.parametrize("name", ["gcam-paper", "gcam-literal", "gcam-paper-448", "ml-gcn-paper"])
def test_papers_have_neither_a_bias_nor_smoothed_targets(name: str):
    settings = RECIPES[name].settings
    assert not settings.graph.bias
    assert settings.label_smoothing == 0


def test_the_default_ramps_the_consistency_in_and_keeps_the_scale_of_the_maps_out():
    consistency = RECIPES["gcam-cpu"].settings.consistency
    assert consistency.error == "relative"
    assert 0 < consistency.ramp <= 1
    system = tiny_system("gcam", consistency=consistency.model_dump() | {"scale": 0.75})
    terms = system.losses(*drawn(4), progress=0.0)
    assert terms["consistency"] == 0 < terms["labels"]


def test_warp_samples_its_ranks_as_published_and_counts_them_here():
    paper, ours = RECIPES["warp-paper"].settings, RECIPES["warp-cpu"].settings
    assert (paper.ranking, paper.trials) == ("sampled", None)
    # What sampling stands for.
    assert (ours.ranking, ours.violators) == ("exact", "mean")


def test_query2label_leaves_its_first_layers_and_all_norms_as_they_are():
    with skip_initial_weights():
        backbone = build_backbone(RECIPES["query2label-paper"].settings.backbone).train()
    network = torchvision.models.resnet101(weights=None)
    later = [network.layer2, network.layer3, network.layer4]
    convolutions = [m for stage in later for m in stage.modules() if isinstance(m, nn.Conv2d)]
    trained = [p.shape for p in backbone.parameters() if p.requires_grad]
    assert sorted(trained) == sorted(conv.weight.shape for conv in convolutions)
    assert not any(m.training for m in backbone.modules() if isinstance(m, nn.BatchNorm2d))


def test_csra_has_the_numbers_of_its_released_code_for_coco():
    recipe = RECIPES["csra-paper"]
    training = recipe.training
    assert (recipe.settings.heads, recipe.settings.attention) == (4, 0.5)
    steps = 2 * BATCHES  # of the warm-up
    rising = [0.1 * (1 + step) / steps for step in (0, BATCHES)]
    assert rates(recipe)[:11] == pytest.approx([*rising, *[0.1] * 3, *[0.01] * 5, 0.001])
    groups = tiny_system("csra").parameter_groups(training.lr, training.backbone_lr_factor)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.01])
    assert (training.image_size, training.epochs, training.batch_size) == (448, 30, 16)
    assert (training.crop, training.random_flip) == (0.7, True)
    assert recipe.settings.backbone.normalization == "none"


def test_ml_decoder_has_the_numbers_of_its_released_code():
    recipe = RECIPES["ml-decoder-paper"]
    training, loss = recipe.training, recipe.settings.asymmetric
    optimizer = build_optimizer(tiny_system("ml-decoder"), training)
    assert isinstance(optimizer, torch.optim.Adam)
    assert not isinstance(optimizer, torch.optim.AdamW)
    # Beside the sum over a batch; biases and norms have none.
    penalties = {group["weight_decay"] for group in optimizer.param_groups}
    assert sorted(training.batch_size * one for one in penalties) == pytest.approx([0, 1e-4])
    assert (training.lr, training.epochs, training.batch_size) == (1e-4, 40, 56)
    assert (training.warmup, training.cycle_momentum, training.average) == (0.2, True, 0.9997)
    assert (loss.gamma_negative, loss.gamma_positive, loss.margin) == (4, 0, 0.05)
    assert (training.cutout, training.rand_augment.operations) == (0.5, 2)
    assert (training.crop, training.random_flip) == (1, False)


def test_query2label_has_the_numbers_of_its_released_code():
    recipe = RECIPES["query2label-paper"]
    training, loss = recipe.training, recipe.settings.asymmetric
    optimizer = build_optimizer(tiny_system("query2label"), training)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-2}
    assert (training.lr, training.epochs, training.batch_size) == (1e-4, 80, 128)
    assert (training.warmup, training.cycle_momentum, training.average) == (0.2, True, 0.9997)
    assert (loss.gamma_negative, loss.gamma_positive, loss.margin) == (2, 0, 0)
    assert (training.cutout, training.rand_augment.operations) == (0.5, 2)
    assert (training.crop, training.random_flip) == (1, False)
