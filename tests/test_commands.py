"""The commands one after another, on photos that take a second to train on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from collection import SPLITS, TINY_OPTIONS, write_boxes, write_collection
from PIL import Image
from tiny import COLOURS

from tagsight.cli import main
from tagsight.commands.output import INTERRUPTED
from tagsight.data.protocols import PROTOCOLS, TRAINVAL, Protocol, Published
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.training.log import RunLog

TEST_PHOTOS = SPLITS.count("test")


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    return write_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="module")
def run(labels: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    arguments = ["train", str(labels), "--out", str(out), "--recipe", "gcam-cpu", *TINY_OPTIONS]
    assert main(arguments) == 0
    return out


@pytest.fixture
def model(run: Path) -> str:
    return str(run / "model")


def result(capsys, *arguments: str) -> str:
    """What a command that succeeds writes to standard output."""
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


def failures(capsys, *arguments: str) -> str:
    """What a command that cannot do a part of its work writes to standard error."""
    capsys.readouterr()
    assert main(arguments) == 1
    return capsys.readouterr().err


def complaint(capsys, *arguments: str) -> str:
    """What a command that fails for a user's error writes to standard error."""
    capsys.readouterr()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize(
    ("command", "names", "column"), [("systems", SYSTEMS, "paper"), ("recipes", RECIPES, "minutes")]
)
def test_systems_and_recipes_are_listed_in_aligned_columns(capsys, command, names, column):
    head, *lines = result(capsys, command).splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(names)
    place = head.index(column)
    assert all(line[place - 1] == " " != line[place] for line in lines)


def test_a_recipe_is_written_as_a_file_that_training_reads(capsys, labels: Path, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(result(capsys, "recipes", "resnet-cpu"))
    out = tmp_path / "run"
    main(["train", str(labels), "--out", str(out), "--config", str(file), *TINY_OPTIONS])
    assert json.loads((out / "model" / "config.json").read_text())["recipe"]["system"] == "resnet"


def test_data_are_described(capsys, labels: Path):
    text = result(capsys, "data", str(labels))
    assert "48 photos (32 train, 8 val, 8 test), 5 labels" in text
    assert json.loads(result(capsys, "data", str(labels), "--json"))["photos"] == 48


@pytest.fixture
def bare_labels(labels: Path, tmp_path) -> str:
    """The labels without any of the photos."""
    copy = tmp_path / "bare" / "labels.csv"
    copy.parent.mkdir()
    copy.write_text(labels.read_text())
    return str(copy)


def test_labels_are_described_without_photos(capsys, bare_labels: str):
    assert "found none of 48" in complaint(capsys, "data", bare_labels)
    text = result(capsys, "data", bare_labels, "--labels-only")
    assert "48 photos (32 train, 8 val, 8 test), 5 labels" in text
    assert "photos were not opened" in text


def test_a_graph_needs_no_photos(capsys, bare_labels: str):
    assert "among 5 labels" in result(capsys, "graph", bare_labels)


@pytest.fixture
def coco(tmp_path) -> str:
    """One photo for training, two for what COCO calls val, one of them without an object."""
    (tmp_path / "annotations").mkdir()
    for split, photos in (("train", "a"), ("val", "bc")):
        content = {
            "images": [{"id": name, "file_name": f"{name}.jpg"} for name in photos],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"image_id": photos[0], "category_id": 1}],
        }
        file = tmp_path / "annotations" / f"instances_{split}2014.json"
        file.write_text(json.dumps(content))
    return str(tmp_path)


def test_data_read_by_a_protocol_are_compared_with_what_is_published(capsys, coco: str):
    arguments = ["data", coco, "--labels-only", "--protocol", "coco2014"]
    text = result(capsys, *arguments)
    assert "2 photos (1 train, 1 test), 1 label," in text
    assert "your test has 1 photo, expected 40,137" in text
    (compared,) = json.loads(result(capsys, *arguments, "--json"))["comparisons"]
    assert (compared["name"], compared["told"]) == ("coco2014", True)


def test_what_a_protocol_decides_is_not_said_twice(capsys, coco: str):
    arguments = ["data", coco, "--labels-only", "--protocol", "coco2014"]
    assert "got both" in complaint(capsys, *arguments, "--format", "coco")
    assert "leave out one" in complaint(capsys, *arguments, "--unlabelled", "keep")
    for option, value in (("difficult", "present"), ("topics", "all"), ("unlabelled", "drop")):
        assert result(capsys, *arguments, f"--{option}", value)


