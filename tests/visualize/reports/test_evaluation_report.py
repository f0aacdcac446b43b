"""The report of an evaluation: whole, small, safe, and right at every threshold."""

from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import pytest
import torch
from channels import Channels, channels_model, corner
from report_page import Page

from tagsight.checkpoint.decision import Decision
from tagsight.data.annotations import Annotations
from tagsight.evaluation.evaluate import report_on
from tagsight.evaluation.measured import Measured
from tagsight.evaluation.paired import paired_report
from tagsight.evaluation.predictions import Predictions
from tagsight.labels.space import empty_label_space
from tagsight.metrics.classification import Conventions
from tagsight.runtime.device import Runtime
from tagsight.systems.base import Recognition
from tagsight.visualize.reports.evaluation_report import evaluation_report
from tagsight.visualize.reports.label_curves import calibration_curves

RUNTIME = Runtime(torch.device("cpu"), "float32")
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=y>",
    "dog\u202egpj " + "x" * 300,
)
EPOCHS = [{"epoch": 1, "loss": 2.0, "mAP": None}, {"epoch": 2, "loss": 1.0, "mAP": 50.0}]


class Repeated(Channels):
    """The maps of the colours, again and again for any number of labels."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self._labels = labels

    def forward(self, images: torch.Tensor) -> Recognition:
        logits, maps, embedding = super().forward(images)
        chosen = torch.arange(self._labels) % 3
        return Recognition(logits[:, chosen], maps[:, chosen], embedding)


@pytest.fixture(autouse=True, scope="module")
def _few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagsight.evaluation.evaluate.RESAMPLES", 50)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> tuple[Path, ...]:
    """Photos with hostile names, each with one colour in a corner."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        name = f"{number} <svg onload=y> {'long ' * 30}.png"
        corner(("red", "green", "blue")[number % 3], (60, 40)).save(folder / name)
    return tuple(sorted(folder.iterdir()))


def measured(
    paths: tuple[Path, ...],
    names: tuple[str, ...] = HOSTILE,
    *,
    conventions: Conventions = Conventions(),
    targets: torch.Tensor | None = None,
    **changes: Any,
) -> Measured:
    """A model whose scores are drawn, wrong in a quarter of the cases."""
    random = torch.Generator().manual_seed(0)
    if targets is None:
        targets = torch.randint(-1, 2, (len(paths), len(names)), generator=random)
    logits = 3.0 * targets + 3 * torch.randn(targets.shape, generator=random)
    model = replace(
        channels_model(Repeated(len(names))),
        labels=empty_label_space(names),
        decision=Decision(np.full(len(names), 0.4)),
        **changes,
    )
    rows = Annotations(names, paths, targets, None, "any")
    report = report_on(model, rows, Predictions(logits, 9.0), conventions=conventions)
    return Measured(model, rows, logits, report)


def test_the_page_is_whole_safe_and_small(photos):
    text = evaluation_report(measured(photos), HOSTILE[0], RUNTIME, split="val", epochs=EPOCHS)
    page = Page(text)
    assert [section["id"] for section in page.all("section")] == [
        *("how-far-to-trust-it", "labels", "curves", "worst-misses", "worst-false-alarms"),
        *("confused-labels", "all-figures"),
    ]
    assert not {tag for tag, _ in page.tags} & {"b-", "link", "iframe", "object", "style-"}
    assert len(page.all("script")) == 3
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert "\u202e" not in text
    assert len(text) < 1_000_000
    for part in ("fewer than 20 photos", "Loss in training", "evidence", "mean of the labels"):
        assert part.lower() in page.text.lower(), part


def test_many_epochs_are_a_line_and_a_few_have_dots_too(photos):
    found = measured(photos)
    few, many = (
        evaluation_report(
            found, "title", RUNTIME, epochs=[{"epoch": e, "loss": 1 / e} for e in range(1, last)]
        )
        for last in (9, 301)
    )
    assert few.count('r="2.5"') == 8
    assert many.count('r="2.5"') == 0


@pytest.mark.parametrize(
    ("never", "unknown"), [("zero", "left_out"), ("one", "absent"), ("wrong", "left_out")]
)
def test_the_values_for_the_script_are_those_of_the_report(photos, never, unknown):
    found = measured(photos, conventions=Conventions(never, unknown))
    data = Page(evaluation_report(found, "title", RUNTIME)).data
    assert data["neverPredicted"] == never
    for label, values in zip(data["labels"], found.report["per_label"].values(), strict=True):
        correct, wrong = (label[key][label["current"]] for key in ("correct", "wrong"))
        assert label["positives"] == values["count"]
        if correct + wrong:
            assert 100 * correct / (correct + wrong) == pytest.approx(values["precision"], abs=1e-3)
        assert 100 * correct / values["count"] == pytest.approx(values["recall"], abs=1e-3)
        assert all(str(row) in data["photos"] for row, _, _ in label["nearest"])


