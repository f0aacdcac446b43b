from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from tiny import drawn, saved_photos, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.config import BackboneConfig, TrainConfig
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import PhotoStore, TrainingBatches
from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime
from tagsight.training.loop import Step, Training, build_optimizer, build_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.optim import Optimizer

    from tagsight.systems.base import System

CPU = Runtime(torch.device("cpu"), "float32")
QUICK = TrainConfig(image_size=32, epochs=3, batch_size=8, lr=0.02, weight_decay=0.0)


@pytest.fixture
def batches(tmp_path: Path) -> TrainingBatches:
    images, targets = drawn(16)
    photos = PhotoStore(saved_photos(tmp_path, images), 32, 10**9)
    return TrainingBatches(photos, targets, Augmentation(32, 1, flip=True, seed=0), 8, workers=2)


def fit(
    system: System, batches: TrainingBatches, config: TrainConfig, runtime: Runtime
) -> Iterator[Step]:
    return iter(Training(system, batches, config, runtime))


def weights(system: System) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in system.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


def rates(config: TrainConfig, steps: int, steps_per_epoch: int = 1) -> list[float]:
    """The learning rate of each step, relative to the highest."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=config.lr)
    schedule = build_schedule(optimizer, config, steps, steps_per_epoch)
    taken = []
    for _ in range(steps):
        taken.append(optimizer.param_groups[0]["lr"] / config.lr)
        optimizer.step()
        schedule.step()
    return taken


def group_of(optimizer: Optimizer, parameter: nn.Parameter) -> dict[str, object]:
    (group,) = (g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
    return group


@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "left"),
    [("gcam", "adamw", 0.06, 0.5), ("resnet", "adam", 0.06, 0.5), ("gcam", "sgd", 0.2, 0.8)],
)
def test_the_loss_falls(
    batches: TrainingBatches, name: str, optimizer: str, lr: float, left: float
):
    config = QUICK.model_copy(update={"epochs": 50, "optimizer": optimizer, "lr": lr})
    losses = [sum(step.losses.values()) for step in fit(tiny_system(name), batches, config, CPU)]
    assert sum(losses[-4:]) < left * sum(losses[:4])


def test_the_embedded_encoder_learns_in_the_precision_of_the_machine(tmp_path: Path):
    """As users run it: most stages frozen, AdamW, one cycle."""
    images, targets = drawn(16, side=64)
    photos = PhotoStore(saved_photos(tmp_path, images), 64, 10**9)
    batches = TrainingBatches(photos, targets, Augmentation(64, 1, flip=False, seed=0), 16, 2)
    system = tiny_system("resnet", backbone=BackboneConfig())
    config = TrainConfig(image_size=64, epochs=10, batch_size=16, lr=1e-3)
    losses = [s.losses["labels"] for s in fit(system, batches, config, Runtime.choose("cpu"))]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0] / 2


def test_a_step_says_where_it_is_with_its_rate_and_the_loss_before_it(batches: TrainingBatches):
    system = tiny_system("vac")
    first = next(iter(batches(0)))
    before = system.losses(on_device(first.images, CPU), first.targets, 0.0)["labels"].item()
    steps = list(fit(system, batches, QUICK, CPU))
    assert steps[0].losses["labels"] == pytest.approx(before)
    assert [step.lr / QUICK.lr for step in steps] == pytest.approx(rates(QUICK, 6))
    assert [(step.epoch, step.number, step.ends_epoch) for step in steps] == [
        (0, 1, False),
        (0, 2, True),
        (1, 3, False),
        (1, 4, True),
        (2, 5, False),
        (2, 6, True),
    ]
    assert all(step.losses.keys() == {"labels", "consistency"} for step in steps)
    assert all(step.photos_per_second > 0 for step in steps)


def test_training_is_the_plain_loop_over_its_batches(batches: TrainingBatches):
    system = tiny_system("resnet")
    reference = copy.deepcopy(system)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(2):
        for images, targets, *_ in batches(epoch):
            optimizer.zero_grad()
            reference.losses(on_device(images, CPU), targets)["labels"].backward()
            optimizer.step()
    update = {"epochs": 2, "optimizer": "sgd", "schedule": "constant", "lr": 0.1}
    list(fit(system, batches, QUICK.model_copy(update=update), CPU))
    assert_close(weights(system), weights(reference))


def test_every_step_is_taken_in_training_mode(batches: TrainingBatches):
    system = tiny_system("resnet").eval()
    modes: list[bool] = []
    system.backbone.register_forward_hook(lambda module, *_: modes.append(module.training))
    for _ in fit(system, batches, QUICK, CPU):
        system.eval()
    assert modes == [True] * 6


@pytest.mark.parametrize("views", ["all", "one"])
def test_neither_threads_nor_evaluation_between_steps_change_the_weights(
    batches: TrainingBatches, views: str
):
    ends = []
    for workers in (1, 4):
        torch.manual_seed(3)
        system = tiny_system("gcam", consistency={"views": views, "scale": 0.75})
        for _ in fit(system, replace(batches, workers=workers), QUICK, CPU):
            if workers == 4:
                with torch.no_grad():
                    system.eval()(drawn(2)[0])
        ends.append(weights(system))
    assert equal(*ends)


def test_a_loss_that_is_not_finite_leaves_the_weights_as_they_were(batches: TrainingBatches):
    """A rate far too high: some steps are taken, then none."""
    system = tiny_system("resnet")
    config = QUICK.model_copy(
        update={"lr": 1e12, "optimizer": "sgd", "schedule": "constant", "epochs": 50}
    )
    taken: list[Step] = []
    last = weights(system)

    def train() -> None:
        nonlocal last
        for step in fit(system, batches, config, CPU):
            taken.append(step)
            last = weights(system)

    with pytest.raises(FloatingPointError, match="not finite at step"):
        train()
    assert taken
    assert all(math.isfinite(sum(step.losses.values())) for step in taken)
    assert equal(weights(system), last)


def test_lambda_grows_as_the_training_proceeds(batches: TrainingBatches):
    system = tiny_system("vac", consistency={"ramp": 1.0, "scale": 0.75})
    # Nothing is learned, so that only lambda changes.
    config = QUICK.model_copy(update={"lr": 1e-12, "epochs": 2})
    still = replace(batches, size=16, augmentation=replace(batches.augmentation, flip=False))
    terms = [step.losses["consistency"] for step in fit(system, still, config, CPU)]
    assert terms[0] == 0
    assert terms[1] > 0


def test_unknown_photos_teach_nothing(batches: TrainingBatches):
    system = tiny_system("resnet")
    before = weights(system)
    unknown = replace(batches, targets=torch.full_like(batches.targets, -1))
    list(fit(system, unknown, QUICK, CPU))
    assert equal(weights(system), before)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_gradient_is_clipped_to_its_length(batches: TrainingBatches, precision: str):
    system = tiny_system("resnet")
    before = weights(system)
    update = {"optimizer": "sgd", "schedule": "constant", "lr": 1.0, "clip_norm": 0.01}
    config = QUICK.model_copy(update=update)
    next(fit(system, batches, config, replace(CPU, precision=precision)))
    moved = sum(((weights(system)[key] - before[key]) ** 2).sum() for key in before).sqrt()
    assert moved.item() == pytest.approx(0.01, rel=1e-2)


@pytest.mark.parametrize(("precision", "clip_norm"), [("bfloat16", None), ("float16", 1.0)])
def test_half_precision_takes_nearly_the_same_steps(
    batches: TrainingBatches, precision: str, clip_norm: float | None
):
    curves = []
    for runtime in (CPU, replace(CPU, precision=precision)):
        torch.manual_seed(3)
        config = QUICK.model_copy(update={"clip_norm": clip_norm})
        curves.append(
            [s.losses["labels"] for s in fit(tiny_system("gcam"), batches, config, runtime)]
        )
    assert curves[1] == pytest.approx(curves[0], rel=0.1)


def test_one_cycle_rises_to_the_peak_and_falls_to_nearly_0():
    course = rates(TrainConfig(schedule="one_cycle", warmup=0.2), steps=50)
    peak = course.index(max(course))
    assert peak == pytest.approx(10, abs=1)
    assert course[peak] == pytest.approx(1, abs=0.01)
    assert course[: peak + 1] == sorted(course[: peak + 1])
    assert course[peak:] == sorted(course[peak:], reverse=True)
    assert course[-1] < 0.01


@pytest.mark.parametrize("warmup", [0, 0.05, 0.1, 0.25, 0.9999999])
def test_one_cycle_is_defined_for_any_length(warmup: float):
    for steps in (1, 2, 3, 4, 9, 19, 50):
        course = rates(TrainConfig(schedule="one_cycle", warmup=warmup), steps)
        assert all(0 < rate <= 1 + 1e-9 for rate in course), steps
    assert warmup or course[0] > 0.99


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"schedule": "constant"}, [1] * 18),
        (
            {"schedule": "step", "decay_every": 2, "decay_factor": 0.5},
            [1] * 6 + [0.5] * 6 + [0.25] * 6,
        ),
        (
            {"schedule": "constant", "warmup_epochs": 2},
            [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6] + [1] * 13,
        ),
        (
            {"schedule": "step", "warmup_epochs": 2, "decay_every": 4, "decay_factor": 0.1},
            [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6] + [1] * 7 + [0.1] * 6,
        ),
    ],
)
def test_the_rate_of_each_step_by_warm_up_and_decay(
    settings: dict[str, object], expected: list[float]
):
    course = rates(TrainConfig.model_validate(settings), steps=18, steps_per_epoch=3)
    assert course == pytest.approx(expected)


def test_steps_after_a_warm_up_are_those_of_the_released_code_of_csra_but_for_its_first():
    """Its warm-up multiplies by ``t / n`` in the first two epochs, a step decay by 0.1 every 5."""
    config = TrainConfig(
        schedule="step", epochs=12, warmup_epochs=2, decay_every=5, decay_factor=0.1
    )
    released = [min(1, step / 8) * 0.1 ** (step // 4 // 5) for step in range(48)]
    ours = rates(config, steps=48, steps_per_epoch=4)
    assert ours[:7] == pytest.approx(released[1:8])
    assert ours[8:] == pytest.approx(released[8:])


@pytest.mark.parametrize(("cycled", "first", "lowest"), [(False, 0.9, 0.9), (True, 0.95, 0.85)])
def test_one_cycle_moves_the_momentum_against_the_rate_if_it_is_asked_to(
    cycled: bool, first: float, lowest: float
):
    config = TrainConfig(optimizer="adam", cycle_momentum=cycled)
    optimizer = build_optimizer(tiny_system("resnet"), config)
    schedule = build_schedule(optimizer, config, 50, 5)
    taken = []
    for _ in range(50):
        taken.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"][0]))
        optimizer.step()
        schedule.step()
    assert taken[0][1] == pytest.approx(first)
    assert max(taken)[1] == pytest.approx(lowest, abs=1e-3)
    assert taken[-1][1] == pytest.approx(first, abs=1e-3)


@pytest.mark.parametrize(("optimizer", "decayed"), [("sgd", "all"), ("adamw", "weights")])
def test_weights_decay_and_biases_and_norms_if_they_are_meant_too(optimizer: str, decayed: str):
    system = tiny_system(
        "resnet", backbone=BackboneConfig(frozen_stages=0, freeze_batch_norm=False)
    )
    config = TrainConfig(optimizer=optimizer, decayed_parameters=decayed, weight_decay=0.05)
    made = build_optimizer(system, config)
    for name, parameter in system.named_parameters():
        if parameter.requires_grad:
            meant = decayed == "all" or (name.endswith("weight") and parameter.ndim > 1)
            assert group_of(made, parameter)["weight_decay"] == (0.05 if meant else 0.0), name
    assert optimizer != "sgd" or all(group["momentum"] == 0.9 for group in made.param_groups)


@pytest.mark.parametrize(("optimizer", "decoupled"), [("adam", False), ("adamw", True)])
def test_adam_adds_the_decay_to_the_gradient_and_adamw_takes_it_from_the_weights(
    optimizer: str, decoupled: bool
):
    """One step without a gradient: Adam's own is as long as its rate, whatever the decay."""
    system = tiny_system("resnet")
    before = weights(system)
    config = TrainConfig(
        optimizer=optimizer, weight_decay=0.1, lr=0.01, decayed_parameters="weights"
    )
    made = build_optimizer(system, config)
    for parameter in system.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.step()
    for name, parameter in system.named_parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            old = before[name]
            expected = 0.999 * old if decoupled else old - 0.01 * old.sign()
            assert_close(parameter.detach(), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_optimizer_holds_just_what_is_trained_at_its_own_rate(optimizer: str):
    system = tiny_system("gcam", backbone=BackboneConfig(), graph={"lr_factor": 3.0, "hidden": 8})
    config = TrainConfig(optimizer=optimizer, lr=1e-3, backbone_lr_factor=0.1)
    held = {
        id(parameter): group["lr"]
        for group in build_optimizer(system, config).param_groups
        for parameter in group["params"]
    }
    backbone = {id(parameter) for parameter in system.backbone.parameters()}
    trained = {id(p) for p in system.parameters() if p.requires_grad}
    assert held.keys() == trained
    for key, rate in held.items():
        assert rate == pytest.approx(1e-4 if key in backbone else 3e-3)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_backbone_without_a_rate_stays_as_it_is(batches: TrainingBatches, optimizer: str):
    system = tiny_system("gcam")
    before = weights(system.backbone)
    update = {"backbone_lr_factor": 0.0, "optimizer": optimizer, "weight_decay": 0.1}
    list(fit(system, batches, QUICK.model_copy(update=update), CPU))
    assert equal(weights(system.backbone), before)


def test_a_system_whose_backbone_is_frozen_whole_can_be_trained(batches: TrainingBatches):
    system = tiny_system("resnet")
    system.backbone.requires_grad_(requires_grad=False)
    before = weights(system)
    list(fit(system, batches, QUICK, CPU))
    assert equal(
        weights(system.backbone), {k: before[f"backbone.{k}"] for k in weights(system.backbone)}
    )
    assert not torch.equal(system.classifier.weight, before["classifier.weight"])
