import pytest
import timm
import torch

from tagsight.checkpoint.released.encoders import RESNETS, SWINS, TRESNETS, encoder_name
from tagsight.errors import DataError
from tagsight.nn.encoder_weights import known_name


@pytest.mark.parametrize("name", [*RESNETS.values(), *SWINS.values()])
def test_an_encoder_is_recognised_by_its_tensors(name):
    with torch.device("meta"):
        network = timm.create_model(name.removesuffix(".tv_in1k"), num_classes=0)
    assert encoder_name(network.state_dict()) == name


@pytest.mark.parametrize("name", [*RESNETS.values(), *TRESNETS.values(), *SWINS.values()])
def test_every_encoder_is_one_of_timm_s(name):
    assert known_name(name) == name


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["stage0.patch_embed.proj.weight"],
            r"a ResNet, TResNet or Swin .*, got CvT, with tensors",
        ),
        (["patch_embed.proj.weight", "cls_token"], r"got another, with tensors such as \['cls_tok"),
        (["layer1.0.conv1.weight"], r"resnet152.tv_in1k, got \(1, 0, 0, 0\) blocks$"),
        (
            ["body.conv1.0.weight", "body.layer1.0.conv3.0.weight"],
            r"tresnet_v2_xl, got \(1, 0, 0, 0\) blocks with bottlenecks",
        ),
    ],
)
def test_other_encoders_are_refused(names, message):
    with pytest.raises(DataError, match=message):
        encoder_name(dict.fromkeys(names, torch.ones(1)))
