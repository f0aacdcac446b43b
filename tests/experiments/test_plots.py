from xml.etree import ElementTree

import pytest
from contest import a_failure, a_result, summary_of

from tagsight.experiments.plots import can_plot, write_plot


@pytest.mark.parametrize("evidence", [True, False])
def test_the_plot_names_every_row_and_what_its_axes_are(tmp_path, evidence):
    rows = [("gcam-cpu", 0), ("gcam-cpu", 1), ("b", 0), ("b", 1)]
    results = [a_result(*row, evidence=evidence) for row in rows]
    file = tmp_path / "plot.svg"
    write_plot(file, summary_of(*results, failures=(a_failure("broken", 0, "no"),)))
    texts = {"".join(node.itertext()).strip() for node in ElementTree.parse(file).iter()}
    assert {"gcam-cpu", "b"} <= texts
    assert "broken" not in texts
    assert any(text.startswith("mAP on test in percent") for text in texts)
    assert any("pointing" in text for text in texts) == evidence


def test_the_same_comparison_is_the_same_file(tmp_path):
    summary = summary_of(a_result("a"))
    for name in ("1.svg", "2.svg"):
        write_plot(tmp_path / name, summary)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_without_the_extra_there_is_no_plot(monkeypatch):
    assert can_plot()
    monkeypatch.setattr("tagsight.experiments.plots.find_spec", lambda _: None)
    assert not can_plot()
