import threading
import time
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from encoder_families import SMALL
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn import encoder_weights
from tagsight.nn.encoder_weights import create_encoder, missing_weights

DINO = SMALL["vit_small_patch14_reg4_dinov2"]


def read(name: str, path: Path) -> nn.Module:
    return create_encoder(BackboneConfig(name=name, weights=str(path)))


def tensors_of(name: str, **options: object) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return timm.create_model(name, **options).state_dict()


def test_weights_under_timm_s_names_are_read_without_their_classifier(tmp_path, caplog):
    tensors = tensors_of("test_vit")
    save_file({key: value.half() for key, value in tensors.items()}, tmp_path / "a.safetensors")
    torch.save({"state_dict": tensors}, tmp_path / "a.pth")
    for file in ("a.safetensors", "a.pth"):
        network = read("test_vit", tmp_path / file)
        for key, value in network.state_dict().items():
            assert value.dtype == torch.float32
            assert_close(value, tensors[key], rtol=1e-3, atol=1e-4)
    assert not caplog.records


def test_weights_under_the_original_project_s_names_are_translated(tmp_path):
    """Those of ConvNeXt's authors, whose layers timm calls otherwise."""
    tensors = tensors_of("test_convnext")
    changes = {
        "stages.": "stages.",
        ".blocks.": ".",
        "conv_dw": "dwconv",
        "mlp.fc1": "pwconv1",
        "mlp.fc2": "pwconv2",
        "stem.": "downsample_layers.0.",
        "head.fc": "head",
        "head.norm": "norm",
    }
    renamed = {}
    for key, value in tensors.items():
        theirs = key
        for ours, other in changes.items():
            theirs = theirs.replace(ours, other)
        parts = theirs.split(".")
        if "downsample" in parts:
            theirs = ".".join(["downsample_layers", parts[1], *parts[3:]])
        renamed[theirs] = value
    torch.save({"model": renamed}, tmp_path / "original.pth")
    network = read("test_convnext", tmp_path / "original.pth")
    for key, value in network.state_dict().items():
        assert torch.equal(value, tensors[key]), key


def test_positions_of_another_resolution_are_resampled(tmp_path):
    save_file(tensors_of("test_vit", img_size=224), tmp_path / "large.safetensors")
    network = read("test_vit", tmp_path / "large.safetensors")
    assert network.state_dict()["pos_embed"].shape[1] == 1 + 10 * 10


def test_tensors_that_are_left_over_are_reported(tmp_path, caplog):
    save_file(
        {**tensors_of("test_vit"), "projection.weight": torch.ones(2)},
        tmp_path / "more.safetensors",
    )
    read("test_vit", tmp_path / "more.safetensors")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the encoder test_vit does not use projection.weight" in caplog.text


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("test_vit", {"norm.bias": torch.ones(3)}, r"norm.bias \(3,\) instead of \(64,\) is of"),
        (
            "test_resnet",
            {},
            r"more are missing and .* left over; choose the `system.backbone.name`",
        ),
        ("test_vit", {"norm.weight": None}, r"a file in which norm.weight is missing;"),
    ],
)
def test_weights_of_another_encoder_are_refused(tmp_path, name, changed, message):
    tensors = {k: v for k, v in (tensors_of("test_vit") | changed).items() if v is not None}
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(DataError, match=message):
        read(name, tmp_path / "a.safetensors")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    for name in ("damaged.safetensors", "damaged.pth"):
        (tmp_path / name).write_bytes(b"no tensors")
        with pytest.raises(DataError, match=f"{name}, which cannot be read: .*[a-z]{{3}}"):
            read("test_vit", tmp_path / name)
    torch.save(time.sleep, tmp_path / "code.pth")
    with pytest.raises(DataError, match=r"code\.pth, which cannot be read"):
        read("test_vit", tmp_path / "code.pth")
    with pytest.raises(DataError, match=r"absent\.pth': no such file"):
        read("test_vit", tmp_path / "absent.pth")
    with pytest.raises(DataError, match=r"expected imagenet, .* got 'imagnet': no such file"):
        create_encoder(BackboneConfig(name="test_vit", weights="imagnet"))
    with pytest.raises(DataError, match=r"only efficientnet_lite0, .* have embedded weights"):
        create_encoder(BackboneConfig(name="test_vit", weights="embedded"))


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_hub_that_cannot_be_reached_or_does_not_answer_is_told(monkeypatch, is_silent):
    missing_weights.cache_clear()
    answer, reason = threading.Event(), ".*"
    if is_silent:
        reason = "no answer within 0.01 seconds"
        monkeypatch.setattr(encoder_weights, "SECONDS", 0.01)
        monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: answer.wait())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        DataError, match=rf"'resnet34\.a1_in1k' are not .* cannot be reached \({reason}\); use"
    ):
        create_encoder(BackboneConfig(name="resnet34.a1_in1k", weights="hub"))
    answer.set()
    missing_weights.cache_clear()
