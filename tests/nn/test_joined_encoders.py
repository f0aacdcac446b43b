import pytest
import torch
from tiny_run import tiny_recipe
from torch.testing import assert_close

import tagsight as ts
from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone, encoder_size
from tagsight.nn.class_scores import GAIN

PAIRS = {
    "test_efficientnet+test_efficientnet_ln": 3,
    "test_resnet+test_nfnet": 2,  # normalised differently
    "test_convnext+test_resnet+test_convnext2": 1,
}
"""Encoders that can be joined, and some stages to freeze."""

PHOTOS = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
LITE = "efficientnet_lite0+efficientnet_lite1"


def random(*names: str, **changes: object) -> list:
    """Build encoders with random weights, which are the same whether they are joined or not."""
    torch.manual_seed(0)
    settings = {"weights": "none", "frozen_stages": 0, **changes}
    return [build_backbone(BackboneConfig(name=name, **settings)).eval() for name in names]


@pytest.mark.parametrize("normalization", ["pretrained", "none"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_cell_has_the_features_of_each_encoder(name, normalization):
    (joined,) = random(name, normalization=normalization)
    alone = random(*name.split("+"), normalization=normalization)
    expected = torch.cat([one(PHOTOS) for one in alone], 1)
    assert_close(joined(PHOTOS), expected, rtol=1e-3, atol=1e-5)
    assert joined.channels == sum(one.channels for one in alone)
    assert joined.stride == alone[0].stride


@pytest.mark.parametrize("name", PAIRS)
def test_stages_of_joined_encoders_can_be_frozen(name):
    (whole,), (split,) = random(name), random(name, frozen_stages=PAIRS[name])
    assert_close(split(PHOTOS), whole(PHOTOS))
    assert_close(split.from_frozen(split.to_frozen(PHOTOS)), whole(PHOTOS))
    assert not any(weight.requires_grad for weight in split.frozen.parameters())
    assert any(weight.requires_grad for weight in split.network.rest.parameters())
    assert 0 < len(split.layers()) < len(whole.layers())


def test_joined_encoders_say_their_classes_by_the_mean_of_their_logits():
    joined, *alone = (
        build_backbone(BackboneConfig(name=name, class_scores=True)).eval()
        for name in (LITE, *LITE.split("+"))
    )
    features, scores = joined(PHOTOS).split([joined.first_class, 1000], 1)
    grids = [one(PHOTOS) for one in alone]
    assert_close(features, torch.cat([grid[:, :1280] for grid in grids], 1))
    logits = [2 * (grid[:, 1280:] / GAIN).log() for grid in grids]  # up to a constant
    assert_close(scores, GAIN * (sum(logits) / 2).softmax(1).sqrt(), rtol=1e-3, atol=1e-5)


def test_a_model_of_joined_encoders_is_trained_saved_and_opened(tmp_path, collection):
    settings = {"backbone.name": "test_resnet+test_convnext", "backbone.frozen_stages": 2}
    recipe, run = tiny_recipe("gcam", epochs=1), tmp_path / "run"
    trained = ts.train(collection, recipe=recipe, settings=settings, out=run, progress=False)
    photo = collection.paths[0]
    assert_close(ts.load(run / "model")(photo).scores, trained.model(photo).scores)


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("test_resnet+test_efficientnet", "none", "the same number of stages"),
        ("test_vit+test_vit2", "none", "last grids of one size"),
        ("test_resnet+swin_tiny_patch4_window7_224", "none", "last grids of one size"),
        ("test_resnet+test_byobnet", "none", "grids of one size after each stage"),
        ("regnetx_002+regnetx_004", "none", "the same number of stages"),
        ("test_resnet+test_resnet", "none", "at most 4 different encoders"),
        ("test_resnet+", "none", "at most 4 different encoders"),
        ("+".join(f"test_vit{place}" for place in range(500)), "none", "at most 4 different"),
        (LITE, "weights.pth", "got the file 'weights.pth'"),
    ],
)
def test_encoders_that_cannot_be_joined_are_refused(name, weights, words):
    config = BackboneConfig(name=name, weights=weights)
    with pytest.raises(DataError, match=words) as refusal:
        build_backbone(config)
    if "at most" in words:  # also where a model folder names them
        with pytest.raises(DataError, match=words):
            encoder_size(config)
    assert "system.backbone" in str(refusal.value)
