import pytest
import timm
import torch
from encoder_families import SMALL
from safetensors.torch import save_file
from test_backbones import untrained
from torch.nn.functional import interpolate
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone, encoder_size, skip_initial_weights
from tagsight.nn.class_scores import GAIN
from tagsight.nn.encoder_weights import EMBEDDED
from tagsight.nn.views import ORIGINAL, FrozenFeatures

IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))

MIXER = ("gmixer_12_224", 0)
"""Its tokens are classified by their mean."""


def settings(name, **more):
    return BackboneConfig(name=name, class_scores=True, **more)


def test_scores_are_those_of_the_classifier_that_came_with_the_weights(tmp_path):
    torch.manual_seed(1)
    whole = timm.create_model("test_resnet").eval()
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    file = str(tmp_path / "whole.safetensors")
    backbone = build_backbone(settings("test_resnet", weights=file, frozen_stages=2)).eval()
    plain = build_backbone(BackboneConfig(name="test_resnet", weights=file, frozen_stages=2)).eval()
    with torch.no_grad():
        grid, features = backbone(IMAGES), plain(IMAGES)
        images = (IMAGES - backbone.mean) / backbone.std
        assert backbone.channels == grid.shape[1] == plain.channels + whole.num_classes
        assert torch.equal(grid[:, : plain.channels], features)
        scores = (grid[:, plain.channels :] / GAIN).square()
        assert_close(scores.sum(1), torch.ones_like(scores[:, 0]))
        # The mean over cells of what was softened differs; that of the logits is the whole model's.
        logits = torch.einsum("bdhw,kd->bkhw", features, whole.fc.weight)
        assert_close(logits.mean((-2, -1)) + whole.fc.bias, whole(images))
        assert_close(scores, (logits + whole.fc.bias[:, None, None]).softmax(1))


@pytest.mark.parametrize(
    ("name", "frozen"),
    [("test_resnet", 0), ("test_resnet", 2), (SMALL["swin_tiny_patch4_window7_224"], 1), MIXER],
)
def test_frozen_features_give_the_same_scores(name, frozen):
    backbone = untrained(name, frozen=frozen, class_scores=True).eval()
    images = IMAGES if backbone.only_side is None else torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        features = FrozenFeatures({ORIGINAL: backbone.to_frozen(images)})
        grid = backbone(images)
        assert torch.equal(backbone(features), grid)
    assert grid.shape[1] == backbone.channels > 1000


def test_training_does_not_depend_on_class_scores_but_through_the_features():
    backbone = untrained("test_resnet", frozen=2, class_scores=True).train()
    grid = backbone(IMAGES)
    assert not list(backbone.class_scores.parameters())
    trained = [p for p in backbone.parameters() if p.requires_grad]
    of_scores = torch.autograd.grad(grid[:, -1000:].square().sum(), trained, retain_graph=True)
    of_features = torch.autograd.grad(grid[:, :-1000].square().sum(), trained)
    assert not any(gradient.any() for gradient in of_scores)
    assert any(gradient.any() for gradient in of_features)


def test_an_encoder_with_two_grids_has_scores_in_the_last():
    backbone = untrained("test_resnet", class_scores=True).eval()
    fused = untrained("test_resnet", class_scores=True, grid="fused").eval()
    fused.load_state_dict(backbone.state_dict())
    with torch.no_grad():
        middle, last = backbone.grids(IMAGES)
        assert torch.equal(last, backbone(IMAGES))
        assert middle.shape[1:] == (backbone.middle_channels, 4, 6)
        assert fused(IMAGES).shape[1:] == (fused.channels, 4, 6)
        enlarged = interpolate(last, scale_factor=2, mode="bilinear")
        assert_close(fused(IMAGES), torch.cat((enlarged, middle), 1))


def test_a_saved_encoder_needs_no_weights_and_says_its_size():
    chosen = settings(EMBEDDED)
    saved = build_backbone(chosen).state_dict()
    with skip_initial_weights():
        backbone = build_backbone(chosen)
    backbone.load_state_dict(saved)
    added = encoder_size(chosen) - encoder_size(BackboneConfig())
    assert added == 1000 * 1280 + 1000


@pytest.mark.parametrize(
    ("name", "grid"), [("test_vit", "last"), ("test_convnext", "last"), ("test_resnet", "middle")]
)
def test_encoders_without_such_a_classifier_do_without_and_say_so(name, grid, caplog):
    backbone = untrained(name, grid=grid, class_scores=True)
    assert list(backbone.state_dict()) == list(untrained(name, grid=grid).state_dict())
    assert f"{name} is used without class scores" in caplog.text


def test_a_file_without_the_classifier_is_refused(tmp_path):
    whole = timm.create_model("test_resnet", num_classes=0)
    save_file(whole.state_dict(), tmp_path / "headless.safetensors")
    with pytest.raises(DataError, match=r"fc\.bias, fc\.weight are missing.*class_scores=False"):
        build_backbone(settings("test_resnet", weights=str(tmp_path / "headless.safetensors")))
