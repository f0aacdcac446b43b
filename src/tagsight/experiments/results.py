"""The result of one run of a comparison, on disk: a small JSON file and an ``.npz`` beside it.

Results of several sittings and machines go into one table if they are of the same photos, targets
and splits, which their hashes say. The logits are there because a difference is tested on photos.
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
from tagsight.metrics.classification import average_precision, mean_average_precision
from tagsight.metrics.measured_labels import REASONS, counted_targets
from tagsight.metrics.significance import Estimate
from tagsight.runtime.arrays import opened_arrays, read_array, write_arrays
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

FORMAT = 1
"""Raised whenever an older tagsight would misread what this one writes."""

LARGEST_RECORD = 32 * 2**20
RESAMPLES, RESAMPLE_SEED = 1000, 0
TOLERANCE = 1e-3
"""In percent, between the mAP that a record says and that of the logits beside it."""


class Record(Settings):
    """What a run of a comparison came to: the content of its JSON file."""

    format: Literal[1] = 1
    """Version of this description."""

    tagsight: str
    """Version of the package that wrote it."""

    name: str
    """What the comparison calls the recipe."""

    seed: int
    """Of the run."""

    recipe: dict[str, JsonValue]
    """A `Recipe`: system and all settings."""

    data_hash: str
    """Of names, photos, targets and splits."""

    split_hash: str
    """Of the record of the splits."""

    split: Literal["val", "test"]
    """What was measured; the epoch was chosen on ``val``, unless the last one is kept."""

    image_size: int
    """Side, in pixels."""

    weights: str
    """Backbone and its first weights."""

    runtime: str
    """Device and precision."""

    minutes: float
    """Of training."""

    measuring_minutes: float
    """Of all that came after it."""

    parameters: int
    """Numbers in the network, those that are not trained included."""

    epoch: int
    """That was kept, counted from 1: the best on ``val``, or the last."""

    validation: dict[str, float | None]
    """Metrics on ``val`` after it, in percent; none without such photos."""

    report: dict[str, JsonValue]
    """What `tagsight.evaluation.evaluate` measured, and perhaps ``evidence``."""


@dataclass(frozen=True, eq=False)
class Result:
    """A run's record and what the model said.

    Args:
        record: What the JSON file holds.
        logits: ``(N, L)`` float32, of the photos that were measured.
        targets: ``(N, L)`` int8 in {1, 0, -1}.
    """

    record: Record
    logits: Tensor
    targets: Tensor

    @cached_property
    def left_out(self) -> dict[str, list[str]]:
        """Labels that stay out of mAP, by the reason (`measured_labels.left_out_labels`)."""
        found = _part({"left_out": {}} | self.record.report, "left_out")
        if not (
            found.keys() <= REASONS.keys() and all(isinstance(v, list) for v in found.values())
        ):
            raise TypeError("left_out")
        return dict(found)

    @cached_property
    def positives(self) -> dict[str, int]:
        """How many of the photos have each label."""
        labels = _part(self.record.report, "per_label")
        counts = {name: _part(labels, name)["count"] for name in labels}
        if not all(isinstance(count, int) for count in counts.values()):
            raise TypeError("count")
        return counts

    @cached_property
    def counted(self) -> Tensor:
        """The targets, unknown where a label stays out of mAP for want of a training photo."""
        untrained = self.left_out.get("without_training_photo", [])
        trained = torch.tensor([name not in untrained for name in self.positives])
        return counted_targets(self.targets, trained)

    @cached_property
    def estimate(self) -> Estimate:
        """The mAP as a fraction, and that of every resample of the photos."""
        value, _ = mean_average_precision(average_precision(self.logits, self.counted))
        draws = map_draws(self.logits, self.counted, seed=RESAMPLE_SEED, resamples=RESAMPLES)
        return Estimate(value, draws)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """Every number of the record that a table shows, under one name each."""
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
"""As `metrics.PrecisionRecall.as_dict` names them."""


def write_result(folder: Path, result: Result) -> Path:
    """Write a result; the JSON file comes last, so that where it is the logits are too.

    Returns:
        The JSON file.
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
    """Read all results of a folder, in the order of their files' names.

    Raises:
        DataError: If a file is damaged or none.
    """
    return [read_result(file) for file in sorted(folder.glob("*.json"))]


def read_result(file: Path) -> Result:
    """Read a result.

    Raises:
        DataError: If it is damaged, none, or its two files are of different runs.
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
        said, labels, _ = result.metrics["mAP"], len(result.positives), result.left_out
    except (KeyError, TypeError) as error:
        msg = f"{file}: expected a report of tagsight's evaluation, got one without {error}"
        raise DataError(msg) from error
    shaped = logits.shape == targets.shape == (len(logits), labels)
    if not shaped or not _agrees(result, said):
        msg = f"{file}: expected the logits in {arrays.name} to be of the same run; copy both again"
        raise DataError(msg)
    return result


def result_file(folder: Path, name: str, seed: int) -> Path:
    """Where the result of a run is."""
    return folder / f"{name}-{seed}.json"


def _record(file: Path) -> Record:
    if file.stat().st_size > LARGEST_RECORD:
        msg = f"{file}: expected a result of at most {LARGEST_RECORD:,} bytes"
        raise DataError(msg)
    try:
        record = Record.model_validate(from_json(file.read_bytes()))
    except ValidationError as error:
        msg = f"{file}: expected a result of tagsight compare: {settings_sentence(error)}"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{file}: expected a result of tagsight compare, got no JSON: {error}"
        raise DataError(msg) from error
    if result_file(file.parent, record.name, record.seed) != file:
        msg = f"{file}: expected the result of {record.name}-{record.seed}; give it that name again"
        raise DataError(msg)
    return record


def _agrees(result: Result, said: float | None) -> bool:
    try:
        value, _ = mean_average_precision(average_precision(result.logits, result.counted))
    except ValueError:  # not numbers
        return False
    return said is None or abs(100 * value - said) < TOLERANCE


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
