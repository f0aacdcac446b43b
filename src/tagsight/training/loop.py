"""The training loop."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel

from tagsight.loading.transforms import on_device
from tagsight.runtime.processes import accumulating
from tagsight.runtime.step_share import StepShare
from tagsight.systems.base import with_layer_decay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch.optim import Optimizer

    from tagsight.config import TrainConfig
    from tagsight.loading.batches import Batch, TrainingBatches
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System


Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


class Step(NamedTuple):
    """One step of the optimiser.

    Attributes:
        epoch: Counted from 0.
        number: Steps done over all epochs, this one included.
        losses: Weighted terms of the loss, by name.
        lr: Learning rate of the new layers.
        photos_per_second: Throughput of this step, waiting for photos included.
        ends_epoch: Whether it is the last step of its epoch.
    """

    epoch: int
    number: int
    losses: dict[str, float]
    lr: float
    photos_per_second: float
    ends_epoch: bool


class Training:
    """The training loop: an iterator over its steps, which can be saved and resumed between them.

    The caller may evaluate the system between steps; it is put into training mode again before the
    next one. Of several processes each computes the gradients of its share of a step's photos.

    Args:
        system: On the runtime's device; trained in place.
        batches: The training photos.
        config: Optimiser, schedule and number of epochs.
        runtime: Device, precision, processes.

    Attributes:
        number: Steps done.

    Raises:
        DataError: If several processes cannot train the system together.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.config import TrainConfig
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.loading.augmentation import Augmentation
        >>> from tagsight.loading.batches import PhotoStore, TrainingBatches
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> rows, config = ts.read_annotations("labels.csv").rows("train"), TrainConfig(epochs=1)
        >>> photos = PhotoStore(rows.paths, 64, memory=0)
        >>> crops = Augmentation(64, crop=1.0, flip=False, seed=0)
        >>> batches = TrainingBatches(photos, rows.targets, crops, 8, workers=1)
        >>> system = build_system(RECIPES["resnet-cpu"], empty_label_space(rows.names))
        >>> training = Training(system, batches, config, Runtime.choose("cpu", "float32"))
        >>> [step.number for step in training], training.number
        ([1, 2], 2)
    """

    def __init__(
        self, system: System, batches: TrainingBatches, config: TrainConfig, runtime: Runtime
    ) -> None:
        self.number = 0
        self._system = system
        self._batches = batches
        self._config = config
        self._runtime = runtime
        self._losses = runtime.processes.synchronised(
            system.losses, system.train(), staged=system.staged
        )
        self._total = config.epochs * len(batches)
        self._optimizer = build_optimizer(system, config)
        self._schedule = build_schedule(self._optimizer, config, self._total, len(batches))
        scaled = runtime.precision == "float16"
        self._scaler = torch.amp.GradScaler(runtime.device.type, enabled=scaled)
        self._average = _moving_average(system, config.average) if config.average else None

    @property
    def candidate(self) -> System:
        """The system to evaluate and keep: the trained one, or its moving average."""
        return self._system if self._average is None else cast("System", self._average.module)

    def __iter__(self) -> Iterator[Step]:
        """Take the remaining steps.

        Raises:
            FloatingPointError: If the loss is not finite; that step is not taken.
            DataError: If a photo can no longer be read.
        """
        runtime, optimizer, per_epoch = self._runtime, self._optimizer, len(self._batches)
        for epoch in range(self.number // per_epoch, self._config.epochs):
            before = time.perf_counter()
            terms: Counter[str] = Counter()
            for batch in self._batches(epoch, start=self.number - epoch * per_epoch):
                if not terms:
                    optimizer.zero_grad()
                    rng_state = torch.get_rng_state()
                torch.set_rng_state(rng_state)  # all parts of a step draw the same views
                self._system.train()
                images, targets = on_device(batch.images, runtime), batch.targets.to(runtime.device)
                with nullcontext() if batch.ends_step else accumulating(self._losses):
                    with runtime.autocast(), self._share(batch).computed():
                        losses = self._losses(images, targets, self.number / self._total)
                    values = batch.share * torch.stack(list(losses.values()))
                    shares = runtime.processes.total(values.detach()).tolist()
                    if not math.isfinite(sum(shares)):
                        raise FloatingPointError(self._not_finite(losses, shares))
                    # Gradients are averaged over processes, but the shares of a step add up to 1.
                    self._scaler.scale(runtime.processes.count * values.sum()).backward()
                terms.update(dict(zip(losses, shares, strict=True)))
                if not batch.ends_step:
                    continue
                lr = optimizer.param_groups[0]["lr"]
                self._take_step()
                rate = len(batch.targets) / batch.share / (time.perf_counter() - before)
                ends_epoch = self.number % per_epoch == 0
                yield Step(epoch, self.number, dict(terms), lr, rate, ends_epoch)
                before, terms = time.perf_counter(), Counter()

    def _share(self, batch: Batch) -> StepShare:
        return StepShare(batch.places, self._config.seed, self.number, self._runtime.processes)

    def _take_step(self) -> None:
        if self._config.clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._system.parameters(), self._config.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self.number += 1
        if self._average is not None:
            self._average.update_parameters(self._system)

    def _not_finite(self, names: Iterable[str], values: Iterable[float]) -> str:
        terms = zip(names, values, strict=True)
        listed = ", ".join(f"{name} {value:.4g}" for name, value in terms)
        lr = self._optimizer.param_groups[0]["lr"]
        return (
            f"the loss is not finite at step {self.number + 1} ({listed}; learning rate {lr:.3g}); "
            "try a lower `training.lr`, `training.clip_norm=1`, or `precision=float32`"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on, generator states included."""
        cuda = self._runtime.device.type == "cuda"
        return {
            "number": self.number,
            **{name: part.state_dict() for name, part in self._parts().items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self._runtime.device) if cuda else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, so that the next step is the one after it."""
        self.number = state["number"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None and self._runtime.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self._runtime.device)

    def _parts(self) -> dict[str, _Part]:
        parts: dict[str, _Part] = {
            "system": self._system,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "scaler": self._scaler,
        }
        return parts if self._average is None else parts | {"average": self._average}


class _Part(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


def build_optimizer(system: System, config: TrainConfig) -> Optimizer:
    """Create the optimiser over the trained parameters.

    Args:
        system: Defines the parameter groups and their learning rates.
        config: Optimiser, learning rate and weight decay.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["resnet-cpu"], empty_label_space(["dog", "sky"]))
        >>> type(build_optimizer(system, RECIPES["resnet-cpu"].training)).__name__
        'AdamW'
    """
    wanted = system.parameter_groups(config.lr, config.backbone_lr_factor)
    wanted = with_layer_decay(wanted, system.backbone, config.layer_decay)
    groups: list[dict[str, Any]] = [{**group} for group in wanted if group["params"]]
    if config.decayed_parameters == "weights":
        decayed = [_subset(group, weights=True) for group in groups]
        undecayed = [_subset(group, weights=False) | {"weight_decay": 0.0} for group in groups]
        groups = [group for group in decayed + undecayed if group["params"]]
    lr, decay = config.lr, config.weight_decay
    match config.optimizer:
        case "sgd":
            # Fused SGD requires that all parameters of a group get gradients from the first step.
            fused = not system.staged
            return torch.optim.SGD(groups, lr, momentum=0.9, weight_decay=decay, fused=fused)
        case "adam":
            return torch.optim.Adam(groups, lr, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr, weight_decay=decay, fused=True)


def build_schedule(
    optimizer: Optimizer, config: TrainConfig, steps: int, steps_per_epoch: int
) -> LRScheduler:
    """Create the learning rate schedule, one value per step.

    Args:
        optimizer: Its groups have the highest learning rates.
        config: Kind of schedule, warm-up and decay.
        steps: Steps of the whole run.
        steps_per_epoch: Steps of an epoch.

    Example:
        >>> import torch
        >>> from tagsight.config import TrainConfig
        >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = build_schedule(sgd, TrainConfig(schedule="one_cycle"), 10, 5)
        >>> [round(rate, 2) for rate in schedule.get_last_lr()]
        [0.04]
    """
    if config.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        # OneCycleLR divides by zero if the warm-up ends exactly on the first step.
        rise = min(1.0, config.warmup + 1e-6)
        cycled = config.cycle_momentum
        # One step more than is taken: after the last step OneCycleLR computes one more rate.
        return OneCycleLR(optimizer, peaks, steps + 1, pct_start=rise, cycle_momentum=cycled)
    rising = max(1.0, config.warmup_epochs * steps_per_epoch)
    decay_every = config.decay_every * steps_per_epoch if config.schedule == "step" else math.inf

    def factor(step: int) -> float:
        return float(min(1.0, (step + 1) / rising) * config.decay_factor ** (step // decay_every))

    return LambdaLR(optimizer, factor)


def _moving_average(system: System, decay: float) -> AveragedModel:
    """Create an exponential moving average that gives the first, untrained weights little share."""

    @torch.no_grad()
    def average(kept: Tensors, new: Tensors, updates: Tensor | int) -> None:
        share = 1 - min(decay, float((1 + updates) / (10 + updates)))
        torch._foreach_lerp_(list(kept), list(new), share)

    return AveragedModel(system, multi_avg_fn=average, use_buffers=False)


def _subset(group: dict[str, Any], *, weights: bool) -> dict[str, Any]:
    parameters = [p for p in group["params"] if (p.ndim > 1) == weights]
    return {**group, "params": parameters}
