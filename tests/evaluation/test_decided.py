import numpy as np
import pytest
import torch

from tagsight.checkpoint.decision import Decision
from tagsight.evaluation.decided import decide
from tagsight.labels.one_of import OneOf
from tagsight.metrics.calibration import expected_calibration_error


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("groups", [(), (OneOf((0, 2)),)])
def test_decisions_in_parts_equal_those_of_the_whole_table(
    temperature, groups, generator, monkeypatch
):
    logits = 3 * torch.randn(50, 3, generator=generator)
    targets = torch.randint(-1, 2, (50, 3), generator=generator, dtype=torch.int8)
    decision = Decision(np.array([0.3, 0.5, 0.7]), temperature, groups)
    monkeypatch.setattr("tagsight.evaluation.decided.CELLS_AT_ONCE", 20)
    decided = decide(logits, targets, decision)
    scores = decision.scores(logits)
    assert (decided.predicted.numpy() == decision.predicted(scores)).all()
    expected = expected_calibration_error(torch.from_numpy(scores), targets)
    assert decided.error == pytest.approx(expected, rel=1e-12)
    before = expected_calibration_error(logits.double().sigmoid(), targets)
    assert decided.error_before == pytest.approx(before, rel=1e-12)
