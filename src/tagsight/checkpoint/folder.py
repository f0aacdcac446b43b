"""Model folders: weights, settings and decision rule of a trained system, without pickles.

``model.safetensors`` holds the state of the system and, under ``labels.``, the tensors of its
`LabelSpace`; ``config.json`` holds all that is not a tensor; ``README.md`` is the model card. The
three are written atomically, and ``config.json`` has the digest of the weights, so that files of
different models cannot be mixed.
"""

from __future__ import annotations

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
from tagsight.data.rules.rules import LabelRules
from tagsight.errors import DataError
from tagsight.labels.cooccurrence import sparse_matrix
from tagsight.labels.space import LabelSpace
from tagsight.nn.backbones import encoder_size, skip_initial_weights
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import replacing_folder, sha256_of
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
"""Maximum length of a word vector; GloVe's have 300 numbers."""

LARGEST_SIDE = 2048
"""Maximum side of resized photos, in pixels."""

_LABELS = "labels."


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model read from its folder.

    Args:
        system: The system in evaluation mode, on the requested device.
        labels: The labels it was built for.
        decision: Thresholds and temperature.
        recipe: The recipe it was trained with.
        facts: Other records: hashes of data and split, metrics.
        digest: SHA-256 of the weights, hexadecimal.
        folder: The folder it was read from, if any.
        label_rules: The rules that were applied to the labels of the training data.

    Example:
        >>> from pathlib import Path
        >>> loaded = load_model(Path("runs/first/model"))
        >>> loaded.labels.names, loaded.recipe.system
        (('dog', 'sky'), 'resnet')
        >>> loaded.at(128).recipe.training.image_size
        128
    """

    system: System
    labels: LabelSpace
    decision: Decision
    recipe: Recipe
    facts: Mapping[str, JsonValue]
    digest: str
    folder: Path | None = None
    label_rules: LabelRules = LabelRules()

    @property
    def title(self) -> str:
        """Name of the model: its run folder and its own, or its recipe."""
        folder = None if self.folder is None else self.folder.absolute()
        return self.recipe.name if folder is None else f"{folder.parent.name}/{folder.name}"

    def to(self, device: torch.device) -> LoadedModel:
        """Move the system to a device and return the model."""
        return replace(self, system=self.system.to(device))

    def at(self, image_size: int) -> LoadedModel:
        """Return the model with another image size than in training.

        Args:
            image_size: Side of the square that photos are resized to, in pixels.

        Raises:
            DataError: If the size is not a multiple of the encoder's stride, or too large.
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
    *,
    label_rules: LabelRules = LabelRules(),
) -> None:
    """Write a model folder, replacing an earlier one.

    After a crash at any moment the folder is complete: either the new or the old model. Other files
    in the folder are kept.

    Args:
        folder: Created with its parents.
        system: The trained system, as built from ``recipe`` and ``labels``.
        labels: The labels it was built for.
        decision: Thresholds and temperature for the labels.
        recipe: The recipe it was trained with.
        facts: Plain values under names such as ``data`` and ``validation``; numbers that are not
            finite are stored as null.
        label_rules: The rules that were applied to the labels of the training data.

    Raises:
        DataError: If the folder holds something other than a model.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from tagsight.systems.catalogue import RECIPES
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.tensor([[1, 0], [0, 1]]))
        >>> system, folder = build_system(RECIPES["resnet-cpu"], labels), Path(mkdtemp()) / "model"
        >>> save_model(folder, system, labels, Decision.default(2), RECIPES["resnet-cpu"], {})
        >>> load_model(folder).labels.names
        ('dog', 'sky')
    """
    check_replaceable(folder)
    # NaN and infinity, which JSON lacks, become null: a strict encoder would end the training here.
    plain = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    with replacing_folder(folder) as new:
        save_file(_tensors(system, labels), new / WEIGHTS)
        config = ModelConfig(
            tagsight=__version__,
            labels=labels.names,
            recipe=recipe.model_dump(mode="json"),
            system_class=f"{type(system).__module__}:{type(system).__qualname__}",
            decision=decision.as_dict(labels.names),
            preprocessing=Preprocessing(
                image_size=recipe.training.image_size, resize=recipe.training.resize
            ),
            label_rules=label_rules,
            weights_sha256=sha256_of(new / WEIGHTS).hex(),
            facts=plain,
        )
        text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
        (new / CONFIG).write_text(text + "\n", encoding="utf-8")
        card = model_card(system, labels, decision, recipe, plain)
        (new / CARD).write_text(card, encoding="utf-8")


