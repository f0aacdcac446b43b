import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from channels import NAMES, SIDE, Channels, channels_model
from PIL import Image
from tiny import COLOURS, tiny_system
from torch import nn

from tagsight.data.annotations import Annotations
from tagsight.errors import DataError
from tagsight.evaluation.faithfulness_report import ENCODER_PARTS, STEPS, measure_faithfulness
from tagsight.runtime.device import Runtime
from tagsight.systems.base import Recognition

RUNTIME = Runtime(torch.device("cpu"), "float32")


@pytest.fixture
def rows(tmp_path) -> Annotations:
    """Photos of one square each, and the last without a label."""
    shown = ["red", "green", "blue", "red", None]
    paths = []
    for place, name in enumerate(shown):
        photo = Image.new("RGB", (SIDE, SIDE))
        if name:
            colour = tuple(255 * (name == channel) for channel in NAMES)
            photo.paste(colour, (4 * place, 8, 4 * place + 4, 12))
        paths.append(tmp_path / f"{place}.png")
        photo.save(paths[-1])
    targets = torch.tensor([[int(name == channel) for channel in NAMES] for name in shown])
    return Annotations(NAMES, tuple(paths), targets, ("test",) * len(paths), "csv-columns")


class Sharp(Channels):
    """Sees only cells that are almost full of a colour, as a blurred photo has none."""

    sign = 1

    def forward(self, images):
        features = self.backbone(images)
        evidence = 900 * F.relu(features - 0.7)
        logits = evidence.mean((-2, -1)) - 2
        return Recognition(logits, self.sign * evidence, features.mean((-2, -1)))


class Inverted(Sharp):
    """Points at everything but the evidence."""

    sign = -1


class Learned(Channels):
    """Maps of weights, most of them of the encoder."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = [(nn.Conv2d(size, 16, 1), nn.ReLU()) for size in (3, 16, 16)]
        self.backbone = nn.Sequential(*(m for pair in layers for m in pair), nn.AvgPool2d(4))
        self.mixing = nn.Conv2d(16, len(NAMES), 1)

    def forward(self, images):
        maps = self.mixing(self.backbone(images))
        return Recognition(maps.mean((-2, -1)), maps, maps.mean((-2, -1)))


def measured(rows: Annotations, photos: int = 9, **options: Any) -> dict[str, Any]:
    model = channels_model(options.pop("system", None), temperature=2.0)
    return measure_faithfulness(model, rows, RUNTIME, photos, **options)


def test_maps_that_show_what_the_score_is_made_of_are_faithful_and_their_opposite_is_not(rows):
    right, wrong = (measured(rows, system=system) for system in (Sharp(), Inverted()))
    assert right["deletion"] < right["chance"]["deletion"] < wrong["deletion"]
    assert right["insertion"] > right["chance"]["insertion"] > wrong["insertion"]
    assert (right["photos"], right["pairs"]) == (4, 4)
    for report in (right, wrong):
        assert report["deletion_interval"] == [None, None]  # the photos are all alike
    json.dumps(right, allow_nan=False)


class Counting(Channels):
    """Keeps what it is shown, and says how red it is."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[torch.Tensor] = []

    def forward(self, images):
        self.shown.append(images)
        return super().forward(images)


def test_curves_go_from_the_photo_to_its_mean_and_from_its_blur_to_the_photo(rows):
    system = Counting()
    measured(rows.select([0]), system=system)
    one, deleted, inserted, *_ = system.shown
    (image,) = one
    assert len(deleted) == len(inserted) == STEPS + 1
    assert deleted[0].equal(image)
    assert inserted[-1].equal(image)
    assert torch.allclose(deleted[-1], image.mean((1, 2), keepdim=True).expand_as(image))
    assert inserted[0].mean() == pytest.approx(image.mean().item(), rel=0.05)
    assert not torch.allclose(inserted[0], image, atol=0.05)
    same = (deleted == image).all(1).float().mean((1, 2))
    assert (same.diff() <= 0).all()


@pytest.mark.parametrize("name", ["knn", "query2label", "multi-evidence"])
def test_systems_that_remember_attend_and_draw_regions_can_be_measured(rows, name):
    system = tiny_system(name)
    known = replace(rows, names=tuple(COLOURS), targets=torch.eye(5, dtype=torch.long))
    model = channels_model(system, names=tuple(COLOURS))
    report = measure_faithfulness(model, known, RUNTIME, 1)
    assert 0 <= report["deletion"] <= 100
    assert 0 <= report["insertion"] <= 100
    assert all(-1 <= value <= 1 for value in report["randomised"].values() if value is not None)


def test_photos_are_drawn_by_the_seed_and_each_is_told(rows):
    done: list[int] = []
    first, again = (measured(rows, 2, seed=1, progress=done.append) for _ in range(2))
    assert first == again
    assert first["photos"] == 2
    assert done == [1, 2] * 2


def test_maps_change_with_the_weights_from_the_last_layer_to_the_first(rows):
    noise = np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
    for path in rows.paths:
        Image.fromarray(noise).save(path)
    system = Learned()
    before = [parameter.clone() for parameter in system.parameters()]
    found = measured(rows, system=system)["randomised"]
    parts = [f"encoder {part}/{ENCODER_PARTS}" for part in range(1, ENCODER_PARTS + 1)]
    assert list(found) == ["classifier", *parts]
    assert all(abs(value) < 0.999 for value in found.values())
    assert len(set(found.values())) > 1
    assert all(map(torch.equal, before, system.parameters())), "the system itself is left alone"
    # Maps without any weights are the same whatever the weights are: nothing to tell.
    assert measured(rows)["randomised"] == {}


def test_grad_cam_is_measured_by_the_same_rule(rows):
    report = measured(rows, 2, source="grad-cam", system=Learned())
    assert report["source"] == "grad-cam"
    assert 0 <= report["deletion"] <= 100


def test_photos_without_a_present_label_are_refused(rows):
    with pytest.raises(DataError, match="expected photos with a present label"):
        measured(rows.select([4]))