def test_training_by_a_protocol_says_how_its_counts_differ_and_records_it(
    capsys, labels: Path, tmp_path, monkeypatch
):
    counts = {"train": Published(40), "test": Published(8)}
    tiny = Protocol("tiny", "csv-columns", {"unlabelled": "keep"}, TRAINVAL, 5, counts, "nobody")
    monkeypatch.setitem(PROTOCOLS, "tiny", tiny)
    out = tmp_path / "run"
    options = ["--out", str(out), "--protocol", "tiny", "--recipe", "resnet-cpu", *TINY_OPTIONS]
    assert main(["train", str(labels), *options]) == 0
    assert "protocol tiny: tiny\n  counts as published (nobody)\n" in capsys.readouterr().err
    facts = json.loads((out / "model" / "config.json").read_text())["facts"]
    assert facts["data"]["protocol"] == "tiny"
    assert facts["data"]["photos"] == {"train": 34, "val": 6, "test": 8}
    for reading in (["--protocol", "tiny"], []):
        report = result(capsys, "evaluate", str(out / "model"), str(labels), *reading, "--json")
        assert json.loads(report)["photos"] == 8


def test_the_split_of_a_protocol_is_written_with_its_hash(capsys, coco: str, tmp_path):
    file = tmp_path / "split.csv"
    arguments = ["data", coco, "--labels-only", "--protocol", "coco2014", "--split-file", str(file)]
    assert main(arguments) == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() in capsys.readouterr().err
    assert file.read_text() == "train2014/a.jpg,train\nval2014/b.jpg,test\n"


def test_data_without_a_split_have_none_to_write(capsys, tmp_path):
    labels = write_collection(tmp_path, with_splits=False)
    arguments = ["data", str(labels), "--split-file", str(tmp_path / "split.csv")]
    assert "expected data with a split to write" in complaint(capsys, *arguments)


def test_the_graph_of_the_training_photos_is_printed_and_drawn(capsys, labels: Path, tmp_path):
    picture = tmp_path / "graph.png"
    text = result(capsys, "graph", str(labels), "--epsilon", "0.3", "--out", str(picture))
    assert "among 5 labels" in text
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"


def test_a_graph_without_edges_is_warned_about(capsys, labels: Path):
    text = result(capsys, "graph", str(labels), "--epsilon", "1")
    assert "warning: epsilon 1 leaves no edge" in text


def test_graphs_are_drawn_as_png_only(capsys, labels: Path, tmp_path):
    out = str(tmp_path / "graph.jpg")
    assert "expected --out to end in .png" in complaint(capsys, "graph", str(labels), "--out", out)


def test_training_leaves_the_model_the_log_and_the_split(run: Path):
    assert {path.name for path in run.iterdir()} == {"model", "run.jsonl", "split.csv"}
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 9))
    assert set(steps[0]["losses"]) == {"labels", "consistency"}
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1, 2]
    assert len((run / "split.csv").read_text().splitlines()) == len(SPLITS)


def test_training_does_not_write_over_a_model(capsys, labels: Path, run: Path):
    text = complaint(capsys, "train", str(labels), "--out", str(run), *TINY_OPTIONS)
    assert "expected a new run folder" in text


def test_a_model_to_start_from_that_is_none_is_named_before_the_photos_are_opened(
    capsys, labels: Path, tmp_path: Path
):
    command = ["train", str(labels), "--out", str(tmp_path / "run"), *TINY_OPTIONS]
    text = complaint(capsys, *command, "--init", str(tmp_path))
    assert "expected a model folder with config.json and model.safetensors" in text
    assert not (tmp_path / "run").exists()


def test_there_is_nothing_to_resume_of_a_finished_run(capsys, labels: Path, run: Path):
    before = (run / "model" / "model.safetensors").stat().st_mtime_ns
    text = result(capsys, "train", str(labels), "--out", str(run), "--resume", *TINY_OPTIONS)
    assert text.endswith(f"\n{run / 'model'}\n")
    assert (run / "model" / "model.safetensors").stat().st_mtime_ns == before


def test_a_run_that_was_cut_off_goes_on_by_the_same_command_with_resume(
    capsys, labels: Path, run: Path, tmp_path: Path
):
    command = ["train", str(labels), "--out", str(tmp_path), "--recipe", "gcam-cpu", *TINY_OPTIONS]

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunLog, "epoch", cut_off)
        assert main([*command, "--state-every", "0"]) == INTERRUPTED
    assert "with an unfinished run; go on with --resume" in complaint(capsys, *command)
    other = complaint(capsys, *command, "--resume", "--training.lr", "0.5")
    assert "but --training.lr is 0.5, was 0.002; use the same again" in other
    assert "best epoch" in result(capsys, *command, "--resume")
    weights = [(out / "model" / "model.safetensors").read_bytes() for out in (run, tmp_path)]
    assert weights[0] == weights[1]
    assert not (tmp_path / "resume").exists()


