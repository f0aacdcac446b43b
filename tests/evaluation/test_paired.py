from dataclasses import replace
from pathlib import Path

import pytest
import torch
from channels import channels_model

from tagsight.data.annotations import Annotations
from tagsight.evaluation.evaluate import report_on
from tagsight.evaluation.measured import Measured
from tagsight.evaluation.paired import paired_lines, paired_report
from tagsight.evaluation.predictions import Predictions
from tagsight.labels.space import empty_label_space
from tagsight.metrics.bootstrap import map_draws
from tagsight.metrics.significance import Estimate, paired_difference

PATHS = tuple(Path(f"{number}.jpg") for number in range(80))


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("tagsight.evaluation.evaluate.RESAMPLES", 200)


def measured(noise: float, names: tuple[str, ...] = ("cat", "cow", "dog")) -> Measured:
    """A model that is the worse, the more noise; labels are those of the alphabet's order."""
    random = torch.Generator().manual_seed(round(10 * noise))
    targets = torch.rand(80, 3, generator=torch.Generator().manual_seed(1)) < 0.3
    known = ["cat", "cow", "dog"]
    columns = [known.index(name) for name in names]
    logits = (4.0 * targets - 2 + noise * torch.randn(80, 3, generator=random))[:, columns]
    rows = Annotations(names, PATHS, targets[:, columns].long(), None, "any")
    model = replace(channels_model(names=names), labels=empty_label_space(names))
    return Measured(model, rows, logits, report_on(model, rows, Predictions(logits, 1.0)))


def test_the_difference_is_that_of_the_means_on_the_same_resamples():
    good, bad = measured(1.0), measured(4.0)
    report = paired_report(good, bad)
    estimates = [
        Estimate(
            one.report["mAP"] / 100,
            map_draws(one.logits, one.rows.targets, seed=0, resamples=200),
        )
        for one in (good, bad)
    ]
    expected = paired_difference(*estimates)
    assert report["difference"] == pytest.approx(100 * expected.value, abs=1e-3)
    assert report["p"] == pytest.approx(expected.p, abs=1e-4)
    low, high = expected.interval
    assert report["interval"] == pytest.approx([100 * low, 100 * high], abs=1e-3)


def test_exchanging_the_models_turns_all_signs():
    one, other = measured(1.0), measured(4.0)
    there, back = paired_report(one, other), paired_report(other, one)
    assert there["difference"] == -back["difference"]
    for name, values in there["per_label"].items():
        assert values["difference"] == -back["per_label"][name]["difference"]
        assert values["p"] == back["per_label"][name]["p"]
        assert values["mended"] == back["per_label"][name]["broken"]


def test_labels_are_matched_by_name_and_others_are_listed():
    report = paired_report(measured(1.0), measured(1.0, ("dog", "cat")))
    assert (report["labels"], report["only_first"], report["only_second"]) == (2, ["cow"], [])
    assert report["difference"] == 0
    assert set(report["per_label"]) == {"cat", "dog"}
    assert all(values["p"] == 1 for values in report["per_label"].values())


def test_a_single_photo_of_a_label_shows_no_difference_between_models():
    good, bad = measured(0.5), measured(9.0)
    targets = good.rows.targets.clone()
    targets[:, 0] = 0
    targets[bad.logits[:, 0].argmin(), 0] = 1
    first, second = (one._replace(rows=replace(one.rows, targets=targets)) for one in (good, bad))
    cat, cow, _ = paired_report(first, second)["per_label"].values()
    assert cat["difference"] > 5
    assert (cat["interval"], cat["p"]) == ([None, None], 1)
    assert cow["p"] < 0.05
    assert None not in cow["interval"]


def test_the_text_names_sure_labels_and_what_the_other_model_may_have_learned():
    report = paired_report(measured(0.5), measured(9.0)) | {"model": "old/model", "outside": 7}
    lines = list(paired_lines(report))
    assert "of old/model, over 3 labels: difference +" in lines[0]
    assert lines[1] == "this model has the higher mAP, by more than chance"
    assert "7 photos of these were not in this split" in lines[2]
    assert "more than chance" in lines[3]
    assert "cat +" in lines[3]
    level = report | {"difference": -0.04, "interval": [-0.02, 0.3]}
    assert "difference +0.0 (+0.0 to +0.3)" in next(paired_lines(level))


def test_the_text_says_plainly_which_model_is_better_or_that_nobody_knows():
    good, bad = measured(0.5), measured(9.0)
    worse = list(paired_lines(paired_report(bad, good) | {"model": "old/model"}))
    assert worse[1] == "old/model has the higher mAP, by more than chance"
    same = list(paired_lines(paired_report(good, good) | {"model": "old/model"}))
    assert same[1] == "the difference may be chance: neither is shown to have the higher mAP"
    assert same[2].startswith("no label differs by more than chance")
