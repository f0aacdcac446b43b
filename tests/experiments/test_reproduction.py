import csv
import json
import shlex
from dataclasses import replace

import pytest
from collection import TINY_OPTIONS, write_collection
from contest import a_result, summary_of

from tagsight.cli import main
from tagsight.experiments.figures import write_figure
from tagsight.experiments.paper import EXPERIMENTS
from tagsight.experiments.plots import can_plot
from tagsight.experiments.published_tables import FLICKR25K
from tagsight.experiments.reproduction import Reproduction, entries_of, notes_of
from tagsight.experiments.reproduction_tables import tables_of
from tagsight.nn.encoder_weights import missing_weights
from tagsight.runtime.amounts import amount


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("tagsight.experiments.results.RESAMPLES", 50)


def reproduction(name: str, folder, without: str = ""):
    """A table or figure all of whose runs came out, but for one."""
    entries = entries_of(EXPERIMENTS[name], "cpu")
    called = {variant: entry.name for variant, entry in entries.items()}
    names = [entry for variant, entry in called.items() if variant != without]
    results = [a_result(entry, seed) for entry in dict.fromkeys(names) for seed in (0, 1)]
    experiment, summary = EXPERIMENTS[name], summary_of(*results)
    return Reproduction(name, experiment, "cpu", "animals", called, summary, folder)


def row_of(shown, name: str = "gcam-cpu"):
    return next(row for row in shown.summary.rows if row.name == name)


def test_a_system_that_stands_in_several_tables_is_trained_once_for_each_profile():
    tables = ("table1", "table4", "figure4", "figure5", "figure9")
    names = [{e.name for e in entries_of(EXPERIMENTS[name], "cpu").values()} for name in tables]
    assert all("gcam-cpu" in entries for entries in names)
    sweeps = [entries_of(EXPERIMENTS[f"figure{number}"], "cpu") for number in (6, 7)]
    assert sweeps[0]["0.4"].name == sweeps[1]["0.2"].name == "gcam-cpu"
    assert sweeps[0]["0.1"].name == "gcam-cpu+system.graph.epsilon-0.1"
    assert sweeps[0]["0.1"].recipe.settings.graph.epsilon == 0.1
    profiles = ("cpu", "paper-224", "paper-448")
    of_profiles = [entries_of(EXPERIMENTS["table2"], profile)["ResNet-101"] for profile in profiles]
    expected = ["resnet-cpu", "resnet101-gap-at-224", "resnet101-gap-at-448"]
    assert [entry.name for entry in of_profiles] == expected


def test_published_and_own_numbers_stand_one_above_the_other(tmp_path):
    shown = reproduction("table1", tmp_path)
    everything, top3, conventions = tables_of(shown)
    pairs = [("ML-GCN", "published"), ("", "ours"), ("A-GCN", "published"), ("", "ours")]
    assert [row[:2] for row in everything.rows[:4]] == pairs
    published = [row[2:] for row in everything.rows[::2]]
    assert published == [tuple(f"{v:.1f}" for v in row.all_labels) for row in FLICKR25K]
    row = row_of(shown)
    assert everything.rows[7][2] == f"{row.mean('mAP'):.1f} ± {row.deviation('mAP'):.1f}"
    # These rows always take three labels, so that ours beside them do too.
    assert top3.rows[7][2] == f"{row.mean('top3_CP'):.1f} ± {row.deviation('top3_CP'):.1f}"
    assert [line[0] for line in conventions.rows] == [row.method for row in FLICKR25K]


def test_what_has_not_run_is_a_dash_and_other_data_than_the_papers_are_named(tmp_path):
    shown = reproduction("table1", tmp_path, without="A-GCN")
    assert set(tables_of(shown)[0].rows[3][2:]) == {"-"}
    notes = notes_of(shown)
    assert "Not run yet, or failed: a-gcn-cpu." in notes
    assert any("Ours are on animals, the published on mirflickr25k" in note for note in notes)
    own = replace(shown, dataset="mirflickr25k")
    assert not any("Ours are on" in note for note in notes_of(own))


