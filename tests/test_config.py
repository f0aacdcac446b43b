import pytest
from programs import python
from pydantic import ValidationError

from tagsight.config import (
    AsymmetricConfig,
    BackboneConfig,
    RandAugmentConfig,
    Recipe,
    SystemConfig,
    TrainConfig,
)
from tagsight.nn.config import ConsistencyConfig, GraphConfig
from tagsight.systems.catalogue import SYSTEMS

SETTINGS = [
    AsymmetricConfig,
    BackboneConfig,
    ConsistencyConfig,
    GraphConfig,
    RandAugmentConfig,
    TrainConfig,
    Recipe,
    *(system.Config for system in SYSTEMS.values()),
]


def test_every_setting_has_a_sentence_a_default_that_survives_json_and_no_other_name():
    for settings in SETTINGS:
        for name, field in settings.model_fields.items():
            assert (field.description or "").rstrip().endswith("."), f"{settings.__name__}.{name}"
        with pytest.raises(
            ValidationError, match=r"learning_rat\n.*Extra inputs are not permitted"
        ):
            settings.model_validate({"learning_rat": 1})
        if settings is not Recipe:
            assert settings.model_validate_json(settings().model_dump_json()) == settings()


def test_settings_are_values():
    config = TrainConfig(lr=0.1)
    with pytest.raises(ValidationError, match="frozen"):
        config.lr = 0.2
    assert config == TrainConfig(lr=0.1) != TrainConfig()
    assert hash(config) == hash(TrainConfig(lr=0.1))


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (BackboneConfig, {"frozen_stages": -1}),
        (GraphConfig, {"epsilon": 1.1}),
        (GraphConfig, {"lr_factor": 0}),
        (ConsistencyConfig, {"scale": 1}),
        (SystemConfig, {"pooling": "sum"}),
        (AsymmetricConfig, {"gamma_positive": -1}),
        (TrainConfig, {"image_size": 31}),
        (TrainConfig, {"epochs": 0}),
        (TrainConfig, {"lr": 0}),
        (TrainConfig, {"crop": 0}),
        (TrainConfig, {"cutout": 1.5}),
        (RandAugmentConfig, {"operations": -1}),
        (RandAugmentConfig, {"magnitude": 10}),
        (TrainConfig, {"average": 1}),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_setting(settings, values):
    (name,) = values
    with pytest.raises(ValidationError, match=name):
        settings.model_validate(values)


def test_consistency_needs_a_transform_and_each_once():
    for transforms, message in (
        ((), "expected at least one of 'flip', 'scale', 'quarter_turn'"),
        (("flip", "flip"), r"expected each transform once, got \('flip', 'flip'"),
    ):
        with pytest.raises(ValidationError, match=message):
            ConsistencyConfig(transforms=transforms)
    assert ConsistencyConfig(weight=0, transforms=()).transforms == ()


def test_the_asymmetric_loss_has_the_settings_of_the_released_training_and_no_smoothed_targets():
    config = AsymmetricConfig()
    assert (config.gamma_positive, config.gamma_negative, config.margin) == (0, 4, 0.05)
    assert config.detach_weight
    with pytest.raises(ValidationError, match=r"label_smoothing: expected 0 .* got 0\.1"):
        SystemConfig(loss="asymmetric", label_smoothing=0.1)
    assert SystemConfig(loss="asymmetric", label_reduction="mean", label_weights="vac")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"schedule": "one_cycle", "warmup_epochs": 2},
            r"training.warmup_epochs: expected 0 with schedule 'one_cycle', .* got 2",
        ),
        (
            {"schedule": "step", "warmup_epochs": 11},
            "training.warmup_epochs: expected at most training.epochs = 10, got 11",
        ),
        (
            {"schedule": "step", "cycle_momentum": True},
            "training.cycle_momentum: expected false without .* got it with 'step'",
        ),
    ],
)
def test_settings_of_training_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        TrainConfig.model_validate(values)


def test_settings_are_checked_without_torch():
    python("-c", "import sys, tagsight.config; sys.exit('torch' in sys.modules)")