def test_photos_that_do_not_open_are_left_out_of_training(capsys, tmp_path):
    labels = write_collection(tmp_path / "photos")
    (tmp_path / "photos" / "003.png").write_bytes(b"no photo")
    arguments = ["train", str(labels), "--out", str(tmp_path / "run"), *TINY_OPTIONS]
    assert "(--max-bad)" in complaint(capsys, *arguments, "--max-bad", "0.01")
    assert main(arguments) == 0
    assert "left out: " + str(tmp_path / "photos" / "003.png") in capsys.readouterr().err


def test_all_of_the_training_photos_train_without_selection_and_every_report_says_so(
    capsys, labels: Path, tmp_path
):
    whole = write_collection(tmp_path / "photos")
    text = whole.read_text().replace(",val,", ",train,")
    whole.write_text(text)
    out = tmp_path / "run"
    arguments = ["train", str(whole), "--out", str(out), *TINY_OPTIONS]
    said = result(capsys, *arguments, "--training.selection", "last", "--training.epochs", "2")
    assert "epoch 2 of 2, without selection, 0." in said
    split = (out / "split.csv").read_text()
    assert split.count(",train\n") == text.count(",train,")
    assert ",val\n" not in split
    report = result(capsys, "evaluate", str(out / "model"), str(whole), "--unknown", "absent")
    assert "no selection: the last epoch is kept, and no threshold is fitted: all 0.5" in report
    assert "unknown targets count as absent, but not in mAP" in report


def test_evaluation_reports_what_was_measured_and_on_what(
    capsys, labels: Path, model: str, tmp_path
):
    file = tmp_path / "report.json"
    boxes = write_boxes(tmp_path / "boxes.json", labels)
    options = ["--boxes", str(boxes), "--json", str(file)]
    text = result(capsys, "evaluate", model, str(labels), *options)
    report = json.loads(file.read_text())
    assert {"mAP", "per_label", "all", "top3", "evidence", "calibration"} <= set(report)
    assert {"pointing", "energy_in_box", "consistency"} <= set(report["evidence"])
    assert set(report["per_label"]) == set(COLOURS)
    assert set(report["per_label"]["red"]) >= {"AP", "count", "threshold", "precision", "recall"}
    assert {"CP", "CR", "CF1", "OP", "OR", "OF1"} <= set(report["all"])
    assert (report["photos"], report["image_size"]) == (TEST_PHOTOS, 32)
    assert f"mAP {report['mAP']:.1f} (" in text
    for name in COLOURS:
        assert f"\n{name} " in text


def test_evaluation_takes_other_splits_and_the_evidence_of_grad_cam(
    capsys, labels: Path, model: str
):
    arguments = ["evaluate", model, str(labels), "--split", "train", "--grad-cam", "--json"]
    report = json.loads(result(capsys, *arguments))
    assert report["photos"] == SPLITS.count("train")
    assert report["evidence"]["source"] == "grad-cam"


def test_a_model_is_measured_at_another_resolution(capsys, labels: Path, model: str, tmp_path):
    file = tmp_path / "report.json"
    options = ["--image-size", "48", "--retrieval", "2", "--json", str(file)]
    text = result(capsys, "evaluate", model, str(labels), *options)
    report = json.loads(file.read_text())
    assert (report["image_size"], report["trained_image_size"]) == (48, 32)
    assert "at 48 pixels (trained at 32)" in text
    same = json.loads(result(capsys, "evaluate", model, str(labels), "--json"))
    assert (same["image_size"], same["trained_image_size"]) == (32, 32)
    assert same["evidence"]["consistency"] != report["evidence"]["consistency"]
    for size in ("50", "4096"):
        told = complaint(capsys, "evaluate", model, str(labels), "--image-size", size)
        assert "a multiple of 8 pixels, the stride of the model's encoder, and at most 2048" in told
        assert told.rstrip().endswith(size)


def test_boxes_of_other_photos_are_refused_before_the_network_runs(
    capsys, labels: Path, model: str, tmp_path, monkeypatch
):
    monkeypatch.setattr("tagsight.evaluation.evaluate.evaluate", None)
    elsewhere = write_collection(tmp_path / "elsewhere")
    for path in elsewhere.parent.glob("*.png"):
        path.rename(path.with_name(f"other-{path.name}"))
    elsewhere.write_text(elsewhere.read_text().replace("\n", "\nother-").removesuffix("other-"))
    boxes = write_boxes(tmp_path / "boxes.json", elsewhere)
    assert "expected boxes of labels" in complaint(
        capsys, "evaluate", model, str(labels), "--boxes", str(boxes)
    )


