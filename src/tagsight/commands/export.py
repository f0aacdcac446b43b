"""``tagsight export``: writes a model as a file that runs without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import PhotoPath
from tagsight.commands.output import print_info, print_result
from tagsight.commands.problems import listed
from tagsight.commands.reading import CheckedReading
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from tagsight.data.annotations import Annotations
    from tagsight.inference.agreement import Agreement
    from tagsight.inference.quantization import Quantized

    Form = Literal["onnx", "openvino"]


@Parameter(name="*")
@dataclass(frozen=True)
class Quantisation:
    """8-bit quantisation: smaller and faster, but less exact."""

    int8: bool = False
    """Quantise convolutions to 8 bits, calibrated on training photos."""

    data: Path | None = None
    """Labels the model was trained on, for --int8: training photos calibrate the ranges, validation
    photos measure the loss of mAP."""

    max_map_drop: Annotated[float, Parameter(validator=Number(gte=0, lte=100))] = 0.5
    """Largest loss of mAP on the validation photos to accept, in points."""

    reading: CheckedReading = CheckedReading()
    """How the labels are read."""

    def labels(self) -> Annotations | None:
        """Read the labels for 8 bits, if there are any.

        Raises:
            DataError: If only one of --int8 and --data is given.

        Example:
            >>> Quantisation(int8=True).labels()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            tagsight.errors.DataError: expected --data with the labels that the model was ...
        """
        if self.int8 and self.data is None:
            msg = "expected --data with the labels that the model was trained on with --int8"
            raise DataError(f"{msg}, got none")
        if self.data is not None and not self.int8:
            msg = "expected --int8 with --data, which nothing else needs, got none"
            raise DataError(msg)
        return None if self.data is None else self.reading.read(self.data)


def export(
    model: Path,
    photos: tuple[PhotoPath, ...] = (),
    /,
    *,
    out: Path,
    to: Literal["onnx", "openvino"] | None = None,
    problems: Path | None = None,
    quantisation: Quantisation = Quantisation(),
) -> None:
    """Write a model as a file that takes decoded photos of any size and runs without torch.

    ```console
    tagsight export runs/first/model photos --out first.onnx
    tagsight export runs/first/model --int8 --data labels.csv --out small.onnx
    ```

    The file is written only if it agrees with the model on these photos, one by one and in batches
    as in tagging. Photos that cannot be read are listed.

    Args:
        model: Model folder.
        photos: Photos to compare on: files, folders or tar files; the first 100 are used. Without
            any, validation photos of the model's run, or 8 drawn pictures where these are gone.
        out: Output file: .onnx, or .xml for OpenVINO, whose weights are written beside it.
        to: Format; by default the extension decides.
        problems: CSV file for the photos that were left out, with reasons.
    """
    _check_ending(out, to)
    print_info(f"loading {model}")

    from tagsight.inference.export import export as write_file
    from tagsight.inference.exporting import TOLERANCE
    from tagsight.inference.quantization import Quantized

    labels = quantisation.labels()
    with listed(problems) as left_out:
        try:
            done = write_file(
                model,
                out,
                photos or None,
                int8=quantisation.int8,
                labels=labels,
                max_map_drop=quantisation.max_map_drop,
                max_bad=quantisation.reading.max_bad,
                on_problem=left_out.append,
            )
        finally:
            left_out.print_first()
    if isinstance(done, Quantized):
        lines = [*_agreement_lines(done.agreement), _drop_line(done)]
    else:
        lines = [*_agreement_lines(done), f"allowed difference of a score: {TOLERANCE}"]
    print_result([*lines, str(out)])


def _check_ending(out: Path, to: Form | None) -> None:
    from tagsight.inference.networks.exported import ENDINGS

    if to is not None and out.suffix.lower() != ENDINGS[to]:
        msg = f"expected a file that ends in {ENDINGS[to]}, got {out}"
        raise DataError(msg)


def _agreement_lines(agreement: Agreement) -> list[str]:
    return [
        f"{amount(agreement.photos, 'photo')}, the file against the model in float32:",
        f"largest difference of a score {agreement.scores:.2g}",
        f"largest difference of a map {agreement.maps:.2g}, of an embedding "
        f"{agreement.embedding:.2g}, relative to their size",
        f"equal decisions: {agreement.decisions:.2%}{_others(agreement)}",
    ]


def _others(agreement: Agreement) -> str:
    if agreement.decisions == 1:
        return ""
    return f", the others at scores within {agreement.astray:.2g} of their thresholds"


def _drop_line(quantized: Quantized) -> str:
    return (
        f"mAP on {amount(quantized.photos, 'validation photo')}: "
        f"{quantized.before:.2f} in float32, {quantized.after:.2f} in 8 bits"
    )