def load_model(folder: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """Read a model folder; nothing in it can run code.

    Args:
        folder: A folder that `save_model` wrote.
        device: The device of the system.

    Raises:
        DataError: If it is not a model folder, incomplete, damaged, modified or of a newer format.

    Example:
        >>> from pathlib import Path
        >>> model = load_model(Path("runs/first/model"))
        >>> model.labels.names, model.recipe.system
        (('dog', 'sky'), 'resnet')
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
    # Initial weights are overwritten; drawing them must not change the caller's random state.
    with about(folder), skip_initial_weights(), torch.random.fork_rng(devices=[]):
        labels = replace(labels, one_of=decision.one_of)
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
        config.label_rules,
    )


def model_digest(folder: Path) -> str:
    """Compute the SHA-256 of a model's weights, hexadecimal.

    Raises:
        DataError: If it is not a model folder.

    Example:
        >>> from pathlib import Path
        >>> model_digest(Path("runs/first/model")) == load_model(Path("runs/first/model")).digest
        True
    """
    return sha256_of(model_folder(folder) / WEIGHTS).hex()


def _tensors(system: System, labels: LabelSpace) -> dict[str, Tensor]:
    known = {
        "vectors": labels.vectors,
        **_counts(labels.cooccurrence),
        "photos": labels.photos,
    }
    tensors = system.state_dict() | {
        _LABELS + name: tensor for name, tensor in known.items() if tensor is not None
    }
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _counts(cooccurrence: Tensor) -> dict[str, Tensor]:
    """Name the counts; of many labels only the pairs that occur are stored."""
    if not cooccurrence.is_sparse:
        return {"cooccurrence": cooccurrence}
    stored = cooccurrence.coalesce()
    return {"pairs": stored.indices(), "pair_counts": stored.values()}


@contextmanager
def _opened(file: Path) -> Iterator[safe_open]:
    try:
        with safe_open(file, framework="pt", device="cpu") as stored:
            yield stored
    except SafetensorError as error:
        msg = f"truncated or not safetensors ({error}); copy the model folder again"
        raise DataError(msg) from error


def _check_installed(config: ModelConfig) -> None:
    """Refuse a model whose system is neither installed nor registered here."""
    name, (module, _, kind) = config.recipe.get("system"), config.system_class.partition(":")
    ours = module.partition(".")[0] == "tagsight"
    if kind and not ours and isinstance(name, str) and name not in SYSTEMS:
        where = "a script or notebook" if module == "__main__" else f"the module {module}"
        msg = (
            f"expected the system {name!r} to be installed, by a package with an entry point of "
            f"this name in the group {GROUP!r}, or registered with tagsight.register, got neither; "
            f"its class is {kind} in {where}"
        )
        raise DataError(msg)


def _label_space(stored: safe_open, names: Sequence[str]) -> LabelSpace:
    size, shape = len(names), _shapes(stored).get(_LABELS + "vectors")
    vectors = None
    if shape is not None:
        length = min(shape[1], LONGEST_VECTOR) if len(shape) == 2 else 1
        vectors = _label_tensor(stored, "vectors", [size, length], "F32")
    cooccurrence = _cooccurrence(stored, size)
    photos = _label_tensor(stored, "photos", [size], "I64")
    return LabelSpace(tuple(names), vectors, cooccurrence, photos)


def _cooccurrence(stored: safe_open, size: int) -> Tensor:
    shape = _shapes(stored).get(_LABELS + "pairs")
    if shape is None:
        return _label_tensor(stored, "cooccurrence", [size, size], "I64")
    pairs = min(shape[1], size * size) if len(shape) == 2 else 0
    targets, sources = _label_tensor(stored, "pairs", [2, pairs], "I64")
    counts = _label_tensor(stored, "pair_counts", [pairs], "I64")
    try:
        return sparse_matrix(targets, sources, counts, size)
    except RuntimeError as error:
        msg = f"expected pairs of {amount(size, 'label')} in {_LABELS}pairs, got others"
        raise DataError(msg) from error


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
    """Check that the encoder is not far larger than the file, before memory is allocated."""
    there = sum(math.prod(shape) for shape in _shapes(stored).values())
    # Folding batch norm removes far less than half of an encoder's numbers.
    if needed > 2 * there:
        msg = (
            f"does not fit the system in {CONFIG}: expected some {needed:,} numbers of the encoder "
            f"{name!r}, got {there:,}"
        )
        raise DataError(msg)


def _check_shapes(stored: safe_open, system: System) -> None:
    """Compare the stored shapes with those of the system, before any tensor is read."""
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
    """Compute the shapes for the number of photos that the file's first such tensor has."""
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
            msg = f"expected finite weights, got others in {name!r}; train the model again"
            raise DataError(msg)


def _check_digest(file: Path, expected: str) -> None:
    if sha256_of(file).hex() != expected:
        msg = f"modified since {CONFIG} was written, or of another model; copy the folder again"
        raise DataError(msg)
