import json

import numpy as np
import pytest
import torch
from contest import a_result

from tagsight.errors import DataError
from tagsight.experiments.results import RATES, read_result, read_results, write_result
from tagsight.metrics.bootstrap import bootstrap_map
from tagsight.runtime.arrays import write_arrays


@pytest.fixture
def file(tmp_path):
    return write_result(tmp_path, a_result("gcam-cpu", 1, evidence=True))


def test_results_of_a_folder_are_read_as_they_were_written(file):
    assert file.name == "gcam-cpu-1.json"
    written = a_result("gcam-cpu", 1, evidence=True)
    write_result(file.parent, a_result("gcam-cpu", 0))
    other, read = read_results(file.parent)
    assert (read.record, read.metrics) == (written.record, written.metrics)
    assert torch.equal(read.logits, written.logits)
    assert torch.equal(read.targets, written.targets)
    assert other.record.seed == 0
    assert read_results(file.parent / "none") == []


def test_a_result_has_every_number_of_the_literature_by_every_rule():
    metrics = a_result("gcam-cpu").metrics
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
        (None, "got no JSON"),
        ({"nonsense": 10**6 * "x"}, "expected a result of at most 100,000 bytes"),
    ],
)
def test_a_file_that_is_no_result_is_named(file, values, message, monkeypatch):
    monkeypatch.setattr("tagsight.experiments.results.LARGEST_RECORD", 100_000)
    written = json.loads(file.read_text())
    file.write_text("{" if values is None else json.dumps({**written, **values}))
    with pytest.raises(DataError) as raised:
        read_result(file)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)


def test_logits_of_another_run_and_such_that_are_no_numbers_are_recognised(file):
    arrays = file.with_suffix(".npz")
    other = write_result(file.parent, a_result("gcam-cpu", 0))
    other.with_suffix(".npz").replace(arrays)
    with pytest.raises(DataError, match=r"of the same run in .*; copy both files again"):
        read_result(file)
    targets = np.ones((3, 5), dtype=np.int8)
    write_arrays(arrays, logits=np.full((3, 5), np.nan, dtype=np.float32), targets=targets)
    with pytest.raises(DataError, match="expected logits of the same run"):
        read_result(file)
    arrays.unlink()
    with pytest.raises(DataError, match=r"beside it in gcam-cpu-1\.npz, which does not exist"):
        read_result(file)
