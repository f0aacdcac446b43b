from __future__ import annotations

import sys
from pathlib import Path

from contest import a_result

sys.path.insert(0, str(Path(__file__).parents[1] / "visualize" / "reports"))

from report_page import Page

from tagsight.experiments.comparison import Progress
from tagsight.experiments.comparison_report import comparison_report
from tagsight.experiments.summary import summarise

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
