import csv
import logging

import pytest
import timm
import torch
from timm.models import register_model
from tiny import TINY, TinyNetwork
from torch import nn
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.data.photos.reading import open_photo
from tagsight.errors import DataError
from tagsight.loading.transforms import as_float, squared
from tagsight.nn.backbones import build_backbone, skip_initial_weights
from tagsight.nn.encoder_weights import EMBEDDED, INSTALLED, _installed_weights
from tagsight.nn.grid_encoder import FullPrecision, GridEncoder
from tagsight.nn.views import ORIGINAL, FrozenFeatures

CATS, DOGS = range(281, 286), range(151, 269)
"""ImageNet's classes."""


class SkippingNetwork(TinyNetwork):
    """Its first stage is called twice: what comes after cannot do with the features alone."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Conv2d(24, 24, 1)

    def forward_features(self, images):
        features = super().forward_features(images)
        return self.layer1(self.layer1(features)) + features


@register_model
def tiny_skipping(**_options):
    return SkippingNetwork()


def untrained(name=EMBEDDED, frozen=0, **settings):
    values = {"freeze_depthwise": False, "freeze_batch_norm": False} | settings
    values |= {"name": name, "weights": "none", "frozen_stages": frozen}
    return build_backbone(BackboneConfig.model_validate(values))


def is_norm(module):
    return isinstance(module, nn.BatchNorm2d)


def trained_a_step(backbone):
    """Everything that the network holds, before and after a step."""
    before = {key: value.clone() for key, value in backbone.network.state_dict().items()}
    trained = [p for p in backbone.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    backbone.train()
    backbone(torch.rand(2, 3, 64, 64)).square().mean().backward()
    optimizer.step()
    return before, dict(backbone.network.state_dict())


def changed(backbone):
    """The modules of the network, as its attributes, that a step of training changed."""
    before, after = trained_a_step(backbone)
    return {
        ".".join(key.split(".")[:2]) if key.startswith("blocks") else key.split(".")[0]
        for key in before
        if not torch.equal(before[key], after[key])
    }


def test_settings_can_freeze_all_but_the_convolutions_of_layers_2_to_4_of_a_resnet():
    backbone = untrained("resnet18", frozen=1, freeze_batch_norm=True)
    trained = {name for name, part in backbone.named_parameters() if part.requires_grad}
    convolutions = {
        f"network.{name}.weight"
        for name, module in timm.create_model("resnet18", pretrained=False).named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith(("layer2", "layer3", "layer4"))
    }
    assert trained == convolutions


@pytest.mark.parametrize("name", INSTALLED)
def test_the_embedded_weights_are_taken_in_by_layers_of_the_same_kind(name):
    """They are matched by position, so the kinds of tensors must agree one by one."""
    installed = INSTALLED[name]
    network = timm.create_model(installed.architecture, num_classes=0)
    released = torch.load(installed.path(), weights_only=True)
    theirs = [key.split(".")[-1] for key in released if not key.startswith("_fc")]
    assert [key.split(".")[-1] for key in network.state_dict()] == theirs
    matched = _installed_weights(network, installed)
    shapes = [value.shape for value in network.state_dict().values()]
    assert [value.shape for value in matched.values()] == shapes
    assert torch.equal(matched["conv_stem.weight"], released["_conv_stem.weight"])
    assert torch.equal(matched["bn2.running_var"], released["_bn1.running_var"])


def test_the_embedded_encoder_tells_cats_from_dogs(shared_data):
    """With the classifier that its weights come with; a wrong layer would leave chance, 1 %."""
    folder = shared_data / "voc-animals"
    with (folder / "labels-12.csv").open() as file:
        rows = list(csv.DictReader(file))
    backbone = build_backbone(BackboneConfig(class_scores=True)).eval()
    right = 0
    for animal, other, classes in (("cat", "dog", CATS), ("dog", "cat", DOGS)):
        shown = [row["image"] for row in rows if row[animal] == "1" and row[other] == "0"][:8]
        paths = [folder / "VOCdevkit" / "VOC2012" / "JPEGImages" / name for name in shown]
        images = torch.stack([as_float(squared(open_photo(path), 224)) for path in paths])
        with torch.no_grad():
            seen = backbone(images)[:, -1000:].square().mean((-2, -1))
        best = seen.argmax(1)
        right += sum(index in classes for index in best.tolist())
    assert right >= 10


def test_a_frozen_stage_freezes_all_that_comes_before_it():
    everything = {"conv_stem", "bn1", *(f"blocks.{i}" for i in range(7)), "conv_head", "bn2"}
    assert changed(untrained(frozen=0)) == everything
    assert changed(untrained(frozen=2)) == everything - {"conv_stem", "bn1", "blocks.0", "blocks.1"}
    assert changed(untrained(frozen=7)) == {"conv_head", "bn2"}


@pytest.mark.parametrize(("frozen", "channels"), [(5, 112), (6, 1280)])
def test_the_last_grid_stands_in_where_the_middle_one_lies_within_frozen_stages(frozen, channels):
    backbone = untrained(frozen=frozen).eval()
    images = torch.rand(1, 3, 64, 64)
    middle, last = backbone.grids(images)
    assert middle.shape[1] == backbone.middle_channels == channels
    assert middle.shape[-1] == (4 if channels == 112 else 2)
    if frozen == 5:
        assert_close(middle, backbone.to_frozen(images))
    if frozen > 5:
        assert_close(middle, last)


@pytest.mark.parametrize(("name", "frozen"), [("test_resnet", True), ("test_efficientnet", False)])
def test_batch_norm_learns_in_training_just_where_it_is_not_frozen(name, frozen):
    backbone = untrained(name, freeze_batch_norm=frozen)
    norms = [name for name, module in backbone.network.named_modules() if is_norm(module)]
    before, after = trained_a_step(backbone)
    keys = [f"{name}.{part}" for name in norms for part in ("weight", "bias", "running_mean")]
    assert keys
    assert {torch.equal(before[key], after[key]) for key in keys} == {frozen}


def test_frozen_parts_stay_in_evaluation_mode():
    backbone = untrained(frozen=3, freeze_batch_norm=True).eval().train()
    assert backbone.training
    assert not any(m.training for m in backbone.frozen.modules())
    assert not any(m.training for m in backbone.modules() if is_norm(m))
    assert backbone.network.blocks[3].training
    assert not any(m.training for m in backbone.eval().modules())


def test_depthwise_convolutions_can_be_kept():
    backbone = untrained(freeze_depthwise=True)
    for name, module in backbone.network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.requires_grad == (module.groups == 1), name


def test_strided_depthwise_convolutions_that_learn_stay_in_full_precision_under_autocast():
    backbone = untrained().eval()
    spared = [m for m in backbone.modules() if isinstance(m, FullPrecision)]
    assert [m.layer.stride for m in spared] == [(2, 2)] * 4
    dtypes = []
    for module in spared:
        module.layer.register_forward_hook(lambda *call: dtypes.append(call[-1].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(torch.rand(1, 3, 64, 64))
        with torch.no_grad():
            backbone(torch.rand(1, 3, 64, 64))
    # Only the gradient is slow: without one there is nothing to spare.
    assert dtypes == [torch.float32] * 4 + [torch.bfloat16] * 4
    assert features.dtype == torch.bfloat16


@pytest.mark.parametrize("normalization", ["pretrained", "none"])
def test_images_are_normalised_as_the_network_was_trained_or_not_at_all(normalization):
    backbone = GridEncoder(TinyNetwork(), TINY.model_copy(update={"normalization": normalization}))
    network = TinyNetwork()
    network.load_state_dict(backbone.network.state_dict())
    images = torch.rand(2, 3, 32, 32)
    expected = images
    if normalization == "pretrained":
        mean, std = torch.tensor([[0.5, 0.4, 0.3], [0.2, 0.3, 0.4]])[..., None, None]
        expected = (images - mean) / std
    assert_close(backbone(images), network.forward_features(expected))


def test_a_tresnet_asks_for_input_that_is_not_normalised():
    backbone = untrained("tresnet_m")
    assert not backbone.mean.any()
    assert torch.equal(backbone.std, torch.ones_like(backbone.std))


def test_only_encoders_that_stay_random_are_announced(caplog):
    with skip_initial_weights():
        build_backbone(TINY)
    first, second = (build_backbone(BackboneConfig()).state_dict() for _ in range(2))
    assert not caplog.records
    assert_close(first, second, rtol=0, atol=0)
    build_backbone(TINY)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "tiny_equivariant starts from random weights" in caplog.text


FAMILY_STAGES = {
    "test_resnet": ["conv1", "bn1", "act1", "maxpool", "layer1", "layer2"],
    "test_convnext": ["stem", "stages.0", "stages.1"],
    "test_efficientnet": ["conv_stem", "bn1", "blocks.0", "blocks.1"],
    "test_byobnet": ["stem", "stages.0", "stages.1"],
}


@pytest.mark.parametrize("name", FAMILY_STAGES)
def test_frozen_stages_and_the_others_make_what_the_whole_network_makes(name):
    whole, parts = untrained(name).eval(), untrained(name, frozen=2).eval()
    gone = [
        key
        for key, m in parts.network.named_modules()
        if isinstance(m, nn.Sequential) and not len(m)
    ]
    assert [key for key in gone if key in FAMILY_STAGES[name]] == FAMILY_STAGES[name]
    assert not any(p.requires_grad for p in parts.frozen.parameters())
    assert all(p.requires_grad for p in parts.network.parameters())
    held = [*parts.frozen.state_dict().values(), *parts.network.state_dict().values()]
    with torch.no_grad():
        for tensor, weight in zip(held, whole.network.state_dict().values(), strict=True):
            tensor.copy_(weight)

    images = torch.rand(2, 3, 64, 96)
    frozen = parts.to_frozen(images)
    assert not frozen.requires_grad
    assert frozen.shape[1] != parts.channels
    features = parts(images)
    assert features.shape == (2, parts.channels, 2, 3)
    assert_close(features, whole(images))

    # The middle grid has half the stride, whether of pixels or of frozen features.
    grids = parts.grids(FrozenFeatures({ORIGINAL: frozen}))
    assert grids[0].shape == (2, parts.middle_channels, 4, 6)
    assert_close(grids[1], features)
    assert_close(grids, whole.grids(images))


def test_the_middle_grid_is_that_of_the_third_stage_in_one_pass_or_the_last_one():
    backbone, third = untrained("test_resnet").eval(), []
    backbone.network.layer3.register_forward_hook(lambda *call: third.append(call[-1]))
    middle, _ = backbone.grids(torch.rand(2, 3, 64, 64))
    assert len(third) == 1
    assert_close(middle, third[0])
    flat = untrained("tiny_equivariant")
    middle, last = flat.grids(torch.rand(2, 3, 32, 32))
    assert middle is last
    assert flat.middle_channels == flat.channels


def test_widened_layers_change_no_number():
    backbone = untrained().double().eval()
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).double().eval()
    weights = backbone.network.state_dict()
    network.load_state_dict({k.replace(".layer.", "."): v for k, v in weights.items()})
    images = torch.rand(1, 3, 64, 96, dtype=torch.double)
    with torch.no_grad():
        features = backbone(images)
        assert_close(features, network.forward_features(2 * images - 1))
    assert features.shape == (1, 1280, 2, 3)


@pytest.mark.parametrize(
    ("name", "frozen", "message"),
    [
        # This one has no weights anywhere, so that the test needs no network to fail.
        ("darknet17", None, r"'darknet17' .* use `system\.backbone\.name=eff"),
        ("resnet1O1", 0, "expected 'efficientnet_lite0' or a timm model .*, got 'resnet1O1'"),
        ("test_resne", 0, r"got 'test_resne'; did you mean one of \['test_resnet'"),
        (
            "coat_tiny",
            0,
            r"feature grid \(B, D, h, w\), D = 152, .* 'coat_tiny', which returns list",
        ),
        (
            "hiera_tiny_224",
            0,
            r"which returns \(1, 49, 768\) and .*normalization .* not supported",
        ),
        ("test_vit", 7, "expected at most 6 as .*, the stages of 'test_vit' that .*, got 7"),
        ("gmixer_12_224", 1, "frozen_stages=0` for 'gmixer_12_224', which cannot be split"),
        (EMBEDDED, 8, "expected at most 7 as .*, the stages of 'efficientnet_lite0' .* got 8"),
        ("test_resnet", 5, "expected at most 4 as .*, the stages of 'test_resnet' .* got 5"),
        ("regnetx_002", 1, "expected at most 0 as .*, the stages of 'regnetx_002' .* got 1"),
        ("tiny_skipping", 1, "frozen_stages=0` for 'tiny_skipping', whose stages are no sequence"),
    ],
)
def test_encoders_without_weights_a_grid_or_enough_stages_are_refused(name, frozen, message):
    with pytest.raises(DataError, match=message):
        build_backbone(BackboneConfig(name=name)) if frozen is None else untrained(name, frozen)
