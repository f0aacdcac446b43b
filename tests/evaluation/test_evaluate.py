import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from channels import NAMES, Channels, channels_model, corner
from torch.testing import assert_close

from tagsight.checkpoint.decision import Decision
from tagsight.data.annotations import Annotations
from tagsight.evaluation.evaluate import evaluate, measure
from tagsight.evaluation.evidence_report import measure_evidence
from tagsight.evaluation.percents import percent, percent_interval
from tagsight.evaluation.predictions import predict
from tagsight.evaluation.report_text import report_lines
from tagsight.loading.batches import PhotoStore
from tagsight.metrics.classification import Conventions
from tagsight.runtime.device import Runtime

RUNTIME = Runtime(torch.device("cpu"), "float32")

# Label a: present in the photos ranked 1, 3 and 4, AP = (1/1 + 2/3 + 3/4) / 3.
# Label b: present in the photos ranked 1 and 2, AP = 1; its last target is unknown.
LOGITS = torch.tensor([[2.0, 3.0], [1.0, -1.0], [-1.0, 1.0], [-2.0, -3.0]])
TARGETS = torch.tensor([[1, 1], [0, 0], [1, 1], [1, -1]])
# Scores of a: .88 .73 .27 .12, of b: .95 .27 .73.
DECISION = Decision(np.array([0.2, 0.9]))


def by_hand(**changes: Any) -> dict[str, Any]:
    values = {"logits": LOGITS, "targets": TARGETS, "names": ("a", "b"), "decision": DECISION}
    return measure(**values | changes, seed=0)