def test_data_that_hold_the_test_photos_alone_are_measured_as_a_whole(capsys, model: str, tmp_path):
    labels = write_collection(tmp_path / "elsewhere", with_splits=False)
    kept = labels.read_text().splitlines()[:11]
    labels.write_text("\n".join(kept) + "\n")
    assert json.loads(result(capsys, "evaluate", model, str(labels), "--json"))["photos"] == 10


def test_calibration_stores_other_thresholds_and_keeps_the_weights(capsys, labels: Path, tmp_path):
    out = tmp_path / "run"
    main(["train", str(labels), "--out", str(out), "--recipe", "resnet-cpu", *TINY_OPTIONS])
    config = out / "model" / "config.json"
    before = json.loads(config.read_text())
    objective = ["--objective", "precision>=0.99"]
    text = result(capsys, "calibrate", str(out / "model"), str(labels), *objective)
    after = json.loads(config.read_text())
    assert len(text.splitlines()) == 1 + len(COLOURS)
    assert after["weights_sha256"] == before["weights_sha256"]
    assert after["decision"]["thresholds"] != before["decision"]["thresholds"]
    assert after["facts"]["calibration"] == {"objective": "precision>=0.99", "photos": 8}


def test_a_model_that_only_ranks_is_calibrated_as_training_does_it(capsys, labels: Path, tmp_path):
    out = tmp_path / "run"
    main(["train", str(labels), "--out", str(out), "--recipe", "warp-cpu", *TINY_OPTIONS])
    config = out / "model" / "config.json"
    before = json.loads(config.read_text())
    result(capsys, "calibrate", str(out / "model"), str(labels))
    after = json.loads(config.read_text())["decision"]
    assert after["temperature"] == pytest.approx(before["decision"]["temperature"])
    assert after["thresholds"] == pytest.approx(before["decision"]["thresholds"])
    text = result(capsys, "evaluate", str(out / "model"), str(labels))
    assert "score 0.5" not in text
    assert "calibration error not defined" in text


def test_an_objective_that_is_none_is_refused_before_anything_is_computed(
    capsys, labels: Path, model: str
):
    text = complaint(capsys, "calibrate", model, str(labels), "--objective", "best")
    assert "expected the objective 'f1' or 'precision>=p'" in text


def test_photos_are_tagged_a_json_object_a_line(capsys, labels: Path, model: str):
    text = result(capsys, "tag", model, str(labels.parent), "--write", "jsonl", "--all-scores")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [Path(line["path"]).name for line in lines] == [f"{i:03}.png" for i in range(48)]
    for line in lines:
        assert set(line) == {"path", "labels", "scores"}
        assert list(line["scores"]) == list(COLOURS)
        assert all(0 <= score <= 1 for score in line["scores"].values())


def test_scores_of_all_labels_are_given_only_if_asked_for(capsys, labels: Path, model: str):
    photo = str(labels.parent / "000.png")
    (line,) = result(capsys, "tag", model, photo, "--write", "jsonl").splitlines()
    assert set(json.loads(line)) == {"path", "labels"}


def test_lines_go_to_a_file(capsys, labels: Path, model: str, tmp_path):
    file = tmp_path / "tags.jsonl"
    options = ["--write", "jsonl", "--out", str(file)]
    assert result(capsys, "tag", model, str(labels.parent / "000.png"), *options) == ""
    assert json.loads(file.read_text())["path"] == str(labels.parent / "000.png")


def test_a_table_has_a_row_for_each_photo(capsys, labels: Path, model: str, tmp_path):
    file = tmp_path / "tags.csv"
    options = ["--write", "csv", "--out", str(file), "--top", "2", "--never", "red, blue"]
    assert result(capsys, "tag", model, str(labels.parent), *options) == ""
    head, *rows = csv.reader(io.StringIO(file.read_text()))
    assert head == ["path", "labels"]
    assert len(rows) == 48
    found = [row[1].split(";") for row in rows]
    assert all(len(names) == 2 for names in found)
    assert not {"red", "blue"} & {name for names in found for name in names}


def test_parts_of_the_photos_make_up_all(capsys, labels: Path, model: str):
    lines: list[str] = []
    for part in ("1/2", "2/2"):
        text = result(capsys, "tag", model, str(labels.parent), "--shard", part, "--top", "1")
        lines += text.splitlines()
    whole = result(capsys, "tag", model, str(labels.parent), "--top", "1").splitlines()
    assert sorted(lines) == sorted(whole)


