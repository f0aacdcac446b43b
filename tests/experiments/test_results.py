from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from contest import a_result

from tagsight.errors import DataError
from tagsight.experiments.results import RATES, read_result, read_results, write_result
from tagsight.metrics.bootstrap import bootstrap_map
from tagsight.metrics.classification import precision_recall
from tagsight.runtime.arrays import write_arrays

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path) -> Path:
    return write_result(tmp_path, a_result("gcam-cpu", 1, evidence=True))


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_a_result_is_read_as_it_was_written(file: Path):
    written, read = a_result("gcam-cpu", 1, evidence=True), read_result(file)
    assert file.name == "gcam-cpu-1.json"
    assert read.record == written.record
    assert torch.equal(read.logits, written.logits)
    assert torch.equal(read.targets, written.targets)
    assert read.metrics == written.metrics


def test_all_results_of_a_folder_are_read(file: Path):
    write_result(file.parent, a_result("gcam-cpu", 0))
    assert [result.record.seed for result in read_results(file.parent)] == [0, 1]
    assert read_results(file.parent / "none") == []


def test_a_result_has_every_number_of_the_literature_by_every_rule():
    metrics = a_result("gcam-cpu").metrics
    quality = precision_recall(torch.ones(1, 1).bool(), torch.ones(1, 1).long()).as_dict()
    assert tuple(quality) == RATES
    for rule in ("all", "thresholds", "top3", "top3_from_half"):
        assert {f"{rule}_{rate}" for rate in RATES} <= set(metrics)
    assert metrics["top3_CR"] != metrics["top3_from_half_CR"]


def test_the_estimate_is_the_map_of_the_report_with_its_interval():
    result = a_result("gcam-cpu")
    assert 100 * result.estimate.value == pytest.approx(result.metrics["mAP"], abs=1e-4)
    expected = bootstrap_map(result.logits, result.targets, seed=0)
    assert result.estimate.interval == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 2}, "expected a result of `tagsight.compare()`: format"),
        ({"nonsense": 2}, "nonsense"),
        ({"seed": 4}, "expected the file name gcam-cpu-4.json"),
        ({"report": {}}, "expected a report of tagsight's evaluation, got one without 'mAP'"),
        ({"report": {"mAP": 3, "all": 4}}, "got one without all"),
    ],
)
def test_a_file_that_is_no_result_is_named(file: Path, values: dict[str, object], message: str):
    change(file, **values)
    with pytest.raises(DataError) as raised:
        read_result(file)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)


def test_text_and_giants_are_no_results(file: Path, monkeypatch):
    file.write_text("{")
    with pytest.raises(DataError, match="got no JSON"):
        read_result(file)
    monkeypatch.setattr("tagsight.experiments.results.LARGEST_RECORD", 0)
    with pytest.raises(DataError, match="expected a result of at most 0 bytes"):
        read_result(file)


def test_logits_of_another_run_are_recognised(file: Path):
    other = write_result(file.parent, a_result("gcam-cpu", 0))
    other.with_suffix(".npz").replace(file.with_suffix(".npz"))
    with pytest.raises(DataError, match=r"of the same run in .*; copy both files again"):
        read_result(file)
    file.with_suffix(".npz").unlink()
    with pytest.raises(DataError, match=r"beside it in gcam-cpu-1\.npz, which does not exist"):
        read_result(file)


def test_logits_that_are_not_numbers_are_recognised(file: Path):
    targets = np.ones((3, 5), dtype=np.int8)
    logits = np.full((3, 5), np.nan, dtype=np.float32)
    write_arrays(file.with_suffix(".npz"), logits=logits, targets=targets)
    with pytest.raises(DataError, match="expected logits of the same run"):
        read_result(file)