@pytest.fixture(autouse=True, scope="module")
def _few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagsight.evaluation.evaluate.RESAMPLES", 100)
        patch.setattr("tagsight.evaluation.evaluate.RATE_RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return by_hand()


def random_split(photos: int = 200, labels: int = 5):
    generator = torch.Generator().manual_seed(1)
    targets = (torch.rand(photos, labels, generator=generator) < 0.3).long()
    return 2 * targets - 1 + torch.randn(photos, labels, generator=generator), targets


def measured(logits, targets, **options: Any) -> dict[str, Any]:
    size = logits.shape[1]
    names = tuple(f"label {i}" for i in range(size))
    return measure(logits, targets, names, Decision.default(size), seed=0, **options)


def picked(values: dict[str, Any], names: str) -> list[float]:
    return [values[name] for name in names.split()]


def test_average_precision_is_that_of_the_hand_worked_photos_by_each_convention(report):
    assert report["mAP"] == pytest.approx(100 * ((1 + 2 / 3 + 3 / 4) / 3 + 1) / 2, abs=1e-3)
    assert report["labels_counted"] == 2
    variants = report["mAP_variants"]
    # Raised to the best at the same or a higher recall: 1, 3/4, 3/4.
    assert variants["voc2010"] == pytest.approx(100 * ((1 + 3 / 4 + 3 / 4) / 3 + 1) / 2, abs=1e-3)
    # Recalls of 0 to .3 are reached with the first photo, .4 to 1 not before the third.
    assert variants["voc2007"] == pytest.approx(100 * ((4 * 1 + 7 * 0.75) / 11 + 1) / 2, abs=1e-3)
    assert variants["ties_in_order"] == report["mAP"]


def test_conventions_change_decisions_and_never_map(report):
    other = by_hand(conventions=Conventions("wrong", "absent"))
    assert other["conventions"] == {"never_predicted": "wrong", "unknown": "absent"}
    assert report["conventions"] == {"never_predicted": "zero", "unknown": "left_out"}
    # The unknown target of b is not predicted, so that only its top 3 tell the difference.
    assert other["top3"]["exact"]["OP"] < report["top3"]["exact"]["OP"]
    same = "mAP mAP_variants calibration"
    assert picked(other, same) == picked(report, same)


def test_labels_are_decided_at_their_own_thresholds(report):
    # a is predicted in the first three photos, b in the first.
    fields = "AP count few threshold precision recall"
    assert picked(report["per_label"]["a"], fields) == [80.5556, 3, True, 0.2, 66.6667, 66.6667]
    assert picked(report["per_label"]["b"], fields) == [100, 2, True, 0.9, 100, 50]
    assert picked(report["all_at_thresholds"], "CP CR OP OR") == [83.3333, 58.3333, 75, 60]


def test_all_decides_at_a_score_of_one_half_and_top_three_takes_both_or_those_above(report):
    # a: 1 of 2 predictions right, 1 of 3 found; b: 2 of 2 and 2 of 2.
    half, exact = report["all"], report["top3"]["exact"]
    assert picked(half, "CP CR OP OR OF1") == [75, 66.6667, 75, 60, 66.6667]
    assert half["CF1"] == pytest.approx(2 * 75 * 66.6667 / (75 + 66.6667), abs=1e-3)
    assert half["CF1_mean"] == (40 + 100) / 2
    # Seven known targets, five of them present.
    assert (exact["OP"], exact["OR"]) == (pytest.approx(100 * 5 / 7, abs=1e-3), 100)
    assert report["top3"]["thresholded"] == half


def test_calibration_compares_scores_with_what_is_present_with_the_temperature_and_without(report):
    # In bins of their own: .27 twice and .73 twice, one of two present; .12, .88 and .95, present.
    expected = 2 * (0.5 - 0.26894) + 2 * (0.73106 - 0.5) + 0.88080 + 0.11920 + 0.04743
    calibration = report["calibration"]
    assert calibration["expected_error"] == pytest.approx(100 * expected / 7, abs=1e-2)
    assert calibration["temperature"] == 1
    half = by_hand(logits=LOGITS / 2)["calibration"]
    cooled = by_hand(decision=Decision(DECISION.thresholds, 2.0))["calibration"]
    assert cooled["expected_error"] == half["expected_error"] != calibration["expected_error"]
    assert cooled["expected_error_before"] == calibration["expected_error"]


def test_no_interval_leaves_what_a_fraction_can_be():
    assert percent_interval((-0.1, 1.1)) == [0, 100]
    assert percent_interval((float("nan"), 0.5)) == [None, 50]
    assert [percent(value) for value in (float("inf"), float("-inf"), 1e308)] == [None] * 3


def test_logits_of_unknown_targets_change_nothing_but_which_labels_are_the_top_three():
    logits, targets = random_split(60)
    unknown = torch.rand(60, 5, generator=torch.Generator().manual_seed(2)) < 0.2
    targets[unknown] = -1
    others = torch.where(unknown, -5 * logits, logits)
    report, other = measured(logits, targets), measured(others, targets)
    assert report.pop("top3") != other.pop("top3")
    assert report == other


def test_scores_that_only_rank_are_decided_at_their_thresholds_and_not_at_one_half(report):
    ranking = by_hand(probabilities=False)
    assert (report["all_rule"], ranking["all_rule"]) == ("score 0.5", "thresholds")
    decided = report["all_at_thresholds"]
    assert ranking["all"] == ranking["all_at_thresholds"] == decided != report["all"]
    assert ranking["top3"]["exact"] == report["top3"]["exact"]
    # Both labels are among the best three, so that the thresholds alone decide.
    assert ranking["top3"]["thresholded"] == decided
    assert picked(ranking, "mAP per_label") == picked(report, "mAP per_label")
    reason = "scores of this system rank photos and are no probabilities"
    missing = {"expected_error": None, "expected_error_before": None}
    assert ranking["calibration"] == missing | {"reason": reason, "temperature": 1}


@pytest.mark.parametrize("target", [0, -1])
def test_what_is_not_defined_is_none_and_never_nan(target):
    logits, targets = random_split(40)
    targets[:, 1] = target
    report = measured(logits, targets)
    assert picked(report["per_label"]["label 1"], "AP recall") == [None, None]
    assert report["labels_counted"] == 4
    nothing = measured(logits, torch.full_like(targets, target))
    assert picked(nothing, "mAP mAP_interval") == [None, [None, None]]
    json.dumps([report, nothing], allow_nan=False)


def test_what_would_flatter_the_mean_stays_out_of_it_and_is_named():
    """A label without a training photo, and those that all or none of the photos have."""
    logits, targets = random_split(60, 5)
    targets[:, 1], targets[:, 2] = 1, 0
    logits[:, 3] = 2 * targets[:, 3] - 1  # ranked without a mistake, and yet by chance
    report = measured(logits, targets, trained=torch.tensor([True, True, True, False, True]))
    assert report["left_out"] == {
        "without_negative": ["label 1"],
        "without_positive": ["label 2"],
        "without_training_photo": ["label 3"],
    }
    assert (report["labels_counted"], report["labels"]) == (2, 5)
    means = "mAP mAP_interval mAP_variants"
    alone = measured(logits[:, [0, 4]], targets[:, [0, 4]])
    assert picked(report, means) == picked(alone, means)
    assert report["per_label"]["label 3"]["AP"] == 100


@pytest.fixture
def annotations(tmp_path) -> Annotations:
    """A red, a green and a blue photo, and a black one of which ``green`` is not known."""
    for name in NAMES:
        corner(name).save(tmp_path / f"{name}.png")
    corner(brightness=0).save(tmp_path / "black.png")
    paths = tuple(tmp_path / f"{name}.png" for name in (*NAMES, "black"))
    targets = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0]])
    return Annotations(NAMES, paths, targets, ("test",) * 4, "csv-columns")