def test_losses_are_told_along_the_training(tmp_path):
    shown = reproduction("figure4", tmp_path)
    for name, scale in (("vac-cpu", 2.0), ("gcam-cpu", 1.0)):
        folder = tmp_path / "runs" / f"{name}-0"
        folder.mkdir(parents=True)
        made = [{"labels": scale / step, "consistency": 1.0} for step in range(1, 101)]
        steps = [{"kind": "step", "step": i, "losses": made[i - 1]} for i in range(1, 101)]
        lines = [{"kind": "note", "text": "begun"}, *steps, steps[-1]]
        (folder / "run.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (table,) = tables_of(shown)
    assert table.head == ("loss after", "VACIT", "G-CAM")
    # The mean of the first iteration, and of the last two of a hundred.
    assert table.rows[0] == ("1% of the training", "3.00", "2.00")
    assert table.rows[-1] == ("100% of the training", "1.02", "1.01")


def test_every_label_has_its_average_precision(tmp_path):
    shown = reproduction("figure5", tmp_path)
    (table,) = tables_of(shown)
    assert [row[0] for row in table.rows] == ["red", "green", "blue", "yellow", "white", "mean"]
    row = row_of(shown)
    reports = [result.record.report["per_label"]["red"]["AP"] for result in row.results]
    counts = row.results[0].positives.values()
    rare = ["" if count >= 20 else amount(count, "test photo") for count in counts]
    assert [of[-1] for of in table.rows] == [*rare, ""]
    assert table.rows[0][2] == f"{sum(reports) / 2:.1f}"


@pytest.mark.parametrize(
    ("name", "table", "axis"),
    [("figure6", "epsilon", "ε"), ("figure7", "delta", "δ"), ("figure8", "lambda", "λ")],
)
def test_the_axis_of_a_sweep_is_what_the_paper_varies(tmp_path, name, table, axis):
    shown = reproduction(name, tmp_path)
    (made,) = tables_of(shown)
    assert made.head[0] == table
    variants = [(variant.name, variant.note) for variant in shown.experiment.variants]
    assert [(row[0], row[2]) for row in made.rows] == variants
    if can_plot():
        write_figure(tmp_path / "plot.svg", shown)
        assert f"{axis}; open circles" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_a_label_without_a_test_photo_is_marked_in_table_and_figure(tmp_path):
    shown = reproduction("figure5", tmp_path)
    for row in shown.summary.rows:
        for result in row.results:
            vars(result)["left_out"] = {"without_positive": ["blue"]}
    (table,) = tables_of(shown)
    assert {row[0]: row[-1] for row in table.rows}["blue"] == "no test photo"
    if can_plot():
        write_figure(tmp_path / "plot.svg", shown)
        assert "blue (no test photo)" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def reproduce(labels, name: str, out) -> int:
    command = ["reproduce", name, "--dataset", str(labels), "--out", str(out), *TINY_OPTIONS]
    return main([*command, "--seeds", "2"])


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """Labels, and the folder in which Table 4 was reproduced with two seeds."""
    folder = tmp_path_factory.mktemp("reproduced")
    labels, out = write_collection(folder / "photos"), folder / "out"
    assert reproduce(labels, "table4", out) == 0
    return labels, out


@pytest.mark.parametrize("name", ["table4", "figure4", "figure5", "figure9"])
def test_the_command_writes_all_and_trains_nothing_twice(reproduced, name, capsys):
    labels, out = reproduced
    assert reproduce(labels, name, out) == 0
    assert "to run: 0" in capsys.readouterr().err
    folder = out / f"{name}-labels-cpu"
    picture = "photos.png" if name == "figure9" else "plot.svg"
    files = {"table.md", "table.csv", "table.tex", "commands.sh", picture}
    assert {path.name for path in folder.iterdir()} == files
    first = (folder / "table.md").read_text(encoding="utf-8")
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) > 1]
    assert rows or name == "figure9"
    assert all(f"| {' | '.join(row)} |" in first for row in rows)


def test_without_the_hub_the_plan_is_told_and_one_sentence(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    missing_weights.cache_clear()
    labels = write_collection(tmp_path / "photos")
    command = ["reproduce", "figure4", "--dataset", str(labels), "--profile", "paper-448"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err
    assert "to run: 2\n  vac-paper-at-448: time not known" in said
    assert "Retry" not in said
    assert said.count("the hub cannot be reached") == 1
    missing_weights.cache_clear()


def test_the_commands_that_are_written_are_those_of_the_runs(reproduced, tmp_path):
    labels, out = reproduced
    lines = (out / "table4-labels-cpu" / "commands.sh").read_text().splitlines()
    assert len(lines) == 6
    words = shlex.split(lines[2])
    assert words[:3] == ["tagsight", "train", str(labels)]
    assert "--system.consistency.weight" in words
    alone = [str(tmp_path / "alone") if word.startswith("runs/") else word for word in words[1:]]
    assert main([*alone, "--device", "cpu"]) == 0
    said = json.loads((tmp_path / "alone" / "model" / "config.json").read_text())
    name = "gcam-cpu+system.consistency.weight-0"
    ours = out / "labels-cpu" / "runs" / f"{name}-0" / "model" / "config.json"
    assert said["facts"]["validation"] == json.loads(ours.read_text())["facts"]["validation"]
