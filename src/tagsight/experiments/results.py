"""The result file of a run of a comparison: a small JSON file, and an ``.npz`` file beside it.

Results of several sessions and machines can be in one table if the hashes of their photos, targets
and splits are equal. The ``.npz`` file has the logits: differences are tested over photos.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from tagsight.config import Settings
from tagsight.errors import DataError, settings_sentence
from tagsight.metrics.bootstrap import map_draws
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.measured_labels import REASONS, counted_targets
from tagsight.metrics.significance import Estimate
from tagsight.runtime.arrays import opened_arrays, read_array, write_arrays
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

FORMAT = 1
"""Version of the format, raised when earlier versions of the package would misread the file."""

LARGEST_RECORD = 32 * 2**20
RESAMPLES, RESAMPLE_SEED = 1000, 0
TOLERANCE = 1e-3
"""Largest difference, in percent, between the mAP in a record and that of its logits."""


class Record(Settings):
    """The content of the JSON file: a run of a comparison and its metrics."""

    format: Literal[1] = 1
    """Version of the format."""

    tagsight: str
    """Version of the package that wrote it."""

    name: str
    """Name of the recipe in the comparison."""

    seed: int
    """Seed of the run."""

    recipe: dict[str, JsonValue]
    """A `Recipe`: system and all settings."""

    data_hash: str
    """Hash of label names, photos, targets and splits."""

    split_hash: str
    """Hash of the file of splits."""

    split: Literal["val", "test"]
    """Measured split; the epoch was selected on ``val``, unless the last one is kept."""

    image_size: int
    """Side of the photos, in pixels."""

    weights: str
    """Backbone and its initial weights."""

    runtime: str
    """Device and precision."""

    minutes: float
    """Duration of training."""

    measuring_minutes: float
    """Duration of everything after training."""

    parameters: int
    """Number of parameters, frozen ones included."""

    epoch: int
    """Epoch of the model, counted from 1, as `training.selection` chose it."""

    validation: dict[str, float | None]
    """Metrics on ``val`` after that epoch, in percent; empty without validation photos."""

    report: dict[str, JsonValue]
    """Report of `tagsight.evaluation.evaluate`, optionally with ``evidence``."""


@dataclass(frozen=True, eq=False)
class Result:
    """A run's record, and the logits that it was measured on.

    Args:
        record: Content of the JSON file.
        logits: ``(N, L)`` float32, of the measured photos.
        targets: ``(N, L)`` int8 in {1, 0, -1}.

    Example:
        >>> from pathlib import Path
        >>> (result,) = read_results(Path("runs/compared/results"))
        >>> result.positives, result.left_out, result.metrics["mAP"] == 100 * result.estimate.value
        ({'dog': 2, 'sky': 2}, {}, True)
    """

    record: Record
    logits: Tensor
    targets: Tensor

    @cached_property
    def left_out(self) -> dict[str, list[str]]:
        """Labels that are left out of the mAP, by reason (`measured_labels.left_out_labels`)."""
        found = _part({"left_out": {}} | self.record.report, "left_out")
        if not (
            found.keys() <= REASONS.keys() and all(isinstance(v, list) for v in found.values())
        ):
            raise TypeError("left_out")
        return dict(found)

    @cached_property
    def positives(self) -> dict[str, int]:
        """Number of photos with each label."""
        labels = _part(self.record.report, "per_label")
        counts = {name: _part(labels, name)["count"] for name in labels}
        if not all(isinstance(count, int) for count in counts.values()):
            raise TypeError("count")
        return counts

    @cached_property
    def counted(self) -> Tensor:
        """The targets, with labels without a training photo set to unknown."""
        untrained = self.left_out.get("without_training_photo", [])
        trained = torch.tensor([name not in untrained for name in self.positives])
        return counted_targets(self.targets, trained)

    @cached_property
    def estimate(self) -> Estimate:
        """The mAP as a fraction, and its value for every resample of the photos."""
        value, _ = mean_over_labels(average_precision(self.logits, self.counted))
        draws = map_draws(self.logits, self.counted, seed=RESAMPLE_SEED, resamples=RESAMPLES)
        return Estimate(value, draws)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """All metrics that tables show, by name."""
        record, report = self.record, self.record.report
        numbers = {
            "mAP": report["mAP"],
            **_flat("all", _part(report, "all")),
            **_flat("thresholds", _part(report, "all_at_thresholds")),
            **_flat("top3", _part(_part(report, "top3"), "exact")),
            **_flat("top3_from_half", _part(_part(report, "top3"), "thresholded")),
            "photos_per_second": report["photos_per_second"],
            "minutes": record.minutes,
            "parameters": record.parameters,
        }
        if "evidence" in report:
            evidence = _part(report, "evidence")
            numbers |= {key: evidence[key] for key in ("pointing", "energy_in_box", "chance")}
            errors = _part(evidence, "consistency")
            numbers |= {f"error_{key}": errors[key] for key in ("flip", "scale")}
        return {name: _number(name, value) for name, value in numbers.items()}


RATES = ("CP", "CR", "CF1", "CF1_mean", "OP", "OR", "OF1")
"""Keys of `Quality.as_dict`."""


def write_result(folder: Path, result: Result) -> Path:
    """Write a result; the JSON file last, so that its logits exist whenever it does.

    Args:
        folder: Folder of the results.
        result: Record and logits.

    Returns:
        The JSON file.

    Example:
        >>> from pathlib import Path
        >>> from dataclasses import replace
        >>> (result,) = read_results(Path("runs/compared/results"))
        >>> again = replace(result, record=result.record.model_copy(update={"seed": 1}))
        >>> write_result(Path("runs/copied"), again).name
        'knn-cpu-1.json'
    """
    file = result_file(folder, result.record.name, result.record.seed)
    write_arrays(
        file.with_suffix(".npz"),
        logits=result.logits.float().cpu().numpy(),
        targets=result.targets.cpu().numpy().astype(np.int8),
    )
    text = json.dumps(result.record.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(file, text + "\n")
    return file


def read_results(folder: Path) -> list[Result]:
    """Read all results of a folder, in the order of their file names.

    Args:
        folder: Folder of the results.

    Raises:
        DataError: If a file is damaged or not a result.

    Example:
        >>> from pathlib import Path
        >>> [result.record.name for result in read_results(Path("runs/compared/results"))]
        ['knn-cpu']
    """
    return [read_result(file) for file in sorted(folder.glob("*.json"))]


def read_result(file: Path) -> Result:
    """Read a result.

    Args:
        file: The JSON file.

    Raises:
        DataError: If it is damaged or not a result, or the ``.npz`` file is of another run.

    Example:
        >>> from pathlib import Path
        >>> (file,) = Path("runs/compared/results").glob("*.json")
        >>> result = read_result(file)
        >>> result.record.split, result.logits.shape, result.positives
        ('test', torch.Size([4, 2]), {'dog': 2, 'sky': 2})
    """
    record = _record(file)
    arrays = file.with_suffix(".npz")
    if not arrays.is_file():
        msg = f"{file}: expected the logits beside it in {arrays.name}, which does not exist"
        raise DataError(msg)
    with opened_arrays(arrays) as archive:
        logits = torch.from_numpy(read_array(archive, "logits", "f", arrays)).float()
        targets = torch.from_numpy(read_array(archive, "targets", "i", arrays))
    result = Result(record, logits, targets)
    try:
        recorded, labels, _ = result.metrics["mAP"], len(result.positives), result.left_out
    except (KeyError, TypeError) as error:
        msg = f"{file}: expected a report of tagsight's evaluation, got one without {error}"
        raise DataError(msg) from error
    shaped = logits.shape == targets.shape == (len(logits), labels)
    if not shaped or not _agrees(result, recorded):
        msg = f"{file}: expected logits of the same run in {arrays.name}; copy both files again"
        raise DataError(msg)
    return result


def result_file(folder: Path, name: str, seed: int) -> Path:
    """Return the path of a run's result.

    Example:
        >>> from pathlib import Path
        >>> result_file(Path("results"), "gcam-cpu", 0).name
        'gcam-cpu-0.json'
    """
    return folder / f"{name}-{seed}.json"


def _record(file: Path) -> Record:
    if file.stat().st_size > LARGEST_RECORD:
        msg = f"{file}: expected a result of at most {LARGEST_RECORD:,} bytes"
        raise DataError(msg)
    try:
        record = Record.model_validate(from_json(file.read_bytes()))
    except ValidationError as error:
        msg = f"{file}: expected a result of `tagsight.compare()`: {settings_sentence(error)}"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{file}: expected a result of `tagsight.compare()`, got no JSON: {error}"
        raise DataError(msg) from error
    if (name := result_file(file.parent, record.name, record.seed)) != file:
        msg = f"{file}: expected the file name {name.name} for its content; rename it"
        raise DataError(msg)
    return record


def _agrees(result: Result, recorded: float | None) -> bool:
    try:
        value, _ = mean_over_labels(average_precision(result.logits, result.counted))
    except ValueError:  # logits that are not finite
        return False
    return recorded is None or abs(100 * value - recorded) < TOLERANCE


def _part(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = report[name]
    if not isinstance(part, Mapping):
        raise TypeError(name)
    return part


def _flat(prefix: str, rates: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{rate}": rates[rate] for rate in RATES}


def _number(name: str, value: object) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise TypeError(name)
