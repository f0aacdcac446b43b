"""The report of an evaluation in Chromium: thresholds that are moved, and photos that change."""

import numpy as np
import pytest
import torch
from accessible import require_accessible
from channels import channels_model, corner

from tagsight.checkpoint.decision import Decision
from tagsight.data.annotations import Annotations
from tagsight.evaluation.evaluate import report_on
from tagsight.evaluation.measured import Measured
from tagsight.evaluation.predictions import Predictions
from tagsight.metrics.classification import precision_recall
from tagsight.runtime.device import Runtime
from tagsight.visualize.reports.evaluation_report import evaluation_report


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Measured:
    """A model that is wrong now and then, on 30 photos with three labels."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.png" for number in range(30)]
    for number, path in enumerate(paths):
        corner(("red", "green", "blue")[number % 3], (60, 40)).save(path)
    random = torch.Generator().manual_seed(0)
    targets = torch.eye(3, dtype=torch.long).repeat(10, 1)
    logits = 4.0 * targets - 2 + 2 * torch.randn(30, 3, generator=random)
    model = channels_model()
    object.__setattr__(model, "decision", Decision(np.full(3, 0.5)))
    rows = Annotations(model.labels.names, tuple(paths), targets, None, "any")
    report = report_on(model, rows, Predictions(logits, 9.0))
    return Measured(model, rows, logits, report)


@pytest.fixture(scope="module")
def evaluation(measured) -> str:
    return evaluation_report(measured, "Evaluation", Runtime(torch.device("cpu"), "float32"))


def test_a_threshold_that_is_moved_changes_the_figures_as_it_would_the_decisions(
    opened, measured, evaluation
):
    page = opened(evaluation)
    slider = page.get_by_label("threshold of red")
    slider.focus()
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    red = page.locator("tr[data-label='0']")
    place = int(slider.input_value())
    cuts = page.evaluate("JSON.parse(document.querySelector('#data').textContent).labels[0]")
    scores = measured.model.decision.scores(measured.logits.numpy())
    reached = sum(cuts["nearest"][i][1] > place for i in range(len(cuts["nearest"])))
    assert red.locator(".predicted").inner_text() == str(reached)
    order = np.sort(scores[:, 0])[::-1]
    predicted = torch.from_numpy(scores >= np.array([order[reached - 1], 0.5, 0.5]))
    quality = precision_recall(predicted, measured.rows.targets)
    assert red.locator(".recall").inner_text() == f"{100 * quality.per_label.recall[0]:.1f}"
    together = page.locator("tr.together")
    for kind, value in zip(("precision", "recall", "f1"), quality.overall, strict=True):
        assert together.locator(f".{kind}").inner_text() == f"{100 * value:.1f}"
    means = page.locator("tr.means")
    assert means.locator(".f1").inner_text() == f"{100 * quality.mean_f1:.1f}"


def test_photos_that_change_are_shown_and_the_threshold_can_be_taken_back(opened, evaluation):
    page = opened(evaluation)
    before = page.locator("tr[data-label='1']").inner_text()
    page.get_by_label("threshold of green").focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    panel = page.locator("tr.detail")
    assert "lose the label" in panel.inner_text()
    assert panel.locator(".gallery img").count() >= 1
    page.get_by_role("button", name="Back to the model's threshold").click()
    assert page.locator("tr[data-label='1']").inner_text() == before
    assert "Just predicted" in panel.inner_text()
    for gallery, right in zip(panel.locator(".gallery").all(), ("present", "absent"), strict=True):
        shown = gallery.locator("li b").all_inner_texts()
        assert any(right in text for text in shown)
        assert all(text.startswith("right") == (right in text) for text in shown), shown
    page.get_by_role("button", name="green", exact=True).click()
    assert panel.count() == 0


def test_without_javascript_all_of_it_can_be_read(opened, evaluation):
    page = opened(evaluation, java_script_enabled=False)
    text = page.inner_text("main")
    for part in ("mAP", "mean of the labels", "Worst misses", "threshold 0.50", "recall in %"):
        assert part in text, part
    assert page.locator("input, thead button").count() == 0


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_keeps_to_the_width(opened, evaluation, width, scheme):
    page = opened(evaluation, width, scheme)
    page.get_by_role("button", name="red", exact=True).click()
    require_accessible(page)
