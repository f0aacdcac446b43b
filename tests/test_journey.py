"""What one command says and what another says of the same photos must agree.

The one collection and the one model of this file go the way of a user's, without a split.
"""

import csv
import json
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from collection import PHOTOS, TINY_OPTIONS, write_boxes, write_collection
from PIL import Image
from sklearn.metrics import average_precision_score
from tiny import COLOURS

from tagsight.cli import main


class Journey(NamedTuple):
    labels: Path
    boxes: Path
    run: Path
    said: str

    @property
    def model(self) -> str:
        return str(self.run / "model")

    @property
    def photos(self) -> list[str]:
        return sorted(map(str, self.labels.parent.glob("*.png")))


def run_command(command: str, *arguments: object) -> str:
    """What a command that succeeds writes to standard output."""
    # In float32 the size of a batch, which differs between commands, changes next to nothing.
    machine = ["--precision", "float32", *([] if command == "train" else ["--device", "cpu"])]
    out = StringIO()
    with redirect_stdout(out):
        assert main([command, *map(str, arguments), *machine]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def journey(tmp_path_factory) -> Journey:
    folder = tmp_path_factory.mktemp("collection")
    labels = write_collection(folder / "photos", with_splits=False)
    boxes, run = write_boxes(folder / "boxes.json", labels), folder / "runs" / "first"
    said = run_command("train", labels, "--out", run, *TINY_OPTIONS, "--training.lr", "0.01")
    return Journey(labels, boxes, run, said)


@pytest.fixture(scope="module")
def tagged(journey) -> dict[str, dict[str, Any]]:
    """What ``tag`` says of each photo, by its path."""
    return {line["path"]: line for line in lines_of(journey, journey.model, "--all-scores")}


@pytest.fixture(scope="module")
def report(journey) -> dict[str, Any]:
    """What ``evaluate`` says of the test split."""
    options = ["--boxes", journey.boxes, "--json"]
    return json.loads(run_command("evaluate", journey.model, journey.labels, *options))


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def rows_of(journey: Journey, split: str) -> dict[str, list[int]]:
    """The targets of the recorded split, by the photos' paths."""
    rows = {Path(row["image"]).name: row for row in table(journey.labels)}
    folder = journey.labels.parent
    with (journey.run / "split.csv").open(newline="") as file:
        names = [Path(name).name for name, of in csv.reader(file) if of == split]
    return {str(folder / name): [int(rows[name][c]) for c in COLOURS] for name in names}


def lines_of(journey: Journey, model: object, *options: object) -> list[dict[str, Any]]:
    """What ``tag`` says of each photo."""
    text = run_command("tag", model, *journey.photos, "--write", "jsonl", *options)
    return [json.loads(line) for line in text.splitlines()]


def names(line: dict[str, Any]) -> list[str]:
    return [label["name"] for label in line["labels"]]


def mean_average_precision(rows: dict[str, list[int]], tagged: dict[str, dict[str, Any]]) -> float:
    targets = np.array(list(rows.values()))
    scores = np.array([list(tagged[path]["scores"].values()) for path in rows])
    shown = targets.any(0)
    return 100 * average_precision_score(targets[:, shown], scores[:, shown], average="macro")


def test_every_photo_is_in_the_recorded_split(journey):
    splits = [set(rows_of(journey, split)) for split in ("train", "val", "test")]
    assert set().union(*splits) == set(journey.photos)
    assert [len(split) for split in splits] == pytest.approx([34, 7, 7], abs=2)


def test_training_names_the_model_and_the_map_of_the_scores_that_tag_gives(journey, tagged):
    summary, folder = journey.said.splitlines()
    assert folder == journey.model
    config = json.loads((journey.run / "model" / "config.json").read_text())
    validation = config["facts"]["validation"]
    found = mean_average_precision(rows_of(journey, "val"), tagged)
    assert f"epoch 2 of 2, without selection: mAP {found:.1f} over 5 labels" in summary
    lines = [json.loads(line) for line in (journey.run / "run.jsonl").read_text().splitlines()]
    last = [line["mAP"] for line in lines if line["kind"] == "epoch"][-1]
    assert validation["mAP"] == last == pytest.approx(found, abs=0.05)


def test_evaluate_measures_the_scores_that_tag_gives(journey, tagged, report):
    rows = rows_of(journey, "test")
    assert report["photos"] == len(rows)
    assert report["mAP"] == pytest.approx(mean_average_precision(rows, tagged), abs=1e-3)
    counts = np.array(list(rows.values())).sum(0)
    assert [values["count"] for values in report["per_label"].values()] == counts.tolist()


def test_tags_are_the_labels_that_reach_the_thresholds_of_the_report(tagged, report):
    thresholds = {name: values["threshold"] for name, values in report["per_label"].items()}
    for line in tagged.values():
        reached = {name for name, score in line["scores"].items() if score >= thresholds[name]}
        assert set(names(line)) == reached
    assert any(line["labels"] for line in tagged.values())


def test_evidence_is_measured_where_there_are_boxes(journey, report):
    evidence = report["evidence"]
    assert evidence["pairs"] == sum(map(sum, rows_of(journey, "test").values()))
    assert evidence["chance"] == 50  # the left half
    assert min(evidence["pointing"], evidence["energy_in_box"]) >= 0
    assert max(evidence["pointing"], evidence["energy_in_box"]) <= 100
    assert evidence["consistency"].keys() == {"flip", "scale", "quarter_turn"}


def test_a_table_and_json_lines_say_the_same(journey, tagged, tmp_path):
    options = ["--write", "csv", "--out", tmp_path / "tags.csv", "--all-scores"]
    run_command("tag", journey.model, journey.labels.parent, *options)
    rows = table(tmp_path / "tags.csv")
    assert len(rows) == PHOTOS
    for row in rows:
        line = tagged[row["path"]]
        assert row["labels"] == ";".join(names(line))
        assert {name: float(row[name]) for name in COLOURS} == line["scores"]


def test_the_top_labels_are_those_of_the_highest_scores(journey, tagged):
    for line in lines_of(journey, journey.model, "--top", "2"):
        scores = tagged[line["path"]]["scores"]
        assert names(line) == sorted(scores, key=lambda name: -scores[name])[:2]


def test_explain_draws_the_labels_that_tag_finds_with_their_scores(journey, tagged, tmp_path):
    photo = max(tagged, key=lambda path: len(tagged[path]["labels"]))
    text = run_command("explain", journey.model, photo, "--out", tmp_path)
    found, stem = tagged[photo]["labels"], Path(photo).stem
    drawn = {f"{stem}.png", *(f"{stem}.{label['name']}.png" for label in found)}
    assert {path.name for path in tmp_path.iterdir()} == drawn
    for label in found:
        assert f"\n  {label['name']} {label['score']:.2f} >= " in text
    with Image.open(photo) as original, Image.open(tmp_path / f"{stem}.png") as sheet:
        assert sheet.width > original.width


def test_a_copy_gives_the_same_tags_and_after_calibration_uses_its_new_thresholds(
    journey, tagged, tmp_path
):
    model = shutil.copytree(journey.run, tmp_path / "run") / "model"
    assert lines_of(journey, model, "--all-scores") == list(tagged.values())
    before = json.loads((model / "config.json").read_text())
    options = ["--objective", "precision>=0.9", "--split", "train"]
    said = run_command("calibrate", model, journey.labels, *options)
    assert len(said.splitlines()) == 1 + len(COLOURS)
    after = json.loads((model / "config.json").read_text())
    assert after["weights_sha256"] == before["weights_sha256"]
    assert after["decision"]["thresholds"] != before["decision"]["thresholds"]
    photos = len(rows_of(journey, "train"))
    assert after["facts"]["calibration"] == {"objective": "precision>=0.9", "photos": photos}
    report = json.loads(run_command("evaluate", model, journey.labels, "--json"))
    lines = lines_of(journey, model, "--all-scores")
    for name, threshold in after["decision"]["thresholds"].items():
        assert report["per_label"][name]["threshold"] == pytest.approx(threshold, abs=1e-4)
        for line in lines:
            assert (line["scores"][name] >= threshold < 1) == (name in names(line))


def test_labels_in_another_order_are_matched_by_name(journey, report):
    order = ["yellow", "unheard-of", "red", "blue", "white"]
    rows = [[row["image"], *(row.get(c, 0) for c in order)] for row in table(journey.labels)]
    other = journey.labels.with_name("other.csv")
    with other.open("w", newline="") as file:
        csv.writer(file).writerows([["image", *order], *rows])
    again = json.loads(run_command("evaluate", journey.model, other, "--json"))
    assert list(again["per_label"]) == list(COLOURS)
    for name in ("yellow", "red", "blue", "white"):
        assert again["per_label"][name] == report["per_label"][name]
    assert again["per_label"]["green"]["count"] == 0
