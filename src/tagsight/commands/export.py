"""``tagsight export``: a model as a file that other programs run."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.options import PhotoPath
from tagsight.commands.output import remark, say
from tagsight.errors import DataError

COMPARED = 500
"""Photos that the file is compared with the model on, at most."""


def export(model: Path, photos: list[PhotoPath], /, *, out: Path) -> None:
    """Write a model as one ONNX file that takes decoded photos of any size.

    Before it is delivered the file is run, and compared with the model on photos of yours.

    Args:
        model: The model folder.
        photos: Photos to compare on: files, folders and tars; the first 500 are taken.
        out: The file; its name ends in .onnx.
    """
    if out.suffix.lower() != ".onnx":
        msg = f"expected a file that ends in .onnx, got {out}"
        raise DataError(msg)

    from itertools import islice

    from tagsight.checkpoint import load_model, model_digest
    from tagsight.data.photos import find_photos
    from tagsight.exporting import TOLERANCE, export_onnx

    loaded = load_model(model)
    compared = list(islice(find_photos(photos), COMPARED))
    if not compared:
        msg = "expected photos to compare the file with the model on, got none"
        raise DataError(msg)
    remark(f"exporting {loaded.recipe.system} at {loaded.recipe.training.image_size} pixels")
    agreement = export_onnx(loaded, model_digest(model), out, compared)
    say(
        [
            f"{agreement.photos:,} photos, the file against the model in float32:",
            f"largest difference of a score {agreement.scores:.2g} (allowed: {TOLERANCE})",
            f"largest difference of a map {agreement.maps:.2g}, of an embedding "
            f"{agreement.embedding:.2g}, relative to their size",
            f"equal decisions: {agreement.decisions:.2%}",
            str(out),
        ]
    )
