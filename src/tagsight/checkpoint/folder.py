"""The model folder: weights, settings and decision rule of a trained system, and nothing unpickled.

``model.safetensors`` holds the state of the system and, under ``labels.``, the tensors of its
`LabelSpace`; ``config.json`` all that is not a tensor; ``README.md`` says it to people. The three
are written together or not at all, and ``config.json`` knows the digest of the weights, so that
files of two models are not taken for one.
"""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tagsight.checkpoint.card import model_card
from tagsight.checkpoint.config import (
    CARD,
    CONFIG,
    WEIGHTS,
    ModelConfig,
    Preprocessing,
    about,
    check_preprocessing,
    check_replaceable,
    model_folder,
    read_config,
)
from tagsight.checkpoint.decision import Decision
from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.nn.backbones import encoder_size, skip_initial_weights
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import replacing_folder
from tagsight.runtime.version import __version__
from tagsight.systems.catalogue import GROUP, SYSTEMS, build_system, parse_recipe
from tagsight.systems.remembering import RememberingSystem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue
    from torch import Tensor

    from tagsight.config import Recipe
    from tagsight.systems.base import System

LONGEST_VECTOR = 2**14
"""Of a word; GloVe's are 300 long."""

LARGEST_SIDE = 2048
"""Of photos as a system may see them, in pixels."""

_LABELS = "labels."


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """What a model folder holds.

    Args:
        system: In evaluation mode, on the device that was asked for.
        labels: What the system was built with.
        decision: Thresholds and temperature.
        recipe: How it was trained.
        facts: What else was recorded: hashes of data and split, metrics.
        digest: Of the weights, hexadecimal SHA-256.
        folder: Where it was read, if it was.
    """

    system: System
    labels: LabelSpace
    decision: Decision
    recipe: Recipe
    facts: Mapping[str, JsonValue]
    digest: str
    folder: Path | None = None

    def to(self, device: torch.device) -> LoadedModel:
        """The same model on a device."""
        return replace(self, system=self.system.to(device))

    def at(self, image_size: int) -> LoadedModel:
        """The same model, which sees photos at another size than in training.

        Args:
            image_size: Side of the square that photos are resized to, in pixels.

        Raises:
            DataError: If it is not a multiple of the encoder's stride, or too large.
        """
        stride = self.system.backbone.stride
        if image_size % stride or not 0 < image_size <= LARGEST_SIDE:
            msg = (
                f"expected an image size that is a multiple of {stride} pixels, the stride of "
                f"the model's encoder, and at most {LARGEST_SIDE}, got {image_size}"
            )
            raise DataError(msg)
        training = self.recipe.training.model_copy(update={"image_size": image_size})
        return replace(self, recipe=self.recipe.model_copy(update={"training": training}))


def save_model(
    folder: Path,
    system: System,
    labels: LabelSpace,
    decision: Decision,
    recipe: Recipe,
    facts: Mapping[str, object],
) -> None:
    """Write a model folder, in the place of the one that may be there.

    A crash at any moment leaves a complete folder, the new one or the one before. Other files in
    the folder stay.

    Args:
        folder: Created with its parents.
        system: As built from ``recipe`` and ``labels``, trained.
        labels: What the system was built with.
        decision: Thresholds and temperature for the labels.
        recipe: How the system was trained.
        facts: Plain values under names such as ``data`` and ``validation``; numbers that are not
            finite are recorded as null.

    Raises:
        DataError: If something else than a model folder is there.
    """
    check_replaceable(folder)
    # Numbers that JSON does not have become null rather than the end of a training.
    plain = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    with replacing_folder(folder) as new:
        save_file(_tensors(system, labels), new / WEIGHTS)
        config = ModelConfig(
            tagsight=__version__,
            labels=labels.names,
            recipe=recipe.model_dump(mode="json"),
            system_class=f"{type(system).__module__}:{type(system).__qualname__}",
            decision=decision.as_dict(labels.names),
            preprocessing=Preprocessing(image_size=recipe.training.image_size),
            weights_sha256=_digest(new / WEIGHTS),
            facts=plain,
        )
        text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
        (new / CONFIG).write_text(text + "\n", encoding="utf-8")
        card = model_card(system, labels, decision, recipe, plain)
        (new / CARD).write_text(card, encoding="utf-8")


