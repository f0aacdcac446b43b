"""The training loop."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, StepLR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.optim import Optimizer

    from tagsight.batches import TrainingBatches
    from tagsight.config import TrainConfig
    from tagsight.runtime import Runtime
    from tagsight.systems import System
    from tagsight.views import Images


class Step(NamedTuple):
    """One step of the optimiser.

    Attributes:
        epoch: Counted from 0.
        number: Steps done, over all epochs.
        losses: The objective's terms by name, as weighted.
        lr: Learning rate of the new layers.
        photos_per_second: Over this step, waiting for photos included.
        ends_epoch: Whether it is the last of its epoch.
    """

    epoch: int
    number: int
    losses: dict[str, float]
    lr: float
    photos_per_second: float
    ends_epoch: bool


class Objective(nn.Module):
    """A system whose ``forward`` is its losses: what a distributed wrapper must see."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, images: Images, targets: Tensor, progress: float) -> dict[str, Tensor]:
        """Give the named terms of the objective."""
        return self.system.losses(images, targets, progress)


def fit(
    system: System, batches: TrainingBatches, config: TrainConfig, runtime: Runtime
) -> Iterator[Step]:
    """Train a system in place, a step at a time.

    The caller may evaluate between steps; the system is put into training mode again before the
    next.

    Args:
        system: On the runtime's device.
        batches: The training photos.
        config: Optimiser, schedule and length.
        runtime: Device and precision.

    Raises:
        FloatingPointError: If the loss is not finite; the step is not taken.
    """
    objective = Objective(system)
    optimizer = build_optimizer(system, config)
    total = config.epochs * len(batches)
    schedule = build_schedule(optimizer, config, total, len(batches))
    scaler = torch.amp.GradScaler(runtime.device.type, enabled=runtime.precision == "float16")
    number = 0
    for epoch in range(config.epochs):
        before = time.perf_counter()
        for images, targets in batches(epoch):
            system.train()
            with runtime.autocast():
                losses = objective(
                    runtime.images(images), targets.to(runtime.device), number / total
                )
            loss = torch.stack(list(losses.values())).sum()
            terms = {name: float(term.detach()) for name, term in losses.items()}
            lr = optimizer.param_groups[0]["lr"]
            if not math.isfinite(loss.item()):
                raise FloatingPointError(_not_finite(number, terms, lr))
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            if config.clip_norm is not None:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(system.parameters(), config.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            number += 1
            now = time.perf_counter()
            rate = len(targets) / (now - before)
            yield Step(epoch, number, terms, lr, rate, number % len(batches) == 0)
            before = time.perf_counter()


def build_optimizer(system: System, config: TrainConfig) -> Optimizer:
    """Make the optimiser over the parameters that are trained."""
    wanted = system.parameter_groups(config.lr, config.backbone_lr_factor)
    groups: list[dict[str, Any]] = [{**group} for group in wanted if group["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, weight_decay=config.weight_decay)
    spared = [_part(group, matrices=False) | {"weight_decay": 0.0} for group in groups]
    decayed = [_part(group, matrices=True) for group in groups]
    chosen = [group for group in decayed + spared if group["params"]]
    return torch.optim.AdamW(chosen, lr=config.lr, weight_decay=config.weight_decay)


def build_schedule(
    optimizer: Optimizer, config: TrainConfig, steps: int, steps_per_epoch: int
) -> LRScheduler:
    """Make the learning rate's course over all steps."""
    if config.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        # Torch divides by zero where the rise ends exactly on the first step.
        rise = min(1.0, config.warmup + 1e-6)
        # One more step than is taken: the schedule refuses to be asked for a rate after its end.
        return OneCycleLR(optimizer, peaks, steps + 1, pct_start=rise, cycle_momentum=False)
    if config.schedule == "step":
        return StepLR(optimizer, config.decay_every * steps_per_epoch, config.decay_factor)
    return ConstantLR(optimizer, factor=1.0)


def _part(group: dict[str, Any], *, matrices: bool) -> dict[str, Any]:
    parameters = [p for p in group["params"] if (p.ndim > 1) == matrices]
    return {**group, "params": parameters}


def _not_finite(number: int, terms: dict[str, float], lr: float) -> str:
    listed = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
    return (
        f"the loss is not finite at step {number + 1} ({listed}; learning rate {lr:.3g}); "
        "try a lower --training.lr, --training.clip_norm 1, or --precision float32"
    )