def test_the_surer_the_fewer_labels(capsys, labels: Path, model: str):
    found = [
        result(capsys, "tag", model, str(labels.parent), "--strictness", strictness).count(",")
        for strictness in ("more", "balanced", "sure")
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


@pytest.fixture
def album(labels: Path, tmp_path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.png").write_bytes((labels.parent / f"00{i}.png").read_bytes())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["xmp", "txt"])
def test_sidecars_are_written_listed_and_taken_back(
    capsys, album: Path, model: str, tmp_path, form: str
):
    before = contents(album)
    common = ["--journal", str(tmp_path / "journal.sqlite")]
    written = ["tag", model, str(album), "--write", form, "--top", "2", *common]
    text = result(capsys, *written, "--dry-run")
    assert text.count(": + ") == 4
    assert contents(album) == before
    result(capsys, *written)
    assert len(contents(album)) == 8
    assert f"{form}  4 sidecars, 8 tags  by " in result(capsys, "runs", *common)
    after = contents(album)
    result(capsys, *written)
    assert contents(album) == after
    result(capsys, "undo", *common)
    assert contents(album) == before
    assert "taken back" in result(capsys, "runs", *common)
    assert "is not taken back yet, got run 1" in complaint(capsys, "undo", "1", *common)
    assert "expected a run 7 to take back" in complaint(capsys, "undo", "7", *common)


def test_without_a_journal_there_is_nothing_to_take_back(capsys, tmp_path):
    file = tmp_path / "journal.sqlite"
    assert f"there is no journal {file}" in complaint(capsys, "undo", "--journal", str(file))
    assert not file.exists()


def test_tag_files_are_written_as_it_is_said(capsys, album: Path, model: str, tmp_path):
    (album / "0.caption").write_text("by hand")
    result(
        *(capsys, "tag", model, str(album), "--write", "txt", "--extension", ".caption"),
        *("--separator", ";", "--top", "5", "--replace", "red=crimson", "--never", "blue"),
        *("--existing", "keep", "--sidecar-dir", str(tmp_path / "beside")),
    )
    found = contents(tmp_path / "beside")
    assert set(found) == {f"{i}.caption" for i in range(4)}
    for content in found.values():
        assert set(content.decode().split(";")) == set(COLOURS) - {"red", "blue"} | {"crimson"}
    assert (album / "0.caption").read_text() == "by hand"


def test_what_is_left_out_is_listed_in_a_file(capsys, album: Path, model: str, tmp_path):
    (album / "1.png").write_bytes(b"no photo")
    (album / "2.png.xmp").write_bytes(b"no sidecar")
    problems = tmp_path / "problems.csv"
    journal = ["--journal", str(tmp_path / "journal.sqlite")]
    failures(
        *(capsys, "tag", model, str(album), "--write", "xmp", "--top", "1"),
        *("--problems", str(problems), *journal),
    )
    head, *rows = csv.reader(io.StringIO(problems.read_text()))
    assert head == ["photo", "problem"]
    assert [Path(row[0]).name for row in rows] == ["1.png", "2.png"]
    assert (album / "2.png.xmp").read_bytes() == b"no sidecar"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dry-run"], "expected --write txt or xmp with --dry-run, got text"),
        (["--write", "xmp", "--separator", ";"], "expected --write txt with --separator, got xmp"),
        (["--write", "xmp", "--out", "a"], "expected neither --out nor --all-scores"),
        (["--write", "txt", "--separator", ""], "expected punctuation, white space or"),
        (["--write", "txt", "--replace", "dog"], "expected --replace as label=tag"),
        (["--write", "txt", "--extension", "png"], "expected a suffix such as .txt or .caption"),
        (["--write", "txt", "--replace", "red=a, b"], "expected tags without the separator"),
        (["--write", "xmp", "--replace", "red=a\x1b"], "and without control characters, got 'a"),
        (["--write", "xmp", "--journal", "/proc/none/j"], "expected a journal that can be read"),
        (["--write", "text", "--sidecar-name", "stem"], "expected --write txt or xmp with --sidec"),
        (["--shard", "3/2"], "expected --shard as i/n"),
        (["--only", "mauve"], "expected labels of the model, such as"),
    ],
)
def test_options_of_tag_that_mean_nothing_are_refused(
    capsys, album: Path, model: str, options: list[str], message: str
):
    assert message in complaint(capsys, "tag", model, str(album), *options)
    assert len(contents(album)) == 4


def test_photos_that_cannot_be_read_are_listed_and_the_rest_goes_on(
    capsys, labels: Path, model: str, tmp_path
):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    capsys.readouterr()
    assert main(["tag", model, str(broken), str(labels.parent / "000.png")]) == 1
    captured = capsys.readouterr()
    assert f"left out: {broken}" in captured.err
    assert "1 photo tagged, 1 left out" in captured.err
    assert captured.out.startswith(str(labels.parent / "000.png"))