def load_model(folder: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """Read a model folder; nothing in it can run code.

    Args:
        folder: As `save_model` wrote it.
        device: Where the system is to be.

    Raises:
        DataError: If the folder is none, incomplete, damaged, changed, or of a later format.
    """
    folder = model_folder(folder)
    config_file, weights_file = folder / CONFIG, folder / WEIGHTS
    config = read_config(config_file)
    with about(config_file):
        _check_installed(config)
        recipe = parse_recipe(config.recipe)
        check_preprocessing(config.preprocessing, recipe)
        decision = Decision.from_dict(config.decision, config.labels)
        encoder = encoder_size(recipe.settings.backbone)
    with about(weights_file), _opened(weights_file) as stored:
        labels = _label_space(stored, config.labels)
        _check_encoder(stored, recipe.settings.backbone.name, encoder)
    # Its first weights are random and overwritten: nobody's random numbers are used up.
    with about(folder), skip_initial_weights(), torch.random.fork_rng(devices=[]):
        system = build_system(recipe, labels)
    with about(weights_file), _opened(weights_file) as stored:
        _check_shapes(stored, system)
        _check_digest(weights_file, config.weights_sha256)
        state = {name: stored.get_tensor(name) for name in system.state_dict()}
        _check_values(state, system.state_dict())
        system.load_state_dict(state)
        if isinstance(system, RememberingSystem):
            system.check()
    return LoadedModel(
        system.to(device).eval(),
        labels,
        decision,
        recipe,
        config.facts,
        config.weights_sha256,
        folder,
    )


def model_digest(folder: Path) -> str:
    """Name a model by its weights: hexadecimal SHA-256.

    Raises:
        DataError: If the folder is no model's.
    """
    return _digest(model_folder(folder) / WEIGHTS)


def _tensors(system: System, labels: LabelSpace) -> dict[str, Tensor]:
    known = {
        "vectors": labels.vectors,
        "cooccurrence": labels.cooccurrence,
        "photos": labels.photos,
    }
    tensors = system.state_dict() | {
        _LABELS + name: tensor for name, tensor in known.items() if tensor is not None
    }
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


@contextmanager
def _opened(file: Path) -> Iterator[safe_open]:
    try:
        with safe_open(file, framework="pt", device="cpu") as stored:
            yield stored
    except SafetensorError as error:
        msg = f"truncated or not safetensors ({error}); copy the model folder again"
        raise DataError(msg) from error


def _check_installed(config: ModelConfig) -> None:
    """Refuse the model of a system that is neither installed nor registered here."""
    name, (module, _, kind) = config.recipe.get("system"), config.system_class.partition(":")
    ours = module.partition(".")[0] == "tagsight"
    if kind and not ours and isinstance(name, str) and name not in SYSTEMS:
        where = "a script or notebook" if module == "__main__" else f"the module {module}"
        msg = (
            f"expected the system {name!r} to be installed, by a package with an entry point of "
            f"this name in the group {GROUP!r}, or registered in this process, got neither; its "
            f"class is {kind} in {where}"
        )
        raise DataError(msg)


def _label_space(stored: safe_open, names: Sequence[str]) -> LabelSpace:
    size, shape = len(names), _shapes(stored).get(_LABELS + "vectors")
    vectors = None
    if shape is not None:
        length = min(shape[1], LONGEST_VECTOR) if len(shape) == 2 else 1
        vectors = _label_tensor(stored, "vectors", [size, length], "F32")
    cooccurrence = _label_tensor(stored, "cooccurrence", [size, size], "I64")
    photos = _label_tensor(stored, "photos", [size], "I64")
    return LabelSpace(tuple(names), vectors, cooccurrence, photos)


def _label_tensor(stored: safe_open, name: str, shape: Sequence[int], kind: str) -> Tensor:
    key, found = _LABELS + name, "none"
    if key in _shapes(stored):
        header = stored.get_slice(key)
        if header.get_shape() == shape and header.get_dtype() == kind:
            return stored.get_tensor(key)
        found = f"{header.get_shape()} of {header.get_dtype()}"
    msg = f"expected {key!r} of all labels in {CONFIG}, {shape} of {kind}, got {found}"
    raise DataError(msg)


def _check_encoder(stored: safe_open, name: str, needed: int) -> None:
    """See that the encoder is not far larger than the file, before it takes the memory."""
    there = sum(math.prod(shape) for shape in _shapes(stored).values())
    # Folded batch norm makes it smaller than it was, by far less than half.
    if needed > 2 * there:
        msg = (
            f"does not fit the system in {CONFIG}: expected some {needed:,} numbers of the encoder "
            f"{name!r}, got {there:,}"
        )
        raise DataError(msg)


def _check_shapes(stored: safe_open, system: System) -> None:
    """Compare what is stored with what the settings describe, before any of it is read."""
    found = {n: shape for n, shape in _shapes(stored).items() if not n.startswith(_LABELS)}
    expected = {name: list(tensor.shape) for name, tensor in system.state_dict().items()}
    if isinstance(system, RememberingSystem):
        expected |= _remembered_shapes(found, system)
    differing = sorted(n for n in found.keys() | expected if found.get(n) != expected.get(n))
    if differing:
        first = differing[0]
        msg = (
            f"does not fit the system in {CONFIG}, in {amount(len(differing), 'tensor')}: "
            f"expected {first!r} of shape "
            f"{expected.get(first, 'none')}, got {found.get(first, 'none')}"
        )
        raise DataError(msg)


def _remembered_shapes(
    found: Mapping[str, list[int]], system: RememberingSystem
) -> dict[str, list[int]]:
    """What it has of as many photos as the first of its tensors is of, which the file holds."""
    shapes = {name: list(getattr(system, name).shape) for name in system.photo_dimensions}
    first, dimension = next(iter(system.photo_dimensions.items()))
    if len(found.get(first, [])) == len(shapes[first]):
        for name, place in system.photo_dimensions.items():
            shapes[name][place] = found[first][dimension]
    return shapes


def _shapes(stored: safe_open) -> dict[str, list[int]]:
    names: list[str] = stored.keys()
    return {name: stored.get_slice(name).get_shape() for name in names}


def _check_values(found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    for name, tensor in found.items():
        if tensor.dtype != state[name].dtype:
            msg = f"expected {name!r} of {state[name].dtype}, got {tensor.dtype}"
            raise DataError(msg)
        if not bool(tensor.isfinite().all()):
            msg = f"expected finite weights, got others in {name!r}: the model is of no use"
            raise DataError(msg)


def _check_digest(file: Path, expected: str) -> None:
    if _digest(file) != expected:
        msg = f"changed since {CONFIG} was written, or of another model; copy the folder again"
        raise DataError(msg)


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
