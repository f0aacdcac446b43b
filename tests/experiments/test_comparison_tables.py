import csv
import io
import re

import pytest
from contest import a_failure, a_result, summary_of

from tagsight.experiments.comparison_tables import comma_separated, tables, write_tables
from tagsight.experiments.tables import escaped, latex, markdown

RESULTS = [
    a_result(name, seed, skill, evidence=True)
    for name, skill in (("good_one", 3), ("poor", 0.4))
    for seed in (0, 1)
]


@pytest.fixture
def summary():
    return summary_of(*RESULTS, failures=(a_failure("broken", 0, "too large & 50 % over"),))


def page(summary) -> str:
    shown = tables(summary)
    return markdown(shown[0].title, shown, summary.notes)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|\n").split("|")]


def metric(name: str, metric: str) -> list[float]:
    return [r.metrics[metric] or 0 for r in RESULTS if r.record.name == name]


def spread(text: str) -> tuple[float, float]:
    mean, deviation = text.split(" ± ")
    return float(mean), float(deviation)


def test_the_main_table_parses_back_to_the_numbers_of_the_results(summary):
    head, _, *rows = [cells(line) for line in page(summary).splitlines() if line[:1] == "|"]
    found = dict(zip(head, rows[0], strict=True))
    first, second = metric("good_one", "mAP")
    assert rows[0][0] == "good_one"
    expected = ((first + second) / 2, abs(first - second) / 2**0.5)
    assert spread(found["mAP"]) == pytest.approx(expected, abs=0.05)
    assert spread(found["pointing"]) == (70.5, 0.7)
    told = [found[name] for name in ("difference", "parameters", "minutes", "photos/s")]
    assert told == ["best", "1.23 M", "2.5", "100"]
    other = dict(zip(head, rows[1], strict=True))
    value = float(other["difference"].split()[0])
    lower = sum(metric("poor", "mAP")) / 2 - (first + second) / 2
    assert value == pytest.approx(lower, abs=0.05)
    assert 0 < float(other["p"]) < 0.05


def test_the_csv_has_the_numbers_of_the_results(summary):
    rows = list(csv.DictReader(io.StringIO(comma_separated(summary))))
    assert [row["name"] for row in rows] == ["good_one", "poor", "broken"]
    for row in rows[:2]:
        assert row["seeds"] == "0 1"
        for name in RESULTS[0].metrics:
            expected = sum(metric(row["name"], name)) / 2
            assert float(row[name]) == pytest.approx(expected, abs=1e-4)
    assert float(rows[1]["difference"]) == pytest.approx(
        float(rows[1]["mAP"]) - float(rows[0]["mAP"]), abs=1e-3
    )
    assert float(rows[0]["mAP_low"]) < float(rows[0]["mAP"]) < float(rows[0]["mAP_high"])


def test_a_system_that_failed_has_its_row_and_its_sentence(summary):
    text = page(summary)
    assert re.search(r"^\| broken \| 0 \| failed \|", text, re.MULTILINE)
    assert r"- Failed: broken, seed 0: too large \& 50 % over" in text
    (row,) = [r for r in csv.DictReader(io.StringIO(comma_separated(summary))) if not r["seeds"]]
    assert (row["name"], row["failed"], row["mAP"]) == ("broken", "0", "")


def test_a_seed_that_failed_is_told_beside_those_that_did_not():
    summary = summary_of(RESULTS[0], failures=(a_failure("good_one", 1, "no"),))
    assert tables(summary)[0].rows[0][1] == "1, 1 failed"


def test_latex_has_nothing_that_it_would_not_print(summary):
    text = latex(tables(summary), summary.notes)
    assert r"good\_one" in text
    assert r"too large \& 50 \% over" in text
    body = text.splitlines()[1:]
    assert not any(re.search(r"(?<!\\)[%#_]", line) for line in body)
    rows = [line for line in body if line.endswith(r"\\")]
    columns = [len(table.head) for table in tables(summary) for _ in range(1 + len(table.rows))]
    assert [1 + len(re.findall(r"(?<!\\)&", row)) for row in rows] == columns
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    assert escaped("a_b & {x} $#% 1 ± 2") == r"a\_b \& \{x\} \$\#\% 1 $\pm$ 2"
    assert escaped("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"


def test_tables_are_written_without_evidence_and_without_any_result(summary, tmp_path):
    write_tables(tmp_path, summary)
    assert {path.name for path in tmp_path.iterdir()} == {"table.md", "table.csv", "table.tex"}
    assert (tmp_path / "table.md").read_text() == page(summary)
    plain = summary_of(a_result("a"))
    assert [table.title for table in tables(plain)] == ["Comparison", "Precision, recall and F1"]
    assert "pointing" not in page(plain)
    failed = summary_of(failures=(a_failure("broken", 0, "no"),))
    assert [table.title for table in tables(failed)] == ["Comparison"]
    assert "broken" in comma_separated(failed)
    assert "broken" in latex(tables(failed), failed.notes)
