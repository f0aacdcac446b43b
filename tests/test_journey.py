"""What one command says and what another says of the same photos must agree.

The one collection and the one model of this file go the way of a user's: photos of any size, no
split, the embedded encoder; only the photos are small.
"""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.metrics import average_precision_score

from tagsight.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTOS = 48
COLOURS = {"red": "#d02020", "green": "#20b030", "blue": "#2030d0", "yellow": "#e0d020"}
SETTINGS = [
    *("--recipe", "gcam-cpu", "--epochs", "2", "--seed", "3"),
    *("--training.image-size", "64", "--training.batch-size", "8", "--training.lr", "0.003"),
]


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
        return sorted(map(str, (self.labels.parent / "photos").iterdir()))


def draw_collection(folder: Path) -> None:
    """Rectangles of four colours in photos of many sizes, with their labels and boxes."""
    chance = np.random.default_rng(0)
    (folder / "photos").mkdir()
    images, objects, rows = [], [], [["image", *COLOURS]]
    for number in range(PHOTOS):
        width, height = chance.integers(48, 96, 2).tolist()
        photo = Image.fromarray(chance.integers(90, 160, (height, width, 3), dtype=np.uint8))
        present = chance.random(len(COLOURS)) < 0.4
        for label, colour in enumerate(COLOURS.values()):
            if present[label]:
                w, h = width // 3, height // 3
                left, top = int(chance.integers(width - w)), int(chance.integers(height - h))
                ImageDraw.Draw(photo).rectangle((left, top, left + w - 1, top + h - 1), colour)
                objects.append((number, label, [left, top, w, h]))
        name = f"{number:02}.{'png' if number % 2 else 'jpg'}"
        photo.save(folder / "photos" / name)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        rows.append([f"photos/{name}", *map(int, present)])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    annotations = [
        {"id": i, "image_id": image, "category_id": label, "bbox": box}
        for i, (image, label, box) in enumerate(objects)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(COLOURS)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(content))


