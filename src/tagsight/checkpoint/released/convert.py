"""Converts a checkpoint that the authors of a system released to a model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.config import about, check_replaceable
from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import load_model, save_model
from tagsight.checkpoint.released import csra, ml_decoder, ml_gcn, query2label
from tagsight.checkpoint.released.label_order import label_order
from tagsight.checkpoint.released.word_vectors import released_vectors
from tagsight.config import Recipe
from tagsight.data.source import require_file
from tagsight.errors import DataError
from tagsight.labels.space import empty_label_space
from tagsight.nn.backbones import skip_initial_weights
from tagsight.nn.encoder_weights import timm_model
from tagsight.nn.tensor_file import LARGEST_FILE, read_tensor_file
from tagsight.nn.weights_file import Fit, fitted, match
from tagsight.runtime.files import sha256_of
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.systems.settings import changed, changes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.checkpoint.released.origin import Released
    from tagsight.systems.base import System
    from tagsight.systems.settings import Change

ORIGINS = {
    "ml-gcn": ml_gcn.read,
    "csra": csra.read,
    "query2label": query2label.read,
    "ml-decoder": ml_decoder.read,
}
"""Functions that describe a checkpoint, by its origin, which is the system's name."""

CODE = {
    "ml-gcn": "https://github.com/Megvii-Nanjing/ML-GCN",
    "csra": "https://github.com/Kevinz-code/CSRA",
    "query2label": "https://github.com/SlongLiu/query2labels",
    "ml-decoder": "https://github.com/Alibaba-MIIL/ML_Decoder",
}
"""The released code, by origin."""


def convert(
    checkpoint: str | Path,
    origin: str,
    *,
    labels: str | Path | Sequence[str] | None = None,
    out: str | Path,
    vectors: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> LoadedModel:
    """Make a model folder of a checkpoint that the authors of a system released.

    All tensors are used, with the preprocessing of the released code, so that `evaluate` gives the
    authors' figure. Nothing is unpickled. The thresholds are 0.5 until `calibrate` fits them.

    Args:
        checkpoint: A file of PyTorch, or ``.safetensors``.
        origin: ``ml-gcn``, ``csra``, ``query2label`` or ``ml-decoder``.
        labels: ``coco`` or ``voc``, whose order the authors' code tells; or the names in the order
            of the authors, as a list or as a file with one per line. Not needed if the checkpoint
            lists them, as those of ML-Decoder do.
        out: The model folder; an earlier model there is replaced.
        vectors: For ML-GCN: the word vectors that it was trained with, a file of the authors such
            as ``coco_glove_word2vec.pkl``.
        settings: What the checkpoint does not state, if it is not as the authors' commands have it:
            ``training.image_size``, ``attention`` (CSRA's lambda), ``decoder.heads``,
            ``backbone.normalization``.

    Raises:
        DataError: If the checkpoint cannot be read, is of another network, has tensors that are
            missing or left over, or does not agree with labels or settings.

    Example:
        >>> import tagsight as ts
        >>> ts.convert("coco_checkpoint.pth.tar", "ml-gcn", labels="coco", out="models/ml-gcn")
        Traceback (most recent call last):
        ...
        tagsight.data.source.NoFileError: expected a file at coco_checkpoint.pth.tar, got nothing
    """
    if origin not in ORIGINS:
        msg = f"expected a checkpoint of {', '.join(ORIGINS)}, got {origin!r}"
        raise DataError(msg)
    file, folder = require_file(Path(checkpoint), largest=LARGEST_FILE), Path(out)
    check_replaceable(folder)
    stored = read_tensor_file(file)
    changes = list(changes_of(settings or {}))
    with about(file):
        released = ORIGINS[origin](stored)
        encoder = _fit(released)
        _check_given(released, changes)
        names = label_order(labels, origin, released.labels, released.names)
        state = released.state(released.head)
    space = empty_label_space(names)
    if origin == "ml-gcn":
        length = released.shapes["gc1.weight"][0]
        words = None if vectors is None else Path(vectors)
        space = replace(space, vectors=released_vectors(words, names, length))
    recipe = _recipe(origin, released, file, changes)
    with skip_initial_weights(), torch.random.fork_rng(devices=[]):
        system = build_system(recipe, space)
    with about(file):
        _load(system, encoder.tensors, state)
    facts = {
        "released": {
            "checkpoint": file.name,
            "SHA-256": sha256_of(file).hex(),
            "code": CODE[origin],
        }
    }
    save_model(folder, system.eval(), space, Decision.default(len(names)), recipe, facts)
    return load_model(folder)


def _fit(released: Released) -> Fit:
    """Match the encoder's tensors to those of timm, and check that all tensors are used.

    Raises:
        DataError: If some are missing, left over or of another shape.
    """
    name = released.settings.backbone.name
    with torch.device("meta"):
        network = timm_model(name)
    encoder, head = fitted(network, name, released.encoder), match(released.head, released.shapes)
    whole = Fit({}, *(a + b for a, b in zip(head[1:], encoder[1:], strict=True)))
    if not whole.complete or whole.left_over:
        msg = (
            f"expected the tensors of a released checkpoint with the encoder {name!r}, got one in "
            f"which {whole.description}"
        )
        raise DataError(msg)
    return encoder


def _check_given(released: Released, changes: Sequence[Change]) -> None:
    """Check that the user gives what the checkpoint does not state.

    Raises:
        DataError: If a setting is missing.
    """
    given = {".".join(change.path) for change in changes}
    for name in released.unstated:
        if name not in given:
            msg = f"expected `{name}`, which the checkpoint does not state, got none"
            raise DataError(msg)


def _recipe(origin: str, released: Released, file: Path, changes: Sequence[Change]) -> Recipe:
    """Make the recipe of the model: the paper's, with the settings of the checkpoint.

    Raises:
        DataError: If a setting that the user gives is unknown or out of its range.
    """
    paper = RECIPES[f"{origin}-paper"]
    recipe = Recipe(
        name=f"{origin}-released",
        system=paper.system,
        settings=released.settings,
        training=paper.training.model_copy(update={"image_size": released.image_size}),
        source=f"{file.name}, a checkpoint released with {CODE[origin]}; its training was not ours",
        expectation="the authors' figure for this checkpoint; not run by us on their files",
    )
    # What the user tells of the checkpoint is no change of it.
    told = changed(recipe, changes)
    return recipe.model_copy(update={"settings": told.settings, "training": told.training})


def _load(system: System, encoder: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Replace all weights of a system.

    Raises:
        DataError: If the system's settings ask for other tensors, or a number is not finite.
    """
    own = system.state_dict()
    new = {f"backbone.network.{name}": tensor for name, tensor in encoder.items()} | dict(state)
    fit = match(
        new,
        {name: tensor.shape for name, tensor in own.items()},
        {name for name, _ in system.named_parameters()},
    )
    if not fit.complete or fit.left_over:
        msg = f"expected settings that fit the checkpoint, got others, for which {fit.description}"
        raise DataError(msg)
    if odd := [name for name, tensor in new.items() if not bool(tensor.isfinite().all())]:
        msg = f"expected finite weights, got others in {odd[0]!r}"
        raise DataError(msg)
    system.load_state_dict(own | {name: new[name].to(own[name].dtype) for name in new})
