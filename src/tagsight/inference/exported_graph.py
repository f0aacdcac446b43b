"""A system as a graph that takes decoded photos and does all else itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.inference.networks.exported import OUTPUTS, PHOTOS

if TYPE_CHECKING:
    from tagsight.systems.base import System

STEPS = 2**22
"""Into how many parts Pillow divides a weight of 1."""

COARSE = 2**12
"""Into how many its first twelve bits do."""

FOLDED = 2**32
"""Bytes up to which a constant is computed once and for all."""


class GraphOutputs(NamedTuple):
    """What the graph says of ``B`` photos, all float32.

    Attributes:
        probabilities: ``(B, L)`` in [0, 1], the sigmoid of the logits over the temperature.
        maps: ``(B, L, h, w)``, in logits.
        embedding: ``(B, D)``.
        logits: ``(B, L)``.
        features: ``(B, D, h, w)``, of which embeddings are made.
    """

    probabilities: Tensor
    maps: Tensor
    embedding: Tensor
    logits: Tensor
    features: Tensor


class ExportedGraph(nn.Module):
    """All that lies between a decoded photo and its scores.

    A photo is resized as `as_square` does it; one of the right size comes out as it is.

    Deviations:
        Pillow's weights are whole numbers, here they are float32 rounded to them. In one of ten
        thousand values of a resized photo it makes a difference of one level of 255.

    Args:
        system: In evaluation mode.
        side: That photos are resized to, in pixels.
        temperature: What logits are divided by.
    """

    def __init__(self, system: System, side: int, temperature: float) -> None:
        super().__init__()
        self.system = system
        self.side = side
        self.temperature = temperature

    def forward(self, photos: Tensor) -> GraphOutputs:
        """Recognise photos: ``(B, H, W, 3)`` uint8."""
        pixels = photos.permute(0, 3, 1, 2).to(torch.float32)
        square = self._resized(pixels)
        grids: list[Tensor] = []
        watched = self.system.backbone.register_forward_hook(lambda _, __, grid: grids.append(grid))
        recognition = self.system(square / 255)
        watched.remove()
        return GraphOutputs(
            (recognition.logits / self.temperature).sigmoid(),
            recognition.maps,
            recognition.embedding,
            recognition.logits,
            grids[0],
        )

    def _resized(self, pixels: Tensor) -> Tensor:
        across = _whole_levels(resize_weights(pixels.shape[3], self.side), pixels.mT).mT
        return _whole_levels(resize_weights(pixels.shape[2], self.side), across)


def resize_weights(length: int, side: int) -> Tensor:
    """What each pixel of a row gives to each of the resized row: ``(side, length)`` float32.

    Bilinear and antialiased: the weight falls to nothing over one pixel, or over a resized one
    where that is larger. As a matrix it is the same in every program that runs graphs; their own
    resizing differs. Weights are rounded as Pillow's are: where what a pixel becomes lies half way
    between two levels, as it often does in sizes of small common fractions, rounding decides.
    """
    places = torch.arange(length, dtype=torch.float32)
    count = places[-1] + 1
    # In units of 1 / (2 * side) of a pixel all of it is whole numbers, which float32 holds exactly.
    centres = (2 * torch.arange(side, dtype=torch.float32) + 1) * count - side
    reach = 2 * count.clamp(min=side)
    weights = (reach - (2 * side * places - centres[:, None]).abs()).clamp(min=0)
    return (weights / weights.sum(1, keepdim=True) * STEPS + 0.5).floor() / STEPS


def onnx_program(graph: ExportedGraph) -> Any:  # noqa: ANN401 - torch.onnx has no public type
    """Make an ONNX program of a graph, for any number of photos of any size.

    What depends on labels alone, such as classifiers that a label graph makes, becomes a constant.

    Raises:
        DataError: If ONNX cannot express the system.
    """
    from onnxscript.optimizer import optimize_ir

    # Two photos, so that no size is 1 and taken for a constant.
    photos = torch.zeros(2, graph.side + 32, graph.side + 64, 3, dtype=torch.uint8)
    sizes = {0: "photos", 1: "height", 2: "width"}
    free = ({axis: torch.export.Dim(name) for axis, name in sizes.items()},)
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                graph,
                (photos,),
                dynamo=True,
                dynamic_shapes=free,
                input_names=[PHOTOS],
                output_names=list(OUTPUTS),
                verbose=False,
            )
        assert program is not None  # it is the way without dynamo that returns nothing
        # By itself it folds small constants only.
        optimize_ir(program.model, input_size_limit=FOLDED, output_size_limit=FOLDED)
    # The exporter raises whatever its passes raise.
    except Exception as error:
        system = type(graph.system).__name__
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"expected a system that ONNX can express, got {system}: {reason:.200}"
        raise DataError(msg) from error
    return program


def _whole_levels(weights: Tensor, pixels: Tensor) -> Tensor:
    """``(S, N), (..., N, M) -> (..., S, M)``: the weighted sums, rounded half up, exactly.

    A weight of 22 bits times a level of 8 is more than float32 holds; twelve bits of the weight are
    not, nor are the ten others, whose sum is added to the fraction alone.
    """
    coarse = (weights * COARSE).floor() / COARSE
    sums = coarse @ pixels + 0.5
    whole = sums.floor()
    return (whole + (sums - whole + (weights - coarse) @ pixels).floor()).clamp(0, 255)