def run_command(command: str, *arguments: object) -> str:
    """What a command that succeeds writes to standard output."""
    # In float32 the size of a batch, which differs between commands, changes next to nothing.
    machine = [] if command in {"data", "graph"} else ["--device", "cpu", "--precision", "float32"]
    out = StringIO()
    with redirect_stdout(out):
        assert main([command, *map(str, arguments), *machine]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def journey(tmp_path_factory) -> Journey:
    folder = tmp_path_factory.mktemp("collection")
    draw_collection(folder)
    run = folder / "runs" / "first"
    said = run_command("train", folder / "labels.csv", "--out", run, *SETTINGS)
    return Journey(folder / "labels.csv", folder / "boxes.json", run, said)


@pytest.fixture(scope="module")
def tagged(journey: Journey) -> dict[str, dict[str, Any]]:
    """What ``tag`` says of each photo, by its path."""
    text = run_command("tag", journey.model, *journey.photos, "--write", "jsonl", "--all-scores")
    return {line["path"]: line for line in map(json.loads, text.splitlines())}


@pytest.fixture(scope="module")
def report(journey: Journey) -> dict[str, Any]:
    """What ``evaluate`` says of the test split."""
    options = ["--boxes", journey.boxes, "--json"]
    return json.loads(run_command("evaluate", journey.model, journey.labels, *options))


@pytest.fixture
def copied(journey: Journey, tmp_path: Path) -> Path:
    return Path(shutil.copytree(journey.run, tmp_path / "run"))


def rows_of(journey: Journey, split: str) -> dict[str, list[int]]:
    """The targets of the recorded split, by the photos' paths."""
    with journey.labels.open(newline="") as file:
        targets = {
            Path(row[0]).name: [int(v) for v in row[1:]] for row in list(csv.reader(file))[1:]
        }
    with (journey.run / "split.csv").open(newline="") as file:
        names = [Path(name).name for name, of in csv.reader(file) if of == split]
    return {str(journey.labels.parent / "photos" / name): targets[name] for name in names}


def mean_average_precision(rows: dict[str, list[int]], tagged: dict[str, dict[str, Any]]) -> float:
    targets = np.array(list(rows.values()))
    scores = np.array([list(tagged[path]["scores"].values()) for path in rows])
    shown = targets.any(0)
    return 100 * average_precision_score(targets[:, shown], scores[:, shown], average="macro")


def test_data_and_graph_read_the_collection(journey, tmp_path):
    text = run_command("data", journey.labels)
    assert "format csv-columns" in text
    assert "48 photos (no split), 4 labels" in text
    drawing = tmp_path / "graph.png"
    assert "among 4 labels" in run_command("graph", journey.labels, "--out", drawing)
    with Image.open(drawing) as picture:
        assert min(picture.size) > 100


def test_every_photo_is_in_the_recorded_split(journey):
    splits = [set(rows_of(journey, split)) for split in ("train", "val", "test")]
    assert set().union(*splits) == set(journey.photos)
    assert [len(split) for split in splits] == pytest.approx([34, 7, 7], abs=2)


def test_training_names_the_model_and_its_validation_map(journey):
    summary, folder = journey.said.splitlines()
    assert folder == journey.model
    config = json.loads((journey.run / "model" / "config.json").read_text())
    validation = config["facts"]["validation"]
    assert f"best epoch {validation['epoch']} of 2: mAP {validation['mAP']:.1f} over" in summary
    lines = [json.loads(line) for line in (journey.run / "run.jsonl").read_text().splitlines()]
    assert validation["mAP"] == max(line["mAP"] for line in lines if line["kind"] == "epoch")


def test_the_validation_map_is_that_of_the_scores_that_tag_gives(journey, tagged):
    summary = journey.said.splitlines()[0]
    found = mean_average_precision(rows_of(journey, "val"), tagged)
    assert f"mAP {found:.1f} over 4 labels on the validation split" in summary


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
        assert {label["name"] for label in line["labels"]} == reached
    assert any(line["labels"] for line in tagged.values())


def test_evidence_is_measured_where_there_are_boxes(journey, report):
    evidence = report["evidence"]
    shown = sum(sum(targets) for targets in rows_of(journey, "test").values())
    assert evidence["pairs"] == shown
    # A third of the height and of the width, wherever it is.
    assert evidence["chance"] == pytest.approx(100 / 9, abs=1)
    assert 0 <= evidence["pointing"] <= 100
    assert 0 <= evidence["energy_in_box"] <= 100
    assert evidence["consistency"].keys() == {"flip", "scale", "quarter_turn"}


def test_a_table_and_json_lines_say_the_same(journey, tagged, tmp_path):
    table = tmp_path / "tags.csv"
    run_command(
        "tag",
        journey.model,
        journey.labels.parent,
        "--write",
        "csv",
        "--out",
        table,
        "--all-scores",
    )
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PHOTOS
    for row in rows:
        line = tagged[row["path"]]
        assert row["labels"] == ";".join(label["name"] for label in line["labels"])
        assert {name: float(row[name]) for name in COLOURS} == line["scores"]


def test_the_top_labels_are_those_of_the_highest_scores(journey, tagged):
    text = run_command("tag", journey.model, *journey.photos, "--top", "2", "--write", "jsonl")
    for line in map(json.loads, text.splitlines()):
        scores = tagged[line["path"]]["scores"]
        ranked = sorted(scores, key=lambda name: -scores[name])
        assert [label["name"] for label in line["labels"]] == ranked[:2]


def test_explain_draws_the_labels_that_tag_finds_with_their_scores(journey, tagged, tmp_path):
    photo = max(tagged, key=lambda path: len(tagged[path]["labels"]))
    text = run_command("explain", journey.model, photo, "--out", tmp_path)
    found = tagged[photo]["labels"]
    stem = Path(photo).stem
    names = {f"{stem}.png", *(f"{stem}.{label['name']}.png" for label in found)}
    assert {path.name for path in tmp_path.iterdir()} == names
    for label in found:
        assert f"\n  {label['name']} {label['score']:.2f} >= " in text
    with Image.open(photo) as original, Image.open(tmp_path / f"{stem}.png") as sheet:
        assert sheet.width > original.width


def test_after_calibration_evaluate_and_tag_use_the_new_thresholds(journey, copied):
    model = copied / "model"
    options = ["--objective", "precision>=0.9", "--split", "train"]
    run_command("calibrate", model, journey.labels, *options)
    decision = json.loads((model / "config.json").read_text())["decision"]
    report = json.loads(run_command("evaluate", model, journey.labels, "--json"))
    lines = run_command(
        "tag", model, *journey.photos, "--write", "jsonl", "--all-scores"
    ).splitlines()
    for name, threshold in decision["thresholds"].items():
        assert report["per_label"][name]["threshold"] == pytest.approx(threshold, abs=1e-4)
        for line in map(json.loads, lines):
            reached = line["scores"][name] >= threshold < 1
            assert reached == (name in {label["name"] for label in line["labels"]})


def test_a_model_folder_may_be_moved(journey, tagged, copied):
    text = run_command("tag", copied / "model", *journey.photos, "--write", "jsonl", "--all-scores")
    assert [json.loads(line) for line in text.splitlines()] == list(tagged.values())


def test_labels_in_another_order_are_matched_by_name(journey, report):
    order = ["yellow", "unheard-of", "red", "blue"]
    with journey.labels.open(newline="") as file:
        rows = [
            [row["image"], *(row.get(name, 0) for name in order)] for row in csv.DictReader(file)
        ]
    other = journey.labels.with_name("other.csv")
    with other.open("w", newline="") as file:
        csv.writer(file).writerows([["image", *order], *rows])
    again = json.loads(run_command("evaluate", journey.model, other, "--json"))
    assert list(again["per_label"]) == list(COLOURS)
    for name in ("yellow", "red", "blue"):
        assert again["per_label"][name] == report["per_label"][name]
    assert again["per_label"]["green"]["count"] == 0


def truncated(model: Path, _: Journey) -> list[object]:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    return ["tag", model, "."]


def edited(model: Path, _: Journey) -> list[object]:
    config = model / "config.json"
    config.write_text(config.read_text().replace('"gcam"', '"gcan"'))
    return ["tag", model, "."]


def of_other_labels(model: Path, journey: Journey) -> list[object]:
    other = model / "other.csv"
    other.write_text(journey.labels.read_text().replace("red,green,blue,yellow", "a,b,c,d"))
    return ["evaluate", model, other, "--images", journey.labels.parent]


def with_boxes_of_other_photos(model: Path, journey: Journey) -> list[object]:
    other = model / "other.json"
    other.write_text(journey.boxes.read_text().replace('.png"', '.bmp"').replace('.jpg"', '.bmp"'))
    return ["evaluate", model, journey.labels, "--boxes", other]


def with_labels_for_boxes(model: Path, journey: Journey) -> list[object]:
    return ["evaluate", model, journey.labels, "--boxes", journey.labels]


def of_the_run(model: Path, journey: Journey) -> list[object]:
    return ["evaluate", model.parent, journey.labels]


def of_no_photo(model: Path, journey: Journey) -> list[object]:
    return ["tag", model, journey.labels.parent / "phtos"]


def into_the_same_run(model: Path, journey: Journey) -> list[object]:
    return ["train", journey.labels, "--out", model.parent]


def with_vectors_of_nobody(model: Path, journey: Journey) -> list[object]:
    return ["train", journey.labels, "--out", model / "new", "--vectors", journey.labels]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (truncated, "model.safetensors: truncated or not safetensors"),
        (edited, "config.json: expected one of the systems resnet, ml-gcn, "),
        (of_other_labels, "expected labels of the model, such as ['red', 'green', 'blue'], got"),
        (with_boxes_of_other_photos, "expected boxes of labels ['red', 'green', 'blue']... in"),
        (with_labels_for_boxes, "labels.csv"),
        (of_the_run, "did you mean"),
        (of_no_photo, 'phtos" does not exist'),
        (into_the_same_run, "expected a new run folder, got"),
        (with_vectors_of_nobody, "labels.csv"),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_exit_code_2(
    journey, copied, capsys, prepare: Callable[[Path, Journey], list[object]], message: str
):
    arguments = prepare(copied / "model", journey)
    assert main(list(map(str, arguments))) == 2
    captured = capsys.readouterr()
    *_, last = captured.err.splitlines()
    assert last.startswith("tagsight: ")
    assert message in last
    assert captured.err.count("tagsight: ") == 1
    assert captured.out == ""
