import copy
import math
from dataclasses import replace

import pytest
import torch
from tiny import drawn, saved_photos, tiny_system
from torch.testing import assert_close

from tagsight.config import BackboneConfig, TrainConfig
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.batches import PhotoStore, TrainingBatches
from tagsight.loading.transforms import on_device
from tagsight.runtime.device import Runtime
from tagsight.training.loop import Step, Training, build_optimizer, build_schedule

CPU = Runtime(torch.device("cpu"), "float32")
QUICK = TrainConfig(image_size=32, epochs=3, batch_size=8, lr=0.02, weight_decay=0.0)
CONSTANT = {"optimizer": "sgd", "schedule": "constant"}


def batches_in(folder, side: int = 32, size: int = 8, *, flip: bool = True) -> TrainingBatches:
    images, targets = drawn(16, side)
    photos = PhotoStore(saved_photos(folder, images), side, 10**9)
    return TrainingBatches(photos, targets, Augmentation(side, 1, flip, seed=0), size, workers=2)


@pytest.fixture
def batches(tmp_path):
    return batches_in(tmp_path)


def fit(system, batches, runtime: Runtime = CPU, **changes):
    return iter(Training(system, batches, QUICK.model_copy(update=changes), runtime))


def weights(module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def equal(first, second) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


def course(config: TrainConfig, steps: int, steps_per_epoch: int = 1):
    """The first group of the optimizer at each step."""
    optimizer = build_optimizer(tiny_system("resnet"), config)
    schedule = build_schedule(optimizer, config, steps, steps_per_epoch)
    taken = []
    for _ in range(steps):
        taken.append({**optimizer.param_groups[-1]})
        optimizer.step()
        schedule.step()
    return taken


def rates(config: TrainConfig, steps: int, steps_per_epoch: int = 1) -> list[float]:
    """The learning rate of each step, relative to the highest."""
    return [group["lr"] / config.lr for group in course(config, steps, steps_per_epoch)]


def test_a_step_says_where_it_is_with_its_rate_and_the_loss_before_it(batches):
    system = tiny_system("vac")
    first = next(iter(batches(0)))
    before = system.losses(on_device(first.images, CPU), first.targets, 0.0)["labels"].item()
    steps = list(fit(system, batches))
    assert steps[0].losses["labels"] == pytest.approx(before)
    assert [step.lr / QUICK.lr for step in steps] == pytest.approx(rates(QUICK, 6))
    places = [(step.epoch, step.number, step.ends_epoch) for step in steps]
    assert places == [(number // 2, number + 1, number % 2 == 1) for number in range(6)]
    assert all(step.losses.keys() == {"labels", "consistency"} for step in steps)
    assert all(step.photos_per_second > 0 for step in steps)


def test_training_is_the_plain_loop_over_its_batches(batches):
    system = tiny_system("resnet")
    reference = copy.deepcopy(system)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(2):
        for images, targets, *_ in batches(epoch):
            optimizer.zero_grad()
            reference.losses(on_device(images, CPU), targets)["labels"].backward()
            optimizer.step()
    list(fit(system, batches, **CONSTANT, epochs=2, lr=0.1))
    assert_close(weights(system), weights(reference))


def test_every_step_is_taken_in_training_mode(batches):
    system = tiny_system("resnet").eval()
    modes: list[bool] = []
    system.backbone.register_forward_hook(lambda module, *_: modes.append(module.training))
    for _ in fit(system, batches):
        system.eval()
    assert modes == [True] * 6


def test_a_loss_that_is_not_finite_leaves_the_weights_as_they_were(batches):
    """A rate far too high: some steps are taken, then none."""
    system = tiny_system("resnet")
    taken: list[tuple[Step, dict]] = []

    def train() -> None:
        for step in fit(system, batches, **CONSTANT, lr=1e12, epochs=50):
            taken.append((step, weights(system)))  # noqa: PERF401 (raises half way)

    with pytest.raises(FloatingPointError, match="not finite at step"):
        train()
    assert all(math.isfinite(sum(step.losses.values())) for step, _ in taken)
    assert equal(weights(system), taken[-1][1])


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_gradient_is_clipped_to_its_length(batches, precision):
    system = tiny_system("resnet")
    before = weights(system)
    runtime = replace(CPU, precision=precision)
    next(fit(system, batches, runtime, **CONSTANT, lr=1.0, clip_norm=0.01))
    moved = sum(((weights(system)[key] - before[key]) ** 2).sum() for key in before).sqrt()
    assert moved.item() == pytest.approx(0.01, rel=1e-2)


@pytest.mark.parametrize(("precision", "clip_norm"), [("bfloat16", None), ("float16", 1.0)])
def test_half_precision_takes_nearly_the_same_steps(batches, precision, clip_norm):
    curves = []
    for runtime in (CPU, replace(CPU, precision=precision)):
        torch.manual_seed(3)
        steps = fit(tiny_system("gcam"), batches, runtime, clip_norm=clip_norm)
        curves.append([step.losses["labels"] for step in steps])
    assert curves[1] == pytest.approx(curves[0], rel=0.1)


@pytest.mark.parametrize("warmup", [0, 0.05, 0.25, 0.9999999])
def test_one_cycle_is_defined_for_any_length(warmup):
    for steps in (1, 2, 3, 4, 9, 19, 50):
        course = rates(TrainConfig(schedule="one_cycle", warmup=warmup), steps)
        assert all(0 < rate <= 1 + 1e-9 for rate in course), steps
    assert warmup or course[0] > 0.99


RISING = [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]


@pytest.mark.parametrize(
    ("schedule", "warmup_epochs", "decay", "expected"),
    [
        ("constant", 0, (2, 0.5), [1] * 18),
        ("constant", 2, (2, 0.5), [*RISING, *[1] * 13]),
        ("step", 0, (2, 0.5), [*[1] * 6, *[0.5] * 6, *[0.25] * 6]),
        ("step", 2, (4, 0.1), [*RISING, *[1] * 7, *[0.1] * 6]),
    ],
)
def test_the_rate_of_each_step_by_warm_up_and_decay(schedule, warmup_epochs, decay, expected):
    settings = {"schedule": schedule, "warmup_epochs": warmup_epochs}
    config = TrainConfig(**settings, decay_every=decay[0], decay_factor=decay[1])
    assert rates(config, steps=18, steps_per_epoch=3) == pytest.approx(expected)


@pytest.mark.parametrize(("cycled", "first", "lowest"), [(False, 0.9, 0.9), (True, 0.95, 0.85)])
def test_one_cycle_peaks_after_its_warm_up_with_the_momentum_against_it_if_asked(
    cycled, first, lowest
):
    config = TrainConfig(optimizer="adam", warmup=0.2, cycle_momentum=cycled)
    taken = [(group["lr"] / config.lr, group["betas"][0]) for group in course(config, 50, 5)]
    peak = max(taken)
    assert taken.index(peak) == pytest.approx(10, abs=1)
    assert taken[-1][0] < 0.01
    momenta = [taken[0][1], peak[1], taken[-1][1]]
    assert [peak[0], *momenta] == pytest.approx([1, first, lowest, first], abs=1e-2)


@pytest.mark.parametrize(("optimizer", "decayed"), [("sgd", "all"), ("adamw", "weights")])
def test_weights_decay_and_biases_and_norms_if_they_are_meant_too(optimizer, decayed):
    whole = BackboneConfig(frozen_stages=0, freeze_batch_norm=False)
    system = tiny_system("resnet", backbone=whole)
    config = TrainConfig(optimizer=optimizer, decayed_parameters=decayed, weight_decay=0.05)
    groups = build_optimizer(system, config).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in system.named_parameters():
        if parameter.requires_grad:
            meant = decayed == "all" or (name.endswith("weight") and parameter.ndim > 1)
            assert decay[id(parameter)] == (0.05 if meant else 0.0), name
    assert optimizer != "sgd" or all(group["momentum"] == 0.9 for group in groups)


@pytest.mark.parametrize(("optimizer", "decoupled"), [("adam", False), ("adamw", True)])
def test_adam_adds_the_decay_to_the_gradient_and_adamw_takes_it_from_the_weights(
    optimizer, decoupled
):
    """One step without a gradient: Adam's own is as long as its rate, whatever the decay."""
    system = tiny_system("resnet")
    before = weights(system)
    settings = {"optimizer": optimizer, "decayed_parameters": "weights"}
    made = build_optimizer(system, TrainConfig(**settings, weight_decay=0.1, lr=0.01))
    for parameter in system.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.step()
    for name, parameter in system.named_parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            old = before[name]
            expected = 0.999 * old if decoupled else old - 0.01 * old.sign()
            assert_close(parameter.detach(), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("optimizer", "whole"), [("adamw", False), ("sgd", False), ("sgd", True)])
def test_the_optimizer_holds_just_what_is_trained_at_its_own_rate(optimizer, whole):
    system = tiny_system("gcam", backbone=BackboneConfig(), graph={"lr_factor": 3.0, "hidden": 8})
    system.backbone.requires_grad_(not whole)
    config = TrainConfig(optimizer=optimizer, lr=1e-3, backbone_lr_factor=0.1)
    groups = build_optimizer(system, config).param_groups
    held = {id(p): group["lr"] for group in groups for p in group["params"]}
    backbone = {id(p) for p in system.backbone.parameters()}
    trained = {id(p) for p in system.parameters() if p.requires_grad}
    assert held == pytest.approx({key: 1e-4 if key in backbone else 3e-3 for key in trained})
