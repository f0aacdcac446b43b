"""``tagsight export``: a model as a file that runs without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import CheckedReading, PhotoPath
from tagsight.commands.output import print_info, print_result
from tagsight.commands.problems import listed
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.commands.problems import LeftOut
    from tagsight.data.annotations import Annotations
    from tagsight.inference.agreement import Agreement
    from tagsight.inference.quantization import Quantized

    Form = Literal["onnx", "openvino"]

COMPARED = 500
"""Photos that the file is compared with the model on, at most."""


@Parameter(name="*")
@dataclass(frozen=True)
class Quantisation:
    """Whether the file computes in whole numbers of 8 bits: smaller, faster, less exact."""

    int8: bool = False
    """Let convolutions compute in 8 bits, with ranges learned from training photos."""

    data: Path | None = None
    """Labels of the photos that the model was trained on, for --int8: ranges are learned from the
    training photos, what it costs is measured on the validation photos."""

    max_map_drop: Annotated[float, Parameter(validator=Number(gte=0, lte=100))] = 0.5
    """Most points of mAP on the validation photos that it may cost."""

    reading: CheckedReading = CheckedReading()
    """How the labels are read."""

    def check(self) -> None:
        """Refuse labels without a use, and 8 bits without labels.

        Raises:
            DataError: If there is one of them.
        """
        if self.int8 and self.data is None:
            msg = "expected --data with the labels that the model was trained on with --int8"
            raise DataError(f"{msg}, got none")
        if self.data is not None and not self.int8:
            msg = "expected --int8 with --data, which nothing else needs, got none"
            raise DataError(msg)


def export(
    model: Path,
    photos: list[PhotoPath],
    /,
    *,
    out: Path,
    to: Literal["onnx", "openvino"] | None = None,
    problems: Path | None = None,
    quantisation: Quantisation = Quantisation(),
) -> None:
    """Write a model as a file that takes decoded photos of any size, and runs without torch.

    Before it is delivered the file is run, and compared with the model on photos of yours, alone
    and in batches as they are tagged. Photos that cannot be read are listed.

    Args:
        model: The model folder.
        photos: Photos to compare on: files, folders and tars; the first 500 are taken.
        out: The file; its name ends in .onnx, or in .xml for OpenVINO, whose weights lie beside it.
        to: The form; by default the ending decides.
        problems: File for a table of the photos that were left out, and why.
    """
    _check_ending(out, to)
    quantisation.check()
    print_info(f"loading {model}")

    from itertools import islice

    from tagsight.checkpoint.folder import load_model
    from tagsight.data.photo_files import find_photos

    loaded = load_model(model)
    with listed(problems) as left_out:
        try:
            found = find_photos(photos, on_problem=left_out.append)
            compared = list(islice(found, COMPARED))
            if not compared:
                msg = "expected photos to compare the file with the model on, got none"
                raise DataError(msg)
            print_info(
                f"exporting {loaded.recipe.system} at {loaded.recipe.training.image_size} pixels"
            )
            lines = _exported(model, loaded, out, compared, quantisation, left_out)
        finally:
            left_out.tell()
    print_result([*lines, str(out)])


def _exported(
    model: Path,
    loaded: LoadedModel,
    out: Path,
    compared: list[Path],
    quantisation: Quantisation,
    left_out: LeftOut,
) -> list[str]:
    """Write the file; give what there is to say of it."""
    if quantisation.int8:
        quantized = _in_eight_bits(model, loaded, out, compared, quantisation, left_out)
        return [*_told(quantized.agreement), _told_drop(quantized)]

    from tagsight.inference.exporting import TOLERANCE, export_model

    agreement = export_model(loaded, out, compared, on_problem=left_out.append)
    return [*_told(agreement), f"allowed difference of a score: {TOLERANCE}"]


def _check_ending(out: Path, to: Form | None) -> None:
    endings = {"onnx": ".onnx", "openvino": ".xml"}
    fitting = [endings[to]] if to is not None else list(endings.values())
    if out.suffix.lower() not in fitting:
        msg = f"expected a file that ends in {' or '.join(fitting)}, got {out}"
        raise DataError(msg)


def _in_eight_bits(
    model: Path,
    loaded: LoadedModel,
    out: Path,
    compared: list[Path],
    asked: Quantisation,
    left_out: LeftOut,
) -> Quantized:
    from tagsight.commands.rows import Split, measured
    from tagsight.inference.quantization import export_quantized
    from tagsight.runtime.device import Runtime

    assert asked.data is not None  # it was checked
    runtime, labelled = Runtime.choose("cpu", "float32"), asked.reading.read(asked.data)

    def rows(split: Split) -> Annotations:
        return measured(model, loaded, labelled, split, runtime, max_bad=asked.reading.max_bad)

    return export_quantized(
        loaded,
        out,
        compared,
        calibration=rows("train").paths,
        validation=rows("val"),
        most=asked.max_map_drop,
        on_problem=left_out.append,
    )


def _told(agreement: Agreement) -> list[str]:
    return [
        f"{amount(agreement.photos, 'photo')}, the file against the model in float32:",
        f"largest difference of a score {agreement.scores:.2g}",
        f"largest difference of a map {agreement.maps:.2g}, of an embedding "
        f"{agreement.embedding:.2g}, relative to their size",
        f"equal decisions: {agreement.decisions:.2%}{_told_astray(agreement)}",
    ]


def _told_astray(agreement: Agreement) -> str:
    if agreement.decisions == 1:
        return ""
    return f", the others at scores within {agreement.astray:.2g} of their thresholds"


def _told_drop(quantized: Quantized) -> str:
    return (
        f"mAP on {amount(quantized.photos, 'validation photo')}: "
        f"{quantized.before:.2f} in float32, {quantized.after:.2f} in 8 bits"
    )
