from __future__ import annotations

import os

import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.runtime import Runtime

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def test_a_device_is_always_found():
    runtime = Runtime.choose()
    assert runtime.device.type in {"cpu", "cuda"}
    assert runtime.precision in PRECISIONS
    assert 1 <= runtime.workers <= max(16, os.cpu_count() or 1)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "hpu", "", "xla"])
def test_a_device_that_is_not_here_is_refused(device: str):
    with pytest.raises(DataError, match=f"a device of this machine .*, got '{device}'"):
        Runtime.choose(device)


@pytest.mark.parametrize(("precision", "dtype"), PRECISIONS.items())
def test_convolutions_run_in_the_chosen_precision(precision: str, dtype: torch.dtype):
    runtime = Runtime.choose("cpu", precision)
    with runtime.autocast():
        features = torch.nn.Conv2d(3, 2, 1)(torch.rand(1, 3, 4, 4))
    assert features.dtype == dtype


def test_images_come_as_floats_from_0_to_1_with_channels_last():
    runtime = Runtime.choose("cpu")
    batch = torch.arange(0, 240, 2, dtype=torch.uint8).reshape(2, 3, 4, 5)
    images = runtime.images(batch)
    assert_close(images, batch.float() / 255)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_workers_and_memory_can_be_set():
    runtime = Runtime.choose("cpu", workers=5, photo_memory=1000)
    assert (runtime.workers, runtime.photo_memory) == (5, 1000)


def test_a_runtime_says_what_it_is():
    assert str(Runtime.choose("cpu", "bfloat16")) == "cpu in bfloat16"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["resnet", "gcam"])
def test_half_precision_is_close_to_full_precision(name: str, precision: str):
    """On the encoder that users run, in all that a recognition holds and in the losses."""
    system = tiny_system(name, backbone=BackboneConfig()).eval()
    images, targets = drawn(4, side=64)
    with torch.no_grad():
        exact, expected = system(images), system.losses(images, targets)
        with Runtime.choose("cpu", precision).autocast():
            answer, losses = system(images), system.losses(images, targets)
    for half, full in zip(answer, exact, strict=True):
        assert half.dtype == torch.float32
        assert (half - full).std() < 0.1 * full.std()
    assert_close(losses, expected, rtol=0.1, atol=0.01)
