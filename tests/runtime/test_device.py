import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from tagsight.errors import DataError
from tagsight.loading.transforms import on_device, squared
from tagsight.nn.views import stacked_pixels
from tagsight.runtime.device import Runtime

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def test_a_device_is_always_found():
    runtime = Runtime.choose(photo_memory=1000)
    assert runtime.photo_memory == 1000
    assert str(replace(runtime, precision="bfloat16")).endswith(" in bfloat16")
    assert runtime.device.type in {"cpu", "cuda"}
    assert runtime.precision in PRECISIONS
    assert 1 <= runtime.workers <= max(16, os.cpu_count() or 1)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_a_device_that_is_not_here_is_refused(device):
    with pytest.raises(DataError, match=f"a device of this machine .*, got '{device}'"):
        Runtime.choose(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_none_is_offered():
    with pytest.raises(DataError, match=r"^no CUDA device here: expected .* such as 'cpu', got 'c"):
        Runtime.choose("cuda")
    with pytest.raises(DataError) as refused:
        Runtime.choose("mps")
    assert "cuda" not in str(refused.value)


@pytest.mark.parametrize(("precision", "dtype"), PRECISIONS.items())
def test_convolutions_run_in_the_chosen_precision(precision, dtype):
    runtime = Runtime.choose("cpu", precision)
    with runtime.autocast():
        features = torch.nn.Conv2d(3, 2, 1)(torch.rand(1, 3, 4, 4))
    assert features.dtype == dtype


def test_the_threads_of_a_pipeline_share_the_processors_and_give_them_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(6)
        runtime = Runtime.choose("cpu", workers=3)
        shares = runtime.pipeline(lambda _: torch.get_num_threads(), int, range(5))
        assert list(shares) == [2] * 5
        assert torch.get_num_threads() == 6
        left_early = runtime.pipeline(lambda _: torch.get_num_threads(), int, range(100))
        assert next(iter(left_early)) == 2
        left_early.close()
        assert torch.get_num_threads() == 6
    finally:
        torch.set_num_threads(before)


def test_a_batch_of_photos_has_its_channels_together(tmp_path):
    photos = [Image.effect_noise((50 + place, 40), 60).convert("RGB") for place in range(3)]
    warped = [squared(photo, 32) for photo in photos]
    batch = stacked_pixels(warped)
    images = on_device(batch, Runtime.choose("cpu"))
    assert torch.equal(batch, torch.stack(warped))
    assert_close(images, batch.float() / 255)
    for made in (batch, images):
        assert made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").exists() or platform.machine() != "x86_64",
    reason="Linux on x86 tells what its processor can do",
)
def test_training_takes_bfloat16_by_default_only_where_the_processor_multiplies_in_it():
    flags = Path("/proc/cpuinfo").read_text().split()
    native = "avx512_bf16" in flags
    assert Runtime.choose("cpu").precision == ("bfloat16" if native else "float32")
