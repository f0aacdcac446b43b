"""Checkpoints of CSRA: https://github.com/Kevinz-code/CSRA.

The encoder has torchvision's names, and ``classifier.multi_head.K.head`` the classifiers of head
``K``. Lambda is not in the checkpoint; the README states it for each figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.released.encoders import encoder_name
from tagsight.checkpoint.released.origin import Released, count_layers, sizes, split_by
from tagsight.errors import DataError
from tagsight.systems.catalogue import RECIPES
from tagsight.systems.csra import TEMPERATURES

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.released.origin import Tensors
    from tagsight.nn.tensor_file import TensorFile

PAPER = RECIPES["csra-paper"].settings

LAMBDAS = {1: 0.1, 4: 0.5, 6: 0.4}
"""Lambda of the released checkpoints by their number of heads: VOC 2007, COCO, COCO with CutMix."""

HEADS = "classifier.multi_head."


def read(file: TensorFile) -> Released:
    """Describe a checkpoint.

    Raises:
        DataError: If it is of another network, or of one with a vision transformer.
    """
    encoder, rest = split_by(file.tensors, r"(?!classifier\.)")
    if "cls_token" in encoder:
        msg = (
            "expected a checkpoint with a ResNet, got one with a vision transformer: CSRA's code "
            "leaves the class token out, which our cells contain"
        )
        raise DataError(msg)
    heads = count_layers(rest, HEADS)
    if heads not in TEMPERATURES:
        msg = f"expected 1, 2, 4, 6 or 8 heads named {HEADS}0 and so on, got {heads}"
        raise DataError(msg)
    shape = sizes(rest, f"{HEADS}0.head.weight", 4)
    return Released(
        labels=shape[0],
        encoder=encoder,
        head=rest,
        shapes={f"{HEADS}{head}.head.weight": (*shape[:2], 1, 1) for head in range(heads)},
        state=_state,
        settings=PAPER.model_copy(
            update={
                "backbone": PAPER.backbone.model_copy(update={"name": encoder_name(encoder)}),
                "heads": heads,
                "attention": LAMBDAS.get(heads, 0.1),
            }
        ),
        image_size=448,
        unstated=() if heads in LAMBDAS else ("system.attention",),
    )


def _state(tensors: Tensors) -> dict[str, Tensor]:
    heads = [tensors[f"{HEADS}{head}.head.weight"] for head in range(len(tensors))]
    return {"classifiers": torch.stack(heads, 1).flatten(2)}
