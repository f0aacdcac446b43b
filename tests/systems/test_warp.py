import json

import pytest
import torch
from tiny import drawn, tiny_system
from tiny_run import RUNTIME, Diary, tiny_collection, tiny_recipe
from torch.testing import assert_close

from tagsight.checkpoint.folder import load_model
from tagsight.evaluation.evaluate import evaluate
from tagsight.evaluation.report_text import report_lines
from tagsight.nn.losses import ranking_loss
from tagsight.systems.warp import WARPConfig
from tagsight.training.run import train_run


@pytest.mark.parametrize(
    ("settings", "renamed"),
    [
        ({}, {}),
        ({"ranking": "hinge"}, {}),
        ({"ranking": "softmax"}, {}),
        ({"ranking": "sampled", "trials": 2}, {}),
        ({"violators": "mean"}, {}),
        ({"label_reduction": "mean"}, {"reduction": "mean"}),
    ],
)
def test_it_is_the_linear_baseline_with_the_ranking_loss_of_its_settings(settings, renamed):
    system, baseline = tiny_system("warp", **settings), tiny_system("resnet")
    system.load_state_dict(baseline.state_dict())
    images, targets = drawn(4)
    assert_close(system(images), baseline(images))
    torch.manual_seed(0)
    expected = ranking_loss(baseline(images).logits, targets, **(renamed or settings))
    torch.manual_seed(0)
    assert_close(system.losses(images, targets), {"labels": expected})


@pytest.mark.parametrize(
    ("setting", "value"),
    [("loss", "asymmetric"), ("label_weights", "vac"), ("label_smoothing", 0.1)],
)
def test_settings_of_losses_that_it_has_not_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: expected the default for WARP"):
        WARPConfig.model_validate({setting: value})


def test_a_run_fits_thresholds_and_is_measured_by_them(tmp_path):
    rows = tiny_collection(tmp_path)
    outcome = train_run(rows, tiny_recipe("warp"), tmp_path / "run", RUNTIME, log=Diary())
    model = load_model(outcome.model)
    judged = rows.rows("val")
    report = evaluate(model, judged, RUNTIME)
    assert report["all_rule"] == "thresholds"
    assert report["all"] == report["all_at_thresholds"]
    assert report["calibration"]["expected_error"] is None
    json.dumps(report, allow_nan=False)
    assert any("no probabilities" in line for line in report_lines(report))
    assert "Scores are not probabilities" in (outcome.model / "README.md").read_text()