@pytest.mark.parametrize("command", ["tag", "index", "explain"])
def test_a_photo_that_is_left_out_shows_in_the_exit_code_of_every_command(
    capsys, album: Path, model: str, tmp_path, command: str
):
    if command == "index":
        pytest.importorskip("lancedb")
    (album / "1.png").write_bytes(b"no photo")
    assert "left out: " in failures(
        capsys, command, model, str(album), "--out", str(tmp_path / "out")
    )


@pytest.mark.parametrize("command", ["tag", "index", "explain"])
def test_a_link_in_a_circle_is_listed_and_hides_nothing(
    capsys, album: Path, model: str, tmp_path, command: str
):
    if command == "index":
        pytest.importorskip("lancedb")
    link = album / "latest"
    link.symlink_to(link.name)
    out = tmp_path / "out"
    for given in ([album], sorted(album.iterdir())):
        told = failures(capsys, command, model, *map(str, given), "--out", str(out))
        assert told.count(f"left out: {link}: cannot be examined: ") == 1
    if command == "explain":
        assert len(list(out.iterdir())) >= 4
    else:
        assert ("4 photos in the index" if command == "index" else "4 photos tagged") in told


@pytest.mark.parametrize("command", ["tag", "index", "explain", "evaluate", "train", "data"])
def test_a_photo_that_takes_more_memory_than_it_may_is_left_out_by_every_command(
    capsys, album: Path, labels: Path, model: str, tmp_path, command: str
):
    if command == "index":
        pytest.importorskip("lancedb")
    options = ["--max-photo-memory", "0.02"]  # less than any photo takes
    if command in {"tag", "index", "explain"}:
        options += ["--out", str(tmp_path / "out")]
        told = failures(capsys, command, model, str(album), *options)
    elif command == "data":
        assert main(["data", str(labels), *options]) == 0
        told = capsys.readouterr().out
    else:
        given = [model, str(labels)] if command == "evaluate" else [str(labels)]
        options += ["--out", str(tmp_path / "out")] if command == "train" else []
        assert main([command, *given, *options]) == 2
        told = capsys.readouterr().err
    assert "at most 21,474,836 bytes of memory to decode" in told


def test_a_photo_of_many_pixels_is_told_in_our_words_alone(capsys, album: Path, model: str):
    large = album / "large.ppm"
    large.write_bytes(b"P3 13000 13000 255 0 0 0")
    told = failures(capsys, "tag", model, str(album))
    assert f"left out: {large}: expected a photo that takes at most 1,073,741,824 bytes" in told
    assert "decompression bomb" not in told


def test_a_folder_without_photos_is_no_success(capsys, model: str, tmp_path):
    assert f"no photo found in {tmp_path}" in failures(capsys, "tag", model, str(tmp_path))


@pytest.mark.parametrize("command", ["tag", "index", "explain", "export", "evaluate", "calibrate"])
def test_a_model_in_the_wrong_place_is_recognised_by_every_command(
    capsys, labels: Path, model: str, command: str
):
    given = str(labels if command in {"evaluate", "calibrate"} else labels.parent)
    out = ["--out", "new.onnx"] if command in {"index", "explain", "export"} else []
    for swapped in (model, str(Path(model).parent)):
        text = complaint(capsys, command, given, swapped, *out)
        assert f"did you mean: tagsight {command} {shlex.join([swapped, given])}" in text


@pytest.fixture
def photo_index(capsys, album: Path, model: str, tmp_path) -> str:
    pytest.importorskip("lancedb")
    folder = str(tmp_path / "index")
    result(capsys, "index", model, str(album), "--out", folder)
    return folder


def test_photos_are_found_by_likeness_and_by_labels(
    capsys, album: Path, photo_index: str, tmp_path
):
    page, photo = tmp_path / "found.html", str(album / "1.png")
    text = result(capsys, "search", photo_index, "--like", photo, "--html", str(page))
    assert {Path(line.split()[1]).name for line in text.splitlines()} == {"0.png", "2.png", "3.png"}
    assert page.read_text(encoding="utf-8").count("<li>") == 3
    text = result(capsys, "search", photo_index, "--where", "red or not red", "--json")
    photos = json.loads(text)["photos"]
    assert len(photos) == 4
    assert all(list(one["scores"]) == list(COLOURS) for one in photos)
    text = result(
        *(capsys, "search", photo_index, "--like", photo, "--region", "0,0,16,16"),
        *("--where", "red or not red", "--top", "1"),
    )
    assert len(text.splitlines()) == 1