def test_each_label_has_a_calibration_curve_of_its_own_known_photos(photos):
    found = measured(photos)
    curves = calibration_curves(found)
    scores = found.model.decision.scores(found.logits.numpy())
    for label, curve in enumerate(curves):
        known = found.rows.targets[:, label].numpy() >= 0
        present = found.rows.targets[:, label].numpy()[known] == 1
        fifth = np.minimum((5 * scores[known, label]).astype(int), 4)
        expected = [
            (scores[known, label][fifth == one].mean(), present[fifth == one].mean())
            for one in range(5)
            if (fifth == one).any()
        ]
        assert curve == [pytest.approx(point) for point in expected]
    page = Page(evaluation_report(found, "title", RUNTIME))
    drawn = [svg for svg in page.all("svg") if "calibration" in (svg.get("class") or "")]
    assert len(drawn) == len(curves)


@pytest.mark.parametrize("labels", [80, 1000])
def test_many_labels_stay_below_five_megabytes(photos, labels):
    paths = tuple(photos[number % 12] for number in range(150))
    names = tuple(f"label {number} {'x' * 20}" for number in range(labels))
    random = torch.Generator().manual_seed(1)
    targets = (torch.rand(150, labels, generator=random) < 0.05).long()
    text = evaluation_report(measured(paths, names, targets=targets), "title", RUNTIME)
    assert len(text.encode()) < 5_000_000
    assert len(Page(text).data["labels"]) == labels


def test_labels_without_photos_and_models_that_only_rank_are_reported(photos):
    class Ranking(Repeated):
        probabilities = False

    targets = torch.zeros(len(photos), 4, dtype=torch.long)
    targets[:4, 0] = 1
    targets[:, 2] = -1
    targets[5, 3] = 1
    names = (*HOSTILE, "rare")
    found = measured(photos, names, targets=targets, system=Ranking(4).eval())
    page = Page(evaluation_report(found, "title", RUNTIME))
    assert "rank photos and are no probabilities" in page.text
    assert "no test photo" in page.text
    assert "not in the data" in page.text
    assert page.text.count("one photo, no interval") == 1
    assert "Calibration:" not in page.text


def test_a_report_takes_the_memory_that_measuring_has_freed(photos):
    found, threads = measured(photos), set()
    found.model.system.register_forward_pre_hook(lambda *_: threads.add(get_ident()))
    evaluation_report(found, "Evaluation", RUNTIME)
    assert threads == {get_ident()}  # what other threads allocate comes on top


def test_a_photo_that_is_gone_has_no_picture_and_its_name(photos, tmp_path):
    paths = (*photos[:-1], tmp_path / "gone.png")
    targets = torch.ones(len(paths), 3, dtype=torch.long)
    targets[-1, 0] = 0
    page = Page(evaluation_report(measured(paths, targets=targets), "title", RUNTIME))
    assert len(page.all("figure")) > 2


def test_two_models_stand_side_by_side_with_the_evidence_of_both(photos):
    targets = torch.randint(0, 2, (len(photos), 3), generator=torch.Generator().manual_seed(0))
    targets[1:, 0] = 0
    targets[0, 0] = 1
    first, second = (measured(photos, targets=targets) for _ in range(2))
    flipped = second._replace(logits=-second.logits)
    first.report["against"] = {**paired_report(first, flipped), "model": HOSTILE[1], "outside": 2}
    text = evaluation_report(first, "title", RUNTIME, against=flipped)
    page = Page(text)
    assert {"against-the-other-model", "mended", "broken"} <= {
        section["id"] for section in page.all("section")
    }
    assert "2 photos of these were not in this split" in page.text
    assert "p is corrected for the number of labels" in page.text
    assert page.text.count("one photo, no interval") == 2, "of the model, and of the difference"
    pairs = [one for one in page.all("div") if one.get("class") == "pair"]
    assert pairs
    assert "mAP against  " in page.text
    drawn = [part.partition("<figcaption")[0] for part in text.split('class="pair"')[1:]]
    assert {part.count("<img") for part in drawn if "no evidence in either model" in part} == {1}
    assert {part.count("<img") for part in drawn if "logits" in part} == {2}
