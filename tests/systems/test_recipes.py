import json

import pytest
import timm
import torch
from tiny import tiny_system

from tagsight.nn.backbones import try_encoder
from tagsight.nn.encoder_weights import EMBEDDED, INSTALLED
from tagsight.nn.equivariance import transform_images
from tagsight.systems.catalogue import DEFAULT_RECIPE, RECIPES, SYSTEMS, parse_recipe
from tagsight.systems.gpu_recipes import TUNED
from tagsight.systems.settings import known_recipe
from tagsight.training.loop import build_optimizer, build_schedule

OURS = [name for name in RECIPES if name.endswith(("-cpu", "-quick"))]
RECENT = {f"gcam-{tuned.short}": tuned for tuned in TUNED}
OF_PAPERS = [name for name in RECIPES if name not in {*OURS, *RECENT}]
PRETRAINED = {EMBEDDED, *timm.list_pretrained()}


def rates(recipe):
    """The learning rate of the new layers at the beginning of each epoch of three batches."""
    training, found = recipe.training, []
    optimizer = build_optimizer(tiny_system("resnet"), training)
    schedule = build_schedule(optimizer, training, training.epochs * 3, 3)
    for _ in range(training.epochs):
        found.append(optimizer.param_groups[0]["lr"])
        for _ in range(3):
            optimizer.step()
            schedule.step()
    return found


def test_a_recipe_names_an_encoder_that_has_weights():
    backbones = {recipe.settings.backbone for recipe in RECIPES.values()}
    assert {backbone.weights for backbone in backbones} == {"imagenet"}
    encoders = {name for backbone in backbones for name in backbone.encoders}
    assert encoders <= PRETRAINED | set(INSTALLED)


def test_every_recipe_has_its_systems_settings_and_survives_being_written_and_read():
    for recipe in RECIPES.values():
        assert type(recipe.settings) is SYSTEMS[recipe.system].Config
        assert parse_recipe(json.loads(recipe.model_dump_json())) == recipe


@pytest.mark.parametrize("name", RECENT)
def test_a_recipe_with_a_recent_encoder_names_its_weights_and_a_side_in_whole_cells(name):
    recipe, tuned = RECIPES[name], RECENT[name]
    backbone, training = recipe.settings.backbone, recipe.training
    assert backbone.name == tuned.encoder
    with torch.device("meta"):  # takes no memory
        network, _ = try_encoder(backbone.name)
    assert training.image_size % network.feature_info[-1]["reduction"] == 0
    assert training.lr * training.backbone_lr_factor == pytest.approx(tuned.rate)
    assert (backbone.frozen_stages, backbone.freeze_batch_norm) == (0, False)
    assert "not run by us" in recipe.expectation


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_recipe_of_a_paper_trains_all_of_its_network_and_says_that_we_did_not_run_it(name):
    recipe = RECIPES[name]
    backbone = recipe.settings.backbone
    assert backbone.name.startswith("resnet101")
    assert not backbone.freeze_depthwise
    # Query2Label leaves its first layers and all norms as they are.
    kept = (1, True) if name == "query2label-paper" else (0, False)
    assert (backbone.frozen_stages, backbone.freeze_batch_norm) == kept
    assert "not run by us" in recipe.expectation
    if recipe.training.selection == "last":  # then nothing may need validation photos
        assert recipe.settings.probabilities
        assert not SYSTEMS[recipe.system].remembers


@pytest.mark.parametrize("name", [name for name in OURS if name.endswith("-quick")])
def test_a_quick_recipe_needs_each_photo_and_its_mirror_image_only(name):
    quick, slow = RECIPES[name], RECIPES[name.replace("-quick", "-cpu")]
    consistency = getattr(quick.settings, "consistency", None)
    assert consistency is None or not consistency.weight
    assert quick.settings.backbone.frozen_stages == 7
    assert quick.training == slow.training


def test_the_best_recipe_is_the_default_with_more_pixels_and_without_consistency():
    quick, best, default = (RECIPES[f"gcam-{form}"] for form in ("quick", "best-cpu", "cpu"))
    assert best.settings.backbone == default.settings.backbone
    assert best.training.image_size > default.training.image_size
    assert best.settings.consistency == quick.settings.consistency


@pytest.mark.parametrize("form", ["quick", "best-cpu"])
def test_short_names_stand_for_forms_of_the_default(form):
    assert known_recipe(form) == RECIPES[f"{RECIPES[DEFAULT_RECIPE].system}-{form}"]


@pytest.mark.parametrize(
    ("name", "sides"), [("gcam-paper", (224, 192)), ("gcam-paper-448", (448, 384))]
)
def test_gcam_sees_photos_at_the_two_sizes_of_its_paper(name, sides):
    recipe = RECIPES[name]
    large = torch.zeros(1, 3, recipe.training.image_size, recipe.training.image_size)
    small = transform_images(large, "scale", scale=recipe.settings.consistency.scale)
    assert (large.shape[-1], small.shape[-1]) == sides
    assert set(recipe.settings.consistency.transforms) == {"flip", "scale"}
    assert recipe.settings.consistency.views == "all"


def test_the_literal_method_differs_in_how_two_grids_meet_only():
    literal, ours = (RECIPES[name].settings for name in ("gcam-literal", "gcam-paper"))
    assert (literal.consistency.alignment, literal.consistency.error) == ("nearest", "squared")
    bilinear = literal.consistency.model_copy(update={"alignment": "bilinear"})
    assert literal.model_copy(update={"consistency": bilinear}) == ours
    assert RECIPES["gcam-literal"].training == RECIPES["gcam-paper"].training


def test_a_rate_of_a_tenth_is_for_the_mean_over_labels():
    """ML-GCN's and CSRA's rate; of the sum the gradient would be 80 times as large for COCO."""
    fast = {name for name, recipe in RECIPES.items() if recipe.training.lr >= 0.1}
    assert {"resnet101-gap", "resnet101-gmp", "multi-evidence-paper", "csra-paper"} <= fast
    assert {RECIPES[name].settings.label_reduction for name in fast} == {"mean"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Of a loss 1 / 1.6 times as large: 1.6 times the rate, and 1 / 1.6 times the decay.
        ("vac-paper", [1.6e-3] * 6 + [1.6e-4] * 6 + [1.6e-5] * 2),
        ("gcam-paper", [1e-3] * 30 + [5e-4] * 30),
        ("ml-gcn-paper", [0.1] * 40 + [0.01] * 40 + [0.001] * 20),
        # Two epochs of warm-up, and a decay after every five.
        ("csra-paper", [0.1 / 6, 0.4 / 6, *[0.1] * 3, *[0.01] * 5, *[1e-3] * 5]),
    ],
)
def test_rates_fall_as_the_papers_say(name, expected):
    assert rates(RECIPES[name])[: len(expected)] == pytest.approx(expected)
