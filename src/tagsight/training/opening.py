"""Opening message of a run: what it trains, why, on what, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.runtime.amounts import amount
from tagsight.systems.recipes import TIMED_PHOTOS

if TYPE_CHECKING:
    from tagsight.config import Recipe, TrainConfig
    from tagsight.data.annotations import Annotations
    from tagsight.runtime.device import Runtime


class Suited(NamedTuple):
    """Training that suits the photos there are.

    Attributes:
        training: Of a recipe, with other epochs where photos are few.
        remarks: What was changed and why, in a sentence each.
    """

    training: TrainConfig
    remarks: tuple[str, ...] = ()


def for_few_photos(training: TrainConfig, annotations: Annotations) -> Suited:
    """Give few photos more epochs, and choose no epoch by few validation photos.

    Args:
        training: As the recipe has it.
        annotations: The photos, with splits. Validation photos count if they have a label.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.config import TrainConfig
        >>> training = TrainConfig(epochs=8, batch_size=8, least_steps=30, least_validation=100)
        >>> rows = ts.read_annotations("labels.csv")
        >>> few, remarks = for_few_photos(training, rows)
        >>> rows.split_sizes["train"], few.epochs, few.selection
        (16, 15, 'last')
        >>> remarks[0].partition(":")[0]
        '8 epochs of 16 photos are only 16 steps'
    """
    remarks = []
    photos = annotations.split_sizes.get("train", 0)
    suited = training.long_enough(photos)
    if suited.epochs > training.epochs:
        steps, enough = training.steps(photos), suited.steps(photos)
        remarks.append(
            f"{amount(training.epochs, 'epoch')} of {amount(photos, 'photo')} are only "
            f"{amount(steps, 'step')}: training takes {amount(suited.epochs, 'epoch')}, {enough} "
            "steps, unless you choose `epochs`"
        )
    has_split = "val" in annotations.split_sizes
    targets = annotations.rows("val").targets if has_split else annotations.targets[:0]
    validation = int((targets == 1).any(1).sum())
    if training.selection == "best" and 0 < validation < training.least_validation:
        remarks.append(
            f"{amount(validation, 'validation photo')} are too few to choose an epoch by: the last "
            "one is kept, unless you set `training.least_validation` to 0"
        )
        suited = suited.model_copy(update={"selection": "last"})
    return Suited(suited, tuple(remarks))


def opening_line(recipe: Recipe, training: TrainConfig, photos: int, runtime: Runtime) -> str:
    """Describe what is trained, why, on what, and how long it takes.

    Args:
        recipe: As chosen; its minutes are for its epochs.
        training: With the epochs that are taken.
        photos: Training photos.
        runtime: Device, precision, processes.

    Example:
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.systems.catalogue import RECIPES
        >>> recipe = RECIPES["resnet-cpu"].model_copy(update={"minutes": 40})
        >>> line = opening_line(recipe, recipe.training, 500, Runtime.choose("cpu", "float32"))
        >>> print(line)
        resnet-cpu (...): resnet on 500 photos at 448 pixels for 8 epochs, cpu in float32...
        >>> line.rpartition("; ")[-1]
        'about 10 minutes on two CPU cores'
    """
    reason = f" ({recipe.use})" if recipe.use else ""
    text = (
        f"{recipe.name}{reason}: {recipe.system} on {amount(photos, 'photo')} at "
        f"{training.image_size} pixels for {amount(training.epochs, 'epoch')}, {_place(runtime)}"
    )
    if recipe.minutes is None:
        return f"{text}; how long it takes was not measured: the first steps will tell"
    share = photos * training.epochs / (TIMED_PHOTOS * recipe.training.epochs)
    minutes = max(1, round(recipe.minutes * share))
    return f"{text}; about {amount(minutes, 'minute')} on two CPU cores"


def _place(runtime: Runtime) -> str:
    there = f"{runtime}"
    if runtime.device.type == "cpu" and not torch.cuda.is_available():
        there = f"{runtime}, as there is no CUDA device"
    count = runtime.processes.count
    return there if count == 1 else f"{there}, in {amount(count, 'process')}"
