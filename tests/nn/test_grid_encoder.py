"""The grids of an encoder, its layers in order, and gradients that are computed twice."""

import pytest
import torch
from encoder_families import SMALL
from tiny import label_space, tiny_system
from torch.nn.functional import interpolate
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone, encoder_size
from tagsight.nn.encoder_base import Backbone
from tagsight.systems.base import with_layer_decay

DINOV2, DINOV3 = SMALL["vit_small_patch14_dinov2"], SMALL["vit_small_patch16_dinov3"]
SWIN = SMALL["swin_tiny_patch4_window7_224"]


def untrained(name: str, frozen: int = 1, **settings: object) -> Backbone:
    torch.manual_seed(0)
    values = {"name": name, "weights": "none", "frozen_stages": frozen} | settings
    return build_backbone(BackboneConfig.model_validate(values)).eval()


def image(side: int = 128) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_resnet", "test_convnext", SWIN])
def test_the_middle_and_the_fused_grid_are_those_of_the_stages(name):
    plain = untrained(name)
    fused, middle = (untrained(name, grid=grid) for grid in ("fused", "middle"))
    with torch.no_grad():
        finer, last = plain.grids(image())
        assert_close(middle(image()), finer)
        enlarged = interpolate(last, scale_factor=2, mode="bilinear")
        assert_close(fused(image()), torch.cat((enlarged, finer), dim=1))
        for backbone in (fused, middle):
            grid = backbone(image())
            assert grid.shape[1] == backbone.channels == backbone.middle_channels
            assert 2 * backbone.stride == plain.stride
            assert_close(backbone.grids(image()), (grid, grid))
            assert_close(backbone.from_frozen(backbone.to_frozen(image())), grid)
    size = sum(tensor.numel() for tensor in middle.state_dict().values())
    assert size < sum(tensor.numel() for tensor in plain.state_dict().values())
    needed = encoder_size(BackboneConfig(name=name, frozen_stages=1, grid="middle"))
    assert needed == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_resnet"])
def test_dilation_makes_the_cells_smaller_with_the_same_weights(name):
    weights = "embedded" if name == "efficientnet_lite0" else "none"
    plain, dilated = (untrained(name, output_stride=stride, weights=weights) for stride in (32, 16))
    pairs = zip(plain.state_dict().values(), dilated.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert dilated.stride == 16
    with torch.no_grad():
        assert plain(image()).shape == (1, plain.channels, 4, 4)
        assert dilated(image()).shape == (1, plain.channels, 8, 8)


@pytest.mark.parametrize(
    ("name", "frozen", "settings", "message"),
    [
        (DINOV2, 1, {"grid": "fused"}, "grid=last` for 'small_vit_small_.* no grid of half"),
        ("test_resnet", 4, {"grid": "middle"}, "grid=last` for 'test_resnet', which has no grid"),
        (DINOV2, 1, {"output_stride": 16}, r"output_stride=32` for .* got 16: .*output_stride"),
        ("test_coatnet", 0, {"output_stride": 8}, "output_stride=32` for 'test_coatnet'"),
    ],
)
def test_grids_that_an_encoder_does_not_have_are_refused(name, frozen, settings, message):
    with pytest.raises(DataError, match=message):
        untrained(name, frozen, **settings)


@pytest.mark.parametrize("grid", ["middle", "fused"])
def test_maps_of_other_grids_average_to_their_logits(grid):
    backbone = BackboneConfig(name="test_resnet", weights="none", frozen_stages=1, grid=grid)
    system = tiny_system("gcam", backbone=backbone).eval()
    with torch.no_grad():
        recognition = system(image())
    assert recognition.maps.shape[-2:] == (8, 8)
    assert_close(recognition.maps.mean((-2, -1)), recognition.logits)


@pytest.mark.parametrize("name", ["test_nfnet", "test_resnet"])
@pytest.mark.parametrize("frozen", [1, 2])
def test_two_grids_are_those_of_the_whole_network_with_frozen_stages(name, frozen):
    whole, parts = untrained(name, 0), untrained(name, frozen)
    with torch.no_grad():
        assert_close(parts.grids(image()), whole.grids(image()))


@pytest.mark.parametrize(
    "name", [DINOV2, DINOV3, SWIN, "efficientnet_lite0", "test_resnet", "test_convnext"]
)
@pytest.mark.parametrize("frozen", [0, 1])
def test_gradients_are_the_same_if_features_are_computed_again(name, frozen):
    side = 4 * untrained(name).stride
    gradients = []
    for again in (False, True):
        backbone = untrained(name, frozen)
        if again:
            backbone.checkpoint_gradients()
        grid = backbone(image(side))
        grid.square().mean().backward()
        kept = {key: p.grad for key, p in backbone.named_parameters() if p.grad is not None}
        gradients.append(kept)
    assert gradients[0]
    assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "frozen", "count"),
    [
        (DINOV2, 0, 5),  # patches, three blocks, norm
        (DINOV2, 1, 3),
        (SWIN, 0, 6),  # patches, four stages, norm
        ("test_resnet", 0, 5),  # stem and four stages
        ("efficientnet_lite0", 4, 4),  # three stages, and the last convolution
    ],
)
def test_each_layer_of_an_encoder_learns_at_a_fraction_of_the_rate_of_the_next(name, frozen, count):
    backbone = BackboneConfig(name=name, weights="none", frozen_stages=frozen)
    system = tiny_system("resnet", label_space(), backbone=backbone)
    groups = with_layer_decay(system.parameter_groups(1.0, 0.5), system.backbone, 0.5)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    layers = system.backbone.layers()
    assert len(layers) == count
    for place, layer in enumerate(layers):
        assert {rates.pop(id(p)) for p in layer} == {0.5 * 0.5 ** (count - 1 - place)}
    assert set(rates.values()) == {1.0}
    trained = sum(p.requires_grad for p in system.parameters())
    assert sum(len(group["params"]) for group in groups) == trained


def test_an_encoder_whose_order_is_not_known_has_one_rate():
    system = tiny_system("resnet")
    with pytest.raises(DataError, match=r"training\.layer_decay=1` for 'tiny_equivariant'"):
        with_layer_decay(system.parameter_groups(1.0, 1.0), system.backbone, 0.5)