def test_an_index_is_brought_up_to_date(capsys, album: Path, photo_index: str, model: str):
    (album / "0.png").rename(album / "9.png")
    (album / "1.png").unlink()
    capsys.readouterr()
    assert main(["index", model, str(album), "--out", photo_index]) == 0
    told = capsys.readouterr().err
    assert "3 photos in the index: 0 new, 2 known, 1 moved, 1 gone, 0 left out" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --like with a photo, --where with labels, or both, got neither"),
        (["--where", "red", "--region", "1,2,3,4"], "expected --like with the photo"),
        (["--where", "mauve"], "expected a label of the index"),
        (["--like", "{photo}", "--region", "1,2,3"], "expected --region as left,top,width,height"),
        (
            ["--like", "{photo}", "--region", "99,0,5,5"],
            "expected a region left, top, width, height",
        ),
        (["--like", "{photo}", "--model", "nowhere"], "got none at nowhere: say with --model"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(
    capsys, album: Path, photo_index: str, arguments: list[str], message: str
):
    given = [argument.format(photo=album / "0.png") for argument in arguments]
    assert message in complaint(capsys, "search", photo_index, *given)


def test_a_model_is_exported_and_compared(capsys, album: Path, model: str, tmp_path):
    file = tmp_path / "model.onnx"
    text = result(capsys, "export", model, str(album), "--out", str(file))
    assert "4 photos, the file against the model in float32" in text
    assert file.stat().st_size > 1000
    assert "ends in .onnx or .xml" in complaint(
        capsys, "export", model, str(album), "--out", "model"
    )
    other = ["--to", "openvino", "--out", str(file)]
    assert "that ends in .xml" in complaint(capsys, "export", model, str(album), *other)
    (tmp_path / "empty").mkdir()
    options = [str(tmp_path / "empty"), "--out", str(file)]
    assert "expected photos to compare" in complaint(capsys, "export", model, *options)


def test_a_model_is_exported_in_8_bits(capsys, album: Path, labels: Path, model: str, tmp_path):
    file = tmp_path / "model.xml"
    asked = [model, str(album), "--out", str(file), "--int8"]
    allowed = ["--max-map-drop", "100"]
    text = result(capsys, "export", *asked, "--data", str(labels), *allowed)
    assert "in float32, " in text
    assert "in 8 bits" in text
    assert file.with_suffix(".bin").stat().st_size > 100
    assert "expected --data with the labels" in complaint(capsys, "export", *asked)
    unasked = [*asked[:-1], "--data", str(labels)]
    assert "expected --int8 with --data" in complaint(capsys, "export", *unasked)


def test_photos_are_explained_by_pictures(capsys, labels: Path, model: str, tmp_path):
    out = tmp_path / "evidence"
    photos = [str(labels.parent / "000.png"), str(labels.parent / "001.png")]
    options = ["--out", str(out), "--label", "red", "--label", "blue", "--grad-cam"]
    text = result(capsys, "explain", model, *photos, *options)
    assert {"000.png", "000.red.png", "000.blue.png", "001.png"} <= {p.name for p in out.iterdir()}
    assert "\n  red 0." in text


def test_a_label_that_the_model_does_not_know_is_refused(
    capsys, labels: Path, model: str, tmp_path
):
    photo = str(labels.parent / "000.png")
    options = ["--out", str(tmp_path / "evidence"), "--label", "rde"]
    assert "did you mean 'red'?" in complaint(capsys, "explain", model, photo, *options)


def test_the_counts_of_a_graph_are_saved_and_give_the_same_graph(capsys, labels: Path, tmp_path):
    counts = tmp_path / "counts.npz"
    from_photos = result(capsys, "graph", str(labels), "--epsilon", "0.3", "--save", str(counts))
    assert result(capsys, "graph", str(counts), "--epsilon", "0.3") == from_photos


def test_word_vectors_that_are_written_are_those_that_training_would_use(
    capsys, labels: Path, tmp_path
):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{name} {i} 1\n" for i, name in enumerate(COLOURS)))
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    arguments = ["vectors", str(labels), "--from", str(words), *out_to(first)]
    assert result(capsys, *arguments).startswith("word vectors of length 2 from ")
    words.write_text("red 1 1\n")
    main(["vectors", "--labels", "red,xyzzy", "--from", str(words), *out_to(second)])
    assert "random numbers made from the name stand in for 'xyzzy'" in capsys.readouterr().err
    result(capsys, "vectors", "--labels", ",".join(COLOURS), "--from", str(first), *out_to(second))
    for file in (first, second):
        with np.load(file, allow_pickle=False) as stored:
            assert stored["names"].tolist() == list(COLOURS)
            assert stored["vectors"].tolist() == [[i, 1] for i in range(len(COLOURS))]


def out_to(file: Path) -> list[str]:
    return ["--out", str(file)]


def test_word_vectors_are_made_of_saved_counts(capsys, labels: Path, tmp_path, monkeypatch):
    monkeypatch.setattr("tagsight.labels.word_files.find_spec", lambda _: None)
    counts, vectors = tmp_path / "counts.npz", tmp_path / "vectors.npz"
    result(capsys, "graph", str(labels), "--save", str(counts))
    text = result(capsys, "vectors", str(counts), *out_to(vectors))
    assert "made from how often labels occur together" in text
    text = complaint(capsys, "vectors", "--labels", "cat,dog", *out_to(vectors))
    assert "expected a file of word vectors, the extra 'glove', or photos with the labels" in text


@pytest.mark.parametrize("both", [True, False])
def test_labels_come_from_data_or_from_their_names(capsys, labels: Path, tmp_path, both):
    names = [str(labels), "--labels", "cat"] if both else []
    text = complaint(capsys, "vectors", *names, *out_to(tmp_path / "vectors.npz"))
    assert "expected either DATA or --labels" in text


def comparing(labels: Path, out: Path, *options: str) -> list[str]:
    return ["compare", str(labels), "--out", str(out), *options, *TINY_OPTIONS]


def test_systems_are_compared_in_tables_and_a_plot_and_nothing_is_done_twice(
    capsys, labels: Path, tmp_path
):
    boxes = write_boxes(tmp_path / "boxes.json", labels)
    options = ["--systems", "resnet, gcam", "--seeds", "2", "--boxes", str(boxes)]
    out = tmp_path / "out"
    assert main(comparing(labels, out, *options)) == 0
    captured = capsys.readouterr()
    assert "to run: 4, less than a minute in all" in captured.err
    assert "  gcam-cpu: less than a minute each, seeds 0, 1" in captured.err
    assert "run 4 of 4: gcam-cpu, seed 1" in captured.err
    assert captured.out.splitlines()[0] in (out / "table.md").read_text()
    files = {path.name for path in out.iterdir()}
    assert files >= {"table.md", "table.csv", "table.tex", "plot.svg", "results", "runs"}
    assert len(list((out / "results").iterdir())) == 8
    assert result(capsys, *comparing(labels, out, *options)) == captured.out
    assert result(capsys, "evaluate", str(out / "runs" / "gcam-cpu-1" / "model"), str(labels))


def test_a_comparison_says_what_it_left_out_and_how_to_draw(
    capsys, labels: Path, tmp_path, monkeypatch
):
    monkeypatch.setattr("tagsight.experiments.plots.find_spec", lambda _: None)
    options = ["--systems", "resnet", "--seeds", "1"]
    out = tmp_path / "out"
    assert main(comparing(labels, out, *options, "--budget", "0.0001")) == 0
    captured = capsys.readouterr()
    assert ", of which as much as fits into 0.0001 min" in captured.err
    assert (
        "left out, as it would not have ended within the budget: resnet-cpu, seed 0" in captured.err
    )
    assert captured.out == ""
    assert main(comparing(labels, out, *options)) == 0
    assert "no plot: it needs matplotlib, which the extra 'plots' brings" in capsys.readouterr().err
    assert not (out / "plot.svg").exists()
    assert (out / "table.md").exists()


def test_a_failed_run_is_told_at_the_end_and_in_the_exit_code(capsys, labels: Path, tmp_path):
    variants = tmp_path / "variants.toml"
    wrong = '[wild]\nrecipe = "resnet"\ntraining.optimizer = "sgd"\ntraining.lr = 1e30\n'
    variants.write_text(wrong)
    options = ["--systems", "resnet", "--variants", str(variants), "--seeds", "1"]
    assert main(comparing(labels, tmp_path / "out", *options)) == 1
    captured = capsys.readouterr()
    assert "  wild: time not known, seed 0" in captured.err
    assert "| wild | 0 | failed |" in captured.out
    assert "- Failed: wild, seed 0: the l" in captured.out


def test_a_comparison_that_is_interrupted_says_what_it_has_and_goes_on(
    capsys, labels: Path, tmp_path
):
    options = ["--systems", "resnet,gcam", "--seeds", "1"]

    def cut_off(log: RunLog, *_: object) -> None:
        if "gcam" in str(log._path):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunLog, "epoch", cut_off)
        assert main(comparing(labels, tmp_path, *options)) == INTERRUPTED
    captured = capsys.readouterr()
    assert "| resnet-cpu | 1 |" in captured.out
    assert "- Not run: gcam-cpu, seed 0." in captured.out
    assert "the same command goes on" in captured.err
    assert "| gcam-cpu | 1 |" in result(capsys, *comparing(labels, tmp_path, *options))


def test_what_cannot_be_compared_is_refused_before_the_photos_are_opened(
    capsys, labels: Path, tmp_path
):
    text = complaint(capsys, *comparing(labels, tmp_path / "out", "--systems", "gcam,gcan"))
    assert "expected the name of a recipe, got 'gcan'" in text
    assert not (tmp_path / "out").exists()
