import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from contest import a_result

sys.path.insert(0, str(Path(__file__).parents[1] / "visualize" / "reports"))

from report_page import Page

from tagsight.experiments.comparison import Progress
from tagsight.experiments.comparison_report import MEANINGS, comparison_report
from tagsight.experiments.comparison_tables import tables
from tagsight.experiments.summary import summarise
from tagsight.experiments.training_curves import read_histories, training_curves

HOSTILE = "<img src=x onerror=y>"


def test_a_comparison_is_a_page_with_every_system_label_and_note():
    names = ("gcam-cpu", HOSTILE)
    summary = summarise(Progress(tuple(a_result(name, seed) for name in names for seed in (0, 1))))
    text = comparison_report(summary, HOSTILE)
    page = Page(text)
    assert [section["id"] for section in page.all("section")][:3] == [
        *("systems", "labels", "precision,-recall-and-f1"),
    ]
    assert page.all("img") == []
    for label in summary.rows[0].results[0].positives:
        assert label in page.text
    for note in summary.notes:
        assert note in page.text
    assert len(text) < 100_000


def test_the_headline_says_of_every_system_whether_it_is_worse_by_more_than_chance():
    names = ("gcam-cpu", "resnet-cpu", "csra-cpu")
    summary = summarise(Progress(tuple(a_result(name, 0) for name in names)))
    best, one, other = summary.rows
    sure = replace(summary, rows=(best, replace(one, p=0.001), replace(other, p=0.5)))
    text = Page(comparison_report(sure)).text
    assert f"Worse by more than chance (p below 0.05, corrected): {one.name}." in text
    assert f"The difference may be chance: {other.name}." in text


def test_every_table_says_what_its_columns_are():
    summary = replace(summarise(Progress((a_result("gcam-cpu", 0),))), has_evidence=True)
    page = Page(comparison_report(summary))
    _, *others = tables(summary)
    assert {table.title for table in others} == set(MEANINGS)
    assert all(MEANINGS[table.title] in page.text for table in others)


def test_the_curves_of_every_run_are_drawn_from_its_log(tmp_path):
    summary = summarise(Progress((a_result("gcam-cpu", 0), a_result(HOSTILE.replace("/", ""), 0))))
    folder = tmp_path / "runs" / "gcam-cpu-0"
    folder.mkdir(parents=True)
    lines = [
        {"kind": "step", "epoch": epoch, "step": 1, "loss": 3.0 - epoch, "losses": {}}
        for epoch in (1, 2)
    ]
    lines += [{"kind": "epoch", "epoch": epoch, "mAP": 20.0 * epoch} for epoch in (1, 2)]
    (folder / "run.jsonl").write_text("\n".join(map(json.dumps, lines)))
    histories = read_histories(tmp_path, summary)
    assert list(histories) == ["gcam-cpu"], "a run without a log is left out"
    page = Page(comparison_report(summary, "Comparison", histories))
    assert "training" in [section["id"] for section in page.all("section")]
    labels = [svg["aria-label"] for svg in page.all("svg") if svg.get("class") == "chart"]
    assert labels == ["mAP on the validation split, in %: gcam-cpu", "loss in training: gcam-cpu"]


def test_validations_have_one_axis_and_losses_their_own():
    def run(*values: float) -> list[dict[str, float | None]]:
        return [{"epoch": i, "mAP": v, "loss": v} for i, v in enumerate(values, 1)]

    text = training_curves({"a": [run(10, 20)], HOSTILE: [run(30, 50), run(31, 50), run(9)]})
    charts = text.split('class="chart"')[1:]
    assert ["50</text>" in one for one in charts] == [True, True, False, True]
    assert charts[1].count("<polyline") == 2, "a run of one epoch has no line"
    assert "<img" not in text


@pytest.mark.parametrize("histories", [{}, {"a": [[{"epoch": 1, "mAP": 3.0}]]}])
def test_without_two_epochs_there_is_no_section(histories):
    assert training_curves(histories) == ""
