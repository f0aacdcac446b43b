"""A trained system as one file that other programs run (ONNX).

The graph takes decoded photos and does all else itself: it resizes, scales, recognises and applies
the temperature. What depends on labels alone, such as classifiers that a label graph makes, is
folded into constants. Names, thresholds and what was recorded of the model are in the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight import __version__
from tagsight.data.photos import open_photo
from tagsight.errors import DataError
from tagsight.files import replacing
from tagsight.recognizer import Recognizer
from tagsight.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.checkpoint import LoadedModel
    from tagsight.systems import System

FORMAT = 1
"""Of what is written into the file beside the graph."""

TOLERANCE = 0.01
"""Largest difference of a score, on any photo, with which a file is delivered."""

KEY = "tagsight"
OUTPUTS = ("probabilities", "maps", "embedding")


class Agreement(NamedTuple):
    """How far an exported file and the model agree, over photos.

    Attributes:
        photos: How many were compared.
        scores: Largest difference of a score.
        maps: Largest difference of a map, relative to the largest value of the photo's maps.
        embedding: Largest difference of an embedding, relative to its length.
        decisions: Share of (photo, label) pairs that are decided alike.
    """

    photos: int
    scores: float
    maps: float
    embedding: float
    decisions: float


class ExportedGraph(nn.Module):
    """All that lies between a decoded photo and its scores.

    Deviations:
        Training resizes bytes, first across and then down, rounding half up after each, with
        weights of 16 bits. Here the weights are exact, so that one pixel in a hundred differs by a
        level of 255. Rounding once, or halves to even, makes it one in five, and moves scores by
        up to 0.07.

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

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Recognise photos: ``(B, H, W, 3)`` uint8 to scores, maps and embeddings.

        Returns:
            ``(B, L)`` in [0, 1], ``(B, L, h, w)`` and ``(B, D)`` float32.
        """
        pixels = photos.permute(0, 3, 1, 2).to(torch.float32)
        across = _resized(pixels, (photos.shape[1], self.side))
        recognition = self.system(_resized(across, (self.side, self.side)) / 255)
        scores = (recognition.logits / self.temperature).sigmoid()
        return scores, recognition.maps, recognition.embedding


def _resized(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize to whole levels in [0, 255]."""
    resized = F.interpolate(pixels, size=size, mode="bilinear", antialias=True)
    return (resized + 0.5).floor().clamp(0, 255)


def export_onnx(model: LoadedModel, digest: str, file: Path, photos: Sequence[Path]) -> Agreement:
    """Write a model as ONNX, if the file then says what the model says.

    Args:
        model: On the CPU.
        digest: Of the model.
        file: Replaced when all is well.
        photos: What the two are compared on.

    Raises:
        DataError: If the extra ``onnx`` is missing, the system cannot be exported, or the file
            differs by more than `TOLERANCE`.
    """
    _check_installed()
    if not model.system.portable:
        msg = f"expected a system that ONNX can express, got {type(model.system).__name__}"
        raise DataError(msg)
    side = model.recipe.training.image_size
    graph = ExportedGraph(model.system, side, model.decision.temperature).eval()
    program = _exported(graph)
    program.model.metadata_props[KEY] = json.dumps(about(model, digest), ensure_ascii=False)
    with replacing(file) as temporary:
        program.save(str(temporary), external_data=False)
        agreement = compare(model, temporary, photos)
        if agreement.scores > TOLERANCE:
            msg = (
                f"expected scores within {TOLERANCE} of the model's, got a difference of "
                f"{agreement.scores:.3f}: the file is not written"
            )
            raise DataError(msg)
    return agreement


def about(model: LoadedModel, digest: str) -> dict[str, object]:
    """What the file says of itself: how to read its outputs, and where it comes from."""
    return {
        "format": FORMAT,
        "tagsight": __version__,
        "model": digest,
        "system": model.recipe.system,
        "recipe": model.recipe.name,
        "image_size": model.recipe.training.image_size,
        "input": "photos (batch, height, width, 3) uint8, RGB, upright",
        "outputs": list(OUTPUTS),
        "maps_add_up": model.system.maps_add_up,
        "probabilities_calibrated": model.system.probabilities,
        "decision": model.decision.as_dict(model.labels.names),
        "labels": list(model.labels.names),
        "facts": dict(model.facts),
    }


def compare(model: LoadedModel, file: Path, photos: Iterable[Path]) -> Agreement:
    """Recognise photos by the file and by the model, and compare what they say.

    Args:
        model: On the CPU.
        file: As `export_onnx` writes it.
        photos: Decoded whole, as a user of the file would.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    recognizer = Recognizer(model, Runtime.choose("cpu", "float32"))
    scores, maps, embedding = 0.0, 0.0, 0.0
    equal: list[float] = []
    for path in photos:
        photo = open_photo(path)
        given = session.run(list(OUTPUTS), {"photos": np.asarray(photo)[None]})
        result = recognizer(photo)
        scores = max(scores, _apart(given[0][0], result.scores))
        maps = max(maps, _apart(given[1][0], result.maps, np.abs(result.maps).max()))
        length = np.linalg.norm(result.embedding)
        embedding = max(embedding, _apart(given[2][0], result.embedding, length))
        decided = model.decision.predicted(torch.from_numpy(given[0][0])).numpy()
        equal.append(float((decided == result.predicted).mean()))
    return Agreement(len(equal), scores, maps, embedding, sum(equal) / max(1, len(equal)))


def _apart(given: NDArray[Any], expected: NDArray[Any], scale: np.floating | float = 1.0) -> float:
    return float(np.abs(given - expected).max() / (float(scale) or 1.0))


def _exported(graph: ExportedGraph) -> Any:  # noqa: ANN401 - torch.onnx has no public type
    # Two photos, so that no size is 1 and taken for a constant.
    photos = torch.zeros(2, graph.side + 32, graph.side + 64, 3, dtype=torch.uint8)
    sizes = {0: "photos", 1: "height", 2: "width"}
    free = ({axis: torch.export.Dim(name) for axis, name in sizes.items()},)
    try:
        with torch.no_grad():
            return torch.onnx.export(
                graph,
                (photos,),
                dynamo=True,
                dynamic_shapes=free,
                input_names=["photos"],
                output_names=list(OUTPUTS),
                verbose=False,
            )
    # The exporter raises whatever its passes raise.
    except Exception as error:
        system = type(graph.system).__name__
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"expected a system that ONNX can express, got {system}: {reason:.200}"
        raise DataError(msg) from error


def _check_installed() -> None:
    try:
        import onnxruntime
        import onnxscript
    except ImportError as error:
        msg = "expected the extra 'onnx' to export: pip install 'tagsight[onnx]'"
        raise DataError(msg) from error
    del onnxruntime, onnxscript
