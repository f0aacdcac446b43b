"""A system and its preprocessing as one ONNX graph, from decoded photos to scores."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.inference.networks.exported import OUTPUTS, PHOTOS, SQUARES, channels
from tagsight.nn.cached import LabelConstants
from tagsight.nn.one_of import one_of_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.config import Resize
    from tagsight.systems.base import System

STEPS = 2**22
"""Steps between 0 and 1 to which Pillow rounds a resampling weight."""

COARSE = 2**12
"""Steps between 0 and 1 of the upper twelve bits of a weight."""

FOLDED = 2**32
"""Bytes up to which a constant expression is folded at export."""


class GraphOutputs(NamedTuple):
    """Outputs of the graph for ``B`` photos, all float32.

    Attributes:
        probabilities: ``(B, L)`` in [0, 1], the sigmoid of logits / temperature, or their softmax
            over labels that exclude each other.
        maps: ``(B, L, h, w)``, in logits.
        embedding: ``(B, D)``, the pooled features.
        logits: ``(B, L)``, before the temperature.
        features: ``(B, D, h, w)``, the feature grid that embeddings are pooled from.
    """

    probabilities: Tensor
    maps: Tensor
    embedding: Tensor
    logits: Tensor
    features: Tensor


class ExportedGraph(nn.Module):
    """Resizing, network and sigmoid in one module.

    Photos are resized as `as_square` does it; a photo of the right size stays unchanged, and so
    does one that only lacks its padding.

    Deviations:
        Pillow's weights are integers; here they are float32, rounded to the same steps. One in ten
        thousand values of a resized photo differs by one level of 255; of a cropped photo, whose
        place Pillow rounds to float32, one in a hundred.

    Args:
        system: The system, in evaluation mode.
        side: Side of the square that photos are resized to, in pixels.
        temperature: Divisor of the logits.
        resize: How photos are made squares.
        squares: Whether the graph takes only squares that `as_square` has made, without resizing.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> model = load_model(Path("runs/tiny/model"))
        >>> graph = ExportedGraph(model.system, side=32, temperature=1.0)
        >>> outputs = graph(torch.zeros((1, 48, 64, 3), dtype=torch.uint8))
        >>> torch.equal(outputs.probabilities, outputs.logits.sigmoid()), outputs.maps.shape[:2]
        (True, torch.Size([1, 2]))
    """

    def __init__(
        self,
        system: System,
        side: int,
        temperature: float,
        resize: Resize = "warp",
        *,
        squares: bool = False,
    ) -> None:
        super().__init__()
        self.squares = squares
        self.system = system
        self.side = side
        self.temperature = temperature
        self.resize = resize

    def forward(self, photos: Tensor) -> GraphOutputs:
        """Recognise photos: ``(B, H, W, 3)`` uint8, or squares as a `Network` gets them."""
        pixels = photos.permute(0, 3, 1, 2).to(torch.float32)
        grids: list[Tensor] = []
        watched = self.system.backbone.register_forward_hook(lambda _, __, grid: grids.append(grid))
        recognition = self.system(pixels / 255 if self.squares else self._resized(pixels))
        watched.remove()
        return GraphOutputs(
            one_of_scores(recognition.logits / self.temperature, self.system.one_of),
            recognition.maps,
            recognition.embedding,
            recognition.logits,
            grids[0],
        )

    def _resized(self, pixels: Tensor) -> Tensor:
        """Resize photos: ``(B, 3, H, W)`` in [0, 255] -> ``(B, C, side, side)`` in [0, 1]."""
        height, width = pixels.shape[2:]
        rows = resize_weights(height, self.side, self._overhang(height, width))
        columns = resize_weights(width, self.side, self._overhang(width, height))
        square = _whole_levels(rows, _whole_levels(columns, pixels.mT).mT) / 255
        if self.resize != "fit":
            return square
        opacity = rows.sum(1)[:, None] * columns.sum(1)
        return torch.cat([square, opacity.round().expand(square.shape[0], 1, -1, -1)], 1)

    def _overhang(self, length: int, other: int) -> Tensor | None:
        """Compute the overhang of an axis (`overhangs`), an integer."""
        if self.resize == "warp":
            return None
        own, across = _as_tensor(length), _as_tensor(other)
        if self.resize == "crop":
            shortest = torch.minimum(own, across)
            return ((own - shortest) * self.side + shortest) // (2 * shortest)
        longest = torch.maximum(own, across)
        padding = ((longest - own) * self.side + longest) // (2 * longest)
        return -padding.clamp(max=(self.side - 1) // 2)


def resize_weights(length: int, side: int, overhang: Tensor | None = None) -> Tensor:
    """Compute the weights that resample a row of pixels: ``(side, length)`` float32.

    Bilinear and antialiased: a weight falls linearly to 0 over one pixel of the photo or of the
    resized photo, whichever is larger. As a matrix product, resizing is the same in every program
    that runs the graph, whereas their own resize operators differ. Weights are rounded as Pillow
    rounds them, since a pixel often lies exactly between two levels when sizes share a factor.

    Args:
        length: Pixels of the row.
        side: Pixels of the resampled row, as far as it lies on the square.
        overhang: Integer, pixels of the resampled row before and after the square; negative for
            padding, whose weights are 0. By default none.

    Example:
        >>> resize_weights(4, 2)
        tensor([[0.4286, 0.4286, 0.1429, 0.0000],
                [0.0000, 0.1429, 0.4286, 0.4286]])
    """
    places = torch.arange(length, dtype=torch.float32)
    count = places[-1] + 1
    rows, resampled = torch.arange(side, dtype=torch.float32), torch.tensor(float(side))
    if overhang is not None:
        rows, resampled = rows + overhang, resampled + 2 * overhang
    # In units of 1 / (2 * resampled) of a pixel all of these are integers, which float32 holds
    # exactly.
    centres = (2 * rows + 1) * count - resampled
    reach = 2 * torch.maximum(count, resampled)
    weights = (reach - (2 * resampled * places - centres[:, None]).abs()).clamp(min=0)
    rounded = (weights / weights.sum(1, keepdim=True).clamp(min=1) * STEPS + 0.5).floor() / STEPS
    if overhang is None:
        return rounded
    return rounded.where(((rows >= 0) & (rows < resampled))[:, None], 0)


def _as_tensor(length: int) -> Tensor:
    return torch.arange(length)[-1] + 1


def onnx_program(graph: ExportedGraph) -> Any:  # noqa: ANN401 - torch.onnx has no public type
    """Translate a graph into an ONNX program for any number of photos that it takes.

    Whatever depends on labels alone, such as classifiers generated from a label graph, becomes a
    constant.

    Raises:
        DataError: If ONNX cannot express the system.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> model = load_model(Path("runs/tiny/model"))
        >>> program = onnx_program(ExportedGraph(model.system, 32, 1.0, squares=True).eval())
        >>> [output.name for output in program.model.graph.outputs]
        ['probabilities', 'maps', 'embedding', 'logits', 'features']
    """
    from onnxscript.optimizer import optimize_ir

    # Two photos: the exporter takes a size of 1 for a constant.
    if graph.squares:
        shape, sizes = (2, graph.side, graph.side, channels(graph.resize)), {0: "photos"}
    else:
        shape = (2, graph.side + 32, graph.side + 64, 3)
        sizes = {0: "photos", 1: "height", 2: "width"}
    photos = torch.zeros(shape, dtype=torch.uint8)
    free = ({axis: torch.export.Dim(name) for axis, name in sizes.items()},)
    try:
        with torch.no_grad(), _fixed_constants(graph):
            program = torch.onnx.export(
                graph,
                (photos,),
                dynamo=True,
                dynamic_shapes=free,
                input_names=[SQUARES if graph.squares else PHOTOS],
                output_names=list(OUTPUTS),
                verbose=False,
            )
        assert program is not None  # only the exporter without dynamo returns None
        # The exporter itself folds small constants only.
        optimize_ir(program.model, input_size_limit=FOLDED, output_size_limit=FOLDED)
    # The exporter's passes raise exceptions of any kind.
    except Exception as error:
        system = type(graph.system).__name__
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"expected a system that ONNX can express, got {system}: {reason:.200}"
        raise DataError(msg) from error
    return program


@contextmanager
def _fixed_constants(graph: ExportedGraph) -> Iterator[None]:
    """Make everything that depends on the labels alone a constant."""
    with ExitStack() as stack:
        for module in graph.modules():
            if isinstance(module, LabelConstants):
                stack.enter_context(module.fixed())
        yield


def _whole_levels(weights: Tensor, pixels: Tensor) -> Tensor:
    """Compute weighted sums, rounded half up: ``(S, N), (..., N, M) -> (..., S, M)``.

    A weight of 22 bits times a level of 8 bits exceeds the 24 bits of float32. The products of the
    upper 12 bits fit, and so do those of the lower 10, which are added to the fraction only; the
    result is exact.
    """
    coarse = (weights * COARSE).floor() / COARSE
    sums = coarse @ pixels + 0.5
    whole = sums.floor()
    return (whole + (sums - whole + (weights - coarse) @ pixels).floor()).clamp(0, 255)