def test_predictions_come_in_the_order_of_the_photos(annotations):
    done = []
    store = PhotoStore(annotations.paths, 32, memory=0)
    system = Channels().train()
    logits, rate = predict(system, store, RUNTIME, batch_size=3, progress=done.append)
    # A quarter of the photo is at 40 - 2, the rest at -2.
    assert_close(logits, torch.cat([10 * torch.eye(3), torch.zeros(1, 3)]) - 2)
    assert done == sorted(done)
    assert (done[-1], rate > 0, system.training, logits.requires_grad) == (4, True, False, False)


def test_on_a_cpu_few_photos_pass_at_once_so_that_large_ones_fit_into_memory(annotations):
    model, sizes = channels_model(), []
    model.system.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    many = annotations.select([*range(4)] * 10)
    evaluate(model, many, RUNTIME)
    measure_evidence(model, many, RUNTIME, pairs=None)
    assert set(sizes) == {16, 8}


def test_a_report_says_what_was_measured(annotations):
    model, done = channels_model(), []
    report = evaluate(model, annotations, RUNTIME, progress=done.append)
    assert report["photos"] == done[-1] == 4
    assert report["photos_per_second"] > 0
    assert (
        report.items()
        >= {
            "mAP": 100,
            "split_hash": annotations.hash(),
            "image_size": model.recipe.training.image_size,
            "system": "channels",
            "recipe": "channels",
            "seed": 0,
            "weights": "efficientnet_lite0, imagenet",
        }.items()
    )
    json.dumps(report, allow_nan=False)


def test_labels_are_matched_by_name_and_those_that_the_data_lack_not_measured(annotations):
    model = channels_model()
    fewer = replace(annotations, names=("sky", "blue"), targets=annotations.targets[:, [0, 2]])
    report = evaluate(model, fewer.matched_to(model.labels.names), RUNTIME)
    assert report["labels_counted"] == 1
    assert report["per_label"].keys() == set(NAMES)
    assert report["per_label"]["blue"]["AP"] == 100
    assert picked(report["per_label"]["red"], "AP count precision recall") == [None, 0, None, None]
    assert report["left_out"] == {"not_in_data": ["red", "green"]}
    assert report["unmatched"] == ["sky"]
    assert "as the data do not have them: 'red', 'green'" in "\n".join(report_lines(report))


class Ranks(Channels):
    probabilities = False


@pytest.mark.parametrize(("system", "rule"), [(Channels, "score 0.5"), (Ranks, "thresholds")])
def test_every_report_can_be_read_on_a_terminal(annotations, system, rule):
    for rows in (annotations, replace(annotations, targets=-torch.ones(4, 3).long())):
        report = evaluate(channels_model(system()), rows, RUNTIME)
        assert report["all_rule"] == rule
        text = "\n".join(report_lines(report))
        assert "mAP" in text
        assert "nan" not in text
