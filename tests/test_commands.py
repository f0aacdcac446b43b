"""The commands one after another, on photos that take a second to train on."""

import csv
import hashlib
import io
import json
import logging
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from collection import SPLITS, TINY_OPTIONS, write_boxes, write_collection
from full_disk import largest_file
from PIL import Image
from tiny import COLOURS

from tagsight.cli import main
from tagsight.commands.output import INTERRUPTED
from tagsight.data.format import ReadOptions
from tagsight.data.literature.protocols import PROTOCOLS, TRAINVAL, Protocol, Published
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.training.log import RunLog


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    return write_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="module")
def run(labels, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert main(training(labels, out, "--recipe", "gcam-cpu")) == 0
    return out


@pytest.fixture(scope="module", autouse=True)
def _traced_once(traced_once) -> Iterator[None]:
    with traced_once():
        yield


@pytest.fixture(scope="module")
def model(run) -> str:
    return str(run / "model")


@pytest.fixture
def album(labels, tmp_path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.png").write_bytes((labels.parent / f"00{i}.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def bare(labels, tmp_path_factory) -> str:
    """The labels without any of the photos."""
    copy = tmp_path_factory.mktemp("bare") / "labels.csv"
    copy.write_text(labels.read_text())
    return str(copy)


@pytest.fixture(scope="module")
def wrong(labels, tmp_path_factory) -> dict[str, Path]:
    """An empty folder, labels without splits or of other names, and boxes of other photos."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "empty").mkdir()
    boxes = write_boxes(folder / "elsewhere.json", labels)
    boxes.write_text(boxes.read_text().replace(".png", ".bmp"))
    unsplit = write_collection(folder / "unsplit", with_splits=False)
    others = write_collection(folder / "others", names="abcde")
    return {"empty": folder / "empty", "elsewhere": boxes, "unsplit": unsplit, "others": others}


@pytest.fixture
def places(labels, run, bare, wrong, tmp_path) -> dict[str, Path | str]:
    """What commands can be given, and a new path."""
    photos = {"labels": labels, "photos": labels.parent, "photo": labels.parent / "000.png"}
    runs = {"run": run, "model": run / "model", "new": tmp_path / "new"}
    return {**wrong, **photos, **runs, "bare": bare}


@pytest.fixture(scope="module")
def index(labels, model, tmp_path_factory) -> str:
    pytest.importorskip("lancedb")
    folder = str(tmp_path_factory.mktemp("search") / "index")
    photos = [str(labels.parent / f"00{i}.png") for i in range(4)]
    assert main(["index", model, *photos, "--out", folder]) == 0
    return folder


def training(labels: Path, out: Path, *options: str) -> list[str]:
    return ["train", str(labels), "--out", str(out), *options, *TINY_OPTIONS]


def comparing(labels: Path, out: Path, *options: str) -> list[str]:
    return ["compare", str(labels), "--out", str(out), *options, *TINY_OPTIONS]


def result(capsys, *arguments: object) -> str:
    """What a command that succeeds writes to standard output."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def failures(capsys, *arguments: object) -> str:
    """What a command that cannot do a part of its work writes to standard error."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 1
    return capsys.readouterr().err


def complaint(capsys, *arguments: object) -> str:
    """The sentence of a command that fails for a user's error, all that it says."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("tagsight: ") == 1
    last = captured.err.splitlines()[-1]
    assert last.startswith("tagsight: ")
    return last


def settings_of(model: Path | str) -> dict:
    return json.loads((Path(model) / "config.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train {labels} --out {run}", "expected a new run folder"),
        ("train {labels} --out {new} --init {photos}", "expected a model folder with config.json"),
        ("data {unsplit} --split-file {new}", "expected data with a split to write"),
        ("data {labels} --quick --errors {labels}", "expected a new file, got"),
        ("data {labels} --quick --model {model} --errors {new}", "--quick or --model, got both"),
        ("data {labels} --labels-only --errors {new}", "photos to find wrong labels by, got"),
        ("graph {labels} --out {new}.jpg", "expected --out to end in .png"),
        ("evaluate {model} {labels} --image-size 50", "a multiple of 8 pixels, the stride"),
        ("evaluate {model} {labels} --image-size 4096", "and at most 2048"),
        ("evaluate {model} {labels} --boxes {labels}", "labels.csv"),
        ("evaluate {model} {labels} --boxes {elsewhere}", "expected boxes of labels ['red', "),
        ("evaluate {model} {others}", "expected labels of the model, such as ['red', 'green', "),
        ("calibrate {model} {labels} --objective best", "the objective 'f1' or 'precision>=p'"),
        ("tag {model} {photos}/phtos", 'phtos" does not exist'),
        ("tag {model} {photos} --dry-run", "--write txt or xmp, or --embed, with --dry-run, got"),
        ("tag {model} {photos} --embed --write xmp", "expected --embed or --write xmp, got both"),
        ("tag {model} {photos} --embed --extension a", "--write txt with --extension, got --embed"),
        ("confirm {photos} --embed --sidecar-name full", "expected --embed, or --sidecar-dir and"),
        ("tag {model} {photos} --write xmp --separator ';'", "--write txt with --separator, got"),
        ("tag {model} {photos} --write xmp --out a", "expected neither --out nor --all-scores"),
        ("tag {model} {photos} --write txt --separator ''", "expected punctuation, white space or"),
        ("tag {model} {photos} --write txt --replace dog", "expected --replace as label=tag"),
        ("tag {model} {photos} --write txt --extension png", "a suffix such as .txt or .caption"),
        ("tag {model} {photos} --write txt --replace 'red=a, b'", "tags without the separator"),
        ("tag {model} {photos} --write xmp --replace red=a\x1b", "without control characters, got"),
        ("tag {model} {photos} --write xmp --journal /proc/none/j", "a journal that can be read"),
        ("tag {model} {photos} --sidecar-name stem", "--write txt or xmp with --sidecar-name"),
        ("tag {model} {photos} --shard 3/2", "expected --shard as i/n"),
        ("tag {model}", "expected photos or folders to tag, or a list of them as --files-from"),
        ("tag {model} --files-from {new}", "new: No such file or directory"),
        ("tag {model} --files-from {labels}", "expected a photo or folder in each line, got"),
        ("tag {model} --files-from {photo}", "a list is text, and no photo itself"),
        ("tag {model} --files-from /dev/null", "/dev/null: expected a photo or folder in each"),
        ("tag {model} {photos} --only mauve", "expected labels of the model, such as"),
        ("undo --journal {new}", "there is no journal"),
        ("search {index}", "--like with a photo, --where with labels, or both, got neither"),
        ("search {index} --where red --region 1,2,3,4", "expected --like with the photo"),
        ("search {index} --where mauve", "expected a label of the index"),
        ("search {index} --like {photo} --region 1,2,3", "--region as left,top,width,height"),
        ("search {index} --like {photo} --region 99,0,5,5", "a region left, top, width, height"),
        ("search {index} --like {photo} --model nowhere", "none at nowhere: say with --model"),
        ("export {model} {photos} --out model", "ends in .onnx or .xml"),
        ("export {model} {photos} --out {new}.onnx --to openvino", "that ends in .xml"),
        ("export {model} {empty} --out {new}.onnx", "expected photos to compare"),
        ("export {model} {photos} --out {new}.xml --int8", "expected --data with the labels"),
        ("export {model} {photos} --out {new}.xml --data {labels}", "expected --int8 with --data"),
        ("explain {model} {photo} --out {new} --label rde", "did you mean 'red'?"),
        ("vectors {labels} --labels cat --out {new}.npz", "expected either DATA or --labels"),
        ("vectors --out {new}.npz", "expected either DATA or --labels"),
        ("compare {labels} --out {new} --systems gcam,gcan", "the name of a recipe, got 'gcan'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence_before_anything_is_computed_or_written(
    request, capsys, places, tmp_path, monkeypatch, command, message
):
    monkeypatch.setattr("tagsight.evaluation.evaluate.measured", None)
    monkeypatch.setenv("PATH", "")  # options are refused before a missing program is named
    if "{index}" in command:
        places["index"] = request.getfixturevalue("index")
    before = contents(places["photos"])
    assert message in complaint(capsys, *shlex.split(command.format(**places)))
    assert contents(places["photos"]) == before
    assert not list(tmp_path.glob("new*"))


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("data {labels} --labels-only --html {new}.html", "{new}.html"),
        ("data {labels} --labels-only --json {new}.json", "{new}.json"),
        ("data {photos} --template {new}.csv", "{new}.csv"),
        ("graph {labels} --out {new}.png", "{new}.png"),
        ("vectors {labels} --out {new}.npz", "{new}.npz"),
        ("evaluate {model} {labels} --json {new}.json", "{new}.json"),
        ("explain {model} {photo} --out {new}", "{new}/000.png"),
        ("tag {model} {photos} --write jsonl --out {new}.jsonl", "{new}.jsonl"),
        ("export {model} {photos} --out {new}.onnx", "tagsight-"),
        ("train {labels} --recipe resnet-cpu --out {new} {tiny}", "{new}/"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_no_part_of_it_is_left(
    capsys, places, tmp_path, command, file
):
    places |= {"tiny": shlex.join(TINY_OPTIONS)}
    with largest_file(100):
        assert main(shlex.split(command.format(**places))) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert file.format(**places) in message
    assert message.endswith(": File too large")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("command", ["tag", "index", "explain", "export", "evaluate", "calibrate"])
def test_a_model_in_the_wrong_place_is_recognised_by_every_command(capsys, labels, model, command):
    given = str(labels if command in {"evaluate", "calibrate"} else labels.parent)
    out = ["--out", "new.onnx"] if command in {"index", "explain", "export"} else []
    for swapped in (model, str(Path(model).parent)):
        text = complaint(capsys, command, given, swapped, *out)
        assert f"did you mean: tagsight {command} {shlex.join([swapped, given])}" in text


@pytest.mark.parametrize(
    ("command", "names", "column"), [("systems", SYSTEMS, "paper"), ("recipes", RECIPES, "minutes")]
)
def test_systems_and_recipes_are_listed_in_aligned_columns(capsys, command, names, column):
    head, *lines = result(capsys, command).splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(names)
    place = head.index(column)
    assert all(line[place - 1] == " " != line[place] for line in lines)


def test_a_recipe_is_written_as_a_file_that_training_reads(capsys, labels, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(result(capsys, "recipes", "resnet-cpu"))
    main(training(labels, tmp_path / "run", "--config", str(file)))
    assert settings_of(tmp_path / "run" / "model")["recipe"]["system"] == "resnet"


def test_data_are_described_with_their_photos_or_without(capsys, caplog, labels, bare):
    assert json.loads(result(capsys, "data", labels, "--json"))["photos"] == 48
    for chosen in (["--labels-only"], []):
        assert main(["data", bare, *chosen]) == 0
        told = capsys.readouterr()
        assert "48 photos (32 train, 8 val, 8 test), 5 labels" in told.out
        assert "photos were not opened" in told.out
    assert sum("found none of 48" in line for line in caplog.messages) == 2


def test_what_is_found_in_a_table_is_logged_once_with_photos_or_without(caplog, tmp_path):
    caplog.set_level(logging.INFO)
    table = tmp_path / "list.csv"
    table.write_text("file,keywords,place\na,dog;sky,x1\nb,sky,y2\n")
    for photos in ((), ("deep/a.jpg", "deep/b.jpg")):
        for photo in photos:
            (tmp_path / photo).parent.mkdir(exist_ok=True)
            Image.new("RGB", (32, 32)).save(tmp_path / photo)
        for command in ("data", "graph"):
            caplog.clear()
            assert main([command, str(table), "--labels-column", "keywords"]) == 0
            assert sum("'place'" in line for line in caplog.messages) == 1
            assert len(caplog.messages) == len(set(caplog.messages))
            assert ("2 photos found not as written" in caplog.text) == bool(photos)


@pytest.fixture
def coco(tmp_path) -> list[str]:
    """The description of one photo for training and two for what COCO calls val, one empty."""
    (tmp_path / "annotations").mkdir()
    for split, photos in (("train", "a"), ("val", "bc")):
        content = {
            "images": [{"id": name, "file_name": f"{name}.jpg"} for name in photos],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"image_id": photos[0], "category_id": 1}],
        }
        file = tmp_path / "annotations" / f"instances_{split}2014.json"
        file.write_text(json.dumps(content))
    return ["data", str(tmp_path), "--labels-only", "--protocol", "coco2014"]


def test_labels_that_are_probably_wrong_are_written_to_new_files(capsys, labels, model, tmp_path):
    table, page = tmp_path / "wrong.csv", tmp_path / "wrong.html"
    before = labels.read_bytes()
    result(
        capsys, "data", labels, "--model", model, "--errors", table, "--errors-page", page,
        "--html", tmp_path / "data.html",
    )  # fmt: skip
    assert table.read_text().startswith("image,label,given,score,wrong,reasons\n")
    printed = result(capsys, "data", labels, "--model", model, "--errors", "-")
    assert printed.endswith(table.read_text())
    assert "Download the corrected table" in page.read_text()
    assert labels.read_bytes() == before


def test_a_report_of_a_collection_has_its_wrong_labels_with_evidence_and_can_be_passed_on(
    capsys, labels, model, tmp_path
):
    report, table = tmp_path / "data.html", labels.parent / "flipped.csv"
    head, first, *rows = labels.read_text().splitlines()
    name, split, *cells = first.split(",")
    flipped = ",".join([name, split, *(str(1 - int(cell)) for cell in cells)])
    table.write_text("\n".join([head, flipped, *rows]))
    result(
        capsys, "data", table, "--model", model, "--errors", tmp_path / "wrong.csv",
        "--html", report,
    )  # fmt: skip
    page = report.read_text()
    assert "evidence for" in page[page.index("that may be wrong") :]
    assert len(page) < 5_000_000


def test_data_read_by_a_protocol_are_compared_with_what_is_published(capsys, coco, tmp_path):
    file = tmp_path / "split.csv"
    assert main([*coco, "--split-file", str(file)]) == 0
    captured = capsys.readouterr()
    assert "2 photos (1 train, 1 test), 1 label," in captured.out
    assert "your test has 1 photo, expected 40,137" in captured.out
    assert hashlib.sha256(file.read_bytes()).hexdigest() in captured.err
    assert file.read_text() == "train2014/a.jpg,train\nval2014/b.jpg,test\n"
    (compared,) = json.loads(result(capsys, *coco, "--json"))["comparisons"]
    assert (compared["name"], compared["told"]) == ("coco2014", True)


def test_what_a_protocol_decides_is_not_said_twice(capsys, coco):
    assert "got both" in complaint(capsys, *coco, "--format", "coco")
    assert "leave out one" in complaint(capsys, *coco, "--unlabelled", "keep")
    for option, value in (("difficult", "present"), ("topics", "all"), ("unlabelled", "drop")):
        assert result(capsys, *coco, f"--{option}", value)


def test_training_by_a_protocol_says_how_its_counts_differ_and_records_it(
    capsys, labels, tmp_path, monkeypatch
):
    counts = {"train": Published(40), "test": Published(8)}
    every = ReadOptions(unlabelled="keep")
    tiny = Protocol("tiny", "csv-columns", every, TRAINVAL, 5, counts, "nobody")
    monkeypatch.setitem(PROTOCOLS, "tiny", tiny)
    assert main(training(labels, tmp_path, "--protocol", "tiny", "--recipe", "resnet-cpu")) == 0
    assert "protocol tiny: tiny\n  counts as published (nobody)\n" in capsys.readouterr().err
    data = settings_of(tmp_path / "model")["facts"]["data"]
    assert data["protocol"] == "tiny"
    assert data["photos"] == {"train": 34, "val": 6, "test": 8}
    for reading in (["--protocol", "tiny"], []):
        report = result(capsys, "evaluate", tmp_path / "model", labels, *reading, "--json")
        assert json.loads(report)["photos"] == 8


def test_the_graph_of_labels_alone_is_printed_drawn_and_saved(capsys, bare, tmp_path):
    picture, counts = tmp_path / "graph.png", tmp_path / "counts.npz"
    options = ["--epsilon", "0.3", "--out", picture, "--save", counts]
    text = result(capsys, "graph", bare, *options)
    assert "among 5 labels" in text
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
    assert result(capsys, "graph", counts, *options[:2]) in text
    assert "warning: epsilon 1 leaves no edge" in result(capsys, "graph", counts, "--epsilon", "1")


def test_training_leaves_the_model_the_log_the_split_and_how_data_were_read(run):
    files = {"data.toml", "model", "run.jsonl", "split.csv", "validation.csv"}
    assert {path.name for path in run.iterdir()} == files
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 9))
    assert set(steps[0]["losses"]) == {"labels", "consistency"}
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1, 2]
    assert len((run / "split.csv").read_text().splitlines()) == len(SPLITS)


@pytest.mark.parametrize(("held_out", "split"), [("test", "test"), ("val", "validation")])
def test_the_command_that_training_ends_with_measures_the_photos_that_were_held_out(
    capsys, tmp_path, held_out, split
):
    labels = write_collection(tmp_path / "data")
    labels.write_text(labels.read_text().replace(",val,", f",{held_out},"))
    labels.write_text(labels.read_text().replace(",test,", f",{held_out},"))
    capsys.readouterr()
    assert main(training(labels, tmp_path / "run")) == 0
    (line,) = [one for one in capsys.readouterr().err.splitlines() if " tagsight evaluate " in one]
    name, _, command = line.partition(": tagsight ")
    assert name == f"figures on the {split} split"
    assert "no split" not in result(capsys, *shlex.split(command))


def test_a_run_that_was_cut_off_goes_on_by_the_same_command_with_resume(
    capsys, labels, run, tmp_path
):
    command = training(labels, tmp_path, "--recipe", "gcam-cpu")

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunLog, "epoch", cut_off)
        assert main([*command, "--state-every", "0"]) == INTERRUPTED
    assert "with an unfinished run; go on with --resume" in complaint(capsys, *command)
    other = complaint(capsys, *command, "--resume", "--training.lr", "0.5")
    assert "but --training.lr is 0.5, was 0.002; use the same again" in other
    assert "epoch 2 of 2" in result(capsys, *command, "--resume")
    written = [out / "model" / "model.safetensors" for out in (run, tmp_path)]
    assert written[0].read_bytes() == written[1].read_bytes()
    assert not (tmp_path / "resume").exists()
    before = written[1].stat().st_mtime_ns  # what is finished is not done again
    assert result(capsys, *command, "--resume").endswith(f"\n{tmp_path / 'model'}\n")
    assert written[1].stat().st_mtime_ns == before


def test_photos_that_do_not_open_are_left_out_of_training(capsys, tmp_path):
    labels = write_collection(tmp_path / "photos")
    (tmp_path / "photos" / "003.png").write_bytes(b"no photo")
    command = training(labels, tmp_path / "run")
    assert "(--max-bad)" in complaint(capsys, *command, "--max-bad", "0.01")
    assert main(command) == 0
    assert "left out: " + str(tmp_path / "photos" / "003.png") in capsys.readouterr().err


def test_evaluation_takes_other_splits_evidence_resolutions_and_conventions(
    capsys, labels, model, tmp_path
):
    file = tmp_path / "report.json"
    options = ["--split", "train", "--grad-cam", "--image-size", "48", "--retrieval", "2"]
    options += ["--unknown", "absent", "--json", str(file)]
    text = result(capsys, "evaluate", model, labels, *options)
    report = json.loads(file.read_text())
    assert f"mAP {report['mAP']:.1f} (" in text
    assert "at 48 pixels (trained at 32)" in text
    assert "unknown targets count as absent, but not in mAP" in text
    assert (report["photos"], report["image_size"], report["trained_image_size"]) == (32, 48, 32)
    assert report["evidence"]["source"] == "grad-cam"
    plain = json.loads(result(capsys, "evaluate", model, labels, "--json"))
    assert (plain["photos"], plain["image_size"], plain["trained_image_size"]) == (8, 32, 32)
    assert plain["evidence"]["source"] != "grad-cam"


def test_data_that_hold_the_test_photos_alone_are_measured_as_a_whole(capsys, model, tmp_path):
    labels = write_collection(tmp_path / "elsewhere", with_splits=False)
    kept = labels.read_text().splitlines()[:11]
    labels.write_text("\n".join(kept) + "\n")
    assert json.loads(result(capsys, "evaluate", model, labels, "--json"))["photos"] == 10


def test_a_model_that_only_ranks_is_calibrated_as_training_does_it(capsys, labels, tmp_path):
    main(training(labels, tmp_path, "--recipe", "warp-cpu"))
    model = tmp_path / "model"
    before = settings_of(model)["decision"]
    result(capsys, "calibrate", model, labels)
    after = settings_of(model)["decision"]
    assert after["temperature"] == pytest.approx(before["temperature"])
    assert after["thresholds"] == pytest.approx(before["thresholds"])
    text = result(capsys, "evaluate", model, labels)
    assert "score 0.5" not in text
    assert "calibration error not defined" in text


def test_parts_of_the_photos_make_up_all_and_the_surer_the_fewer_labels(capsys, labels, model):
    def tagged(*options: str) -> str:
        return result(capsys, "tag", model, labels.parent, *options)

    parts = [tagged("--shard", part, "--top", "1").splitlines() for part in ("1/2", "2/2")]
    assert sorted(parts[0] + parts[1]) == sorted(tagged("--top", "1").splitlines())
    found = [tagged("--strictness", way).count(",") for way in ("more", "balanced", "sure")]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_photos_of_a_list_are_tagged_and_those_that_are_missing_are_left_out(
    capsys, labels, model, tmp_path, monkeypatch
):
    photos = sorted((labels.parent).glob("**/*.png"))[:4]
    every = result(capsys, "tag", model, *photos, "--top", "1")
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"\r\n".join(map(os.fsencode, photos)))
    assert result(capsys, "tag", model, "--files-from", listed, "--top", "1") == every
    first, *others = photos
    listed.write_text("\n".join([*map(str, others), "gone.jpg", "no/such/folder"]), "utf-8")
    told = failures(capsys, "tag", model, first, "--files-from", listed, "--top", "1")
    assert '"gone.jpg" does not exist' in told
    assert "4 photos tagged, 2 left out" in told
    found = io.TextIOWrapper(io.BytesIO(b"\0".join(map(os.fsencode, photos))))
    monkeypatch.setattr("sys.stdin", found)
    assert result(capsys, "tag", model, "--files-from", "-", "--top", "1") == every


@pytest.mark.parametrize(
    ("form", "listed"),
    [
        ("--write xmp", "xmp  4 sidecars"),
        ("--write txt", "txt  4 sidecars"),
        pytest.param(
            *("--embed", "embedded  4 photos"),
            marks=pytest.mark.skipif(which("exiftool") is None, reason="exiftool is not installed"),
        ),
    ],
)
def test_sidecars_and_photos_are_written_listed_and_taken_back(
    capsys, album, model, tmp_path, form, listed
):
    before = contents(album)
    common = ["--journal", str(tmp_path / "journal.sqlite")]
    written = ["tag", model, album, *form.split(), "--top", "2", *common]
    text = result(capsys, *written, "--dry-run")
    assert text.count(": + ") == 4
    assert contents(album) == before
    result(capsys, *written)
    assert len(contents(album)) == 8
    assert f"{listed}, 8 tags  by " in result(capsys, "runs", *common)
    after = contents(album)
    result(capsys, *written)
    assert contents(album) == after
    result(capsys, "undo", *common)
    assert contents(album) == before
    assert "taken back" in result(capsys, "runs", *common)
    assert "is not taken back yet, got run 1" in complaint(capsys, "undo", "1", *common)
    assert "expected a run 7 to take back" in complaint(capsys, "undo", "7", *common)


def test_tag_files_are_written_as_it_is_said(capsys, album, model, tmp_path):
    (album / "0.caption").write_text("by hand")
    result(
        *(capsys, "tag", model, album, "--write", "txt", "--extension", ".caption"),
        *("--separator", ";", "--top", "5", "--replace", "red=crimson", "--never", "blue"),
        *("--existing", "keep", "--sidecar-dir", tmp_path / "beside"),
    )
    found = contents(tmp_path / "beside")
    assert set(found) == {f"{i}.caption" for i in range(4)}
    for content in found.values():
        assert set(content.decode().split(";")) == set(COLOURS) - {"red", "blue"} | {"crimson"}
    assert (album / "0.caption").read_text() == "by hand"


def test_what_is_left_out_is_listed_in_a_file(capsys, album, model, tmp_path):
    (album / "1.png").write_bytes(b"no photo")
    (album / "2.png.xmp").write_bytes(b"no sidecar")
    problems, journal = tmp_path / "problems.csv", ["--journal", tmp_path / "journal.sqlite"]
    options = ["--write", "xmp", "--top", "1", "--problems", problems, *journal]
    failures(capsys, "tag", model, album, *options)
    head, *rows = csv.reader(io.StringIO(problems.read_text()))
    assert head == ["photo", "problem"]
    assert [Path(row[0]).name for row in rows] == ["1.png", "2.png"]
    assert (album / "2.png.xmp").read_bytes() == b"no sidecar"


@pytest.mark.parametrize("command", ["tag", "index", "explain"])
def test_what_cannot_be_read_is_listed_hides_nothing_and_shows_in_the_exit_code(
    capsys, album, model, tmp_path, command
):
    if command == "index":
        pytest.importorskip("lancedb")
    (album / "1.png").write_bytes(b"no photo")
    link = album / "latest"
    link.symlink_to(link.name)
    out = tmp_path / "out"
    for given in ([album], sorted(album.iterdir())):
        told = failures(capsys, command, model, *given, "--out", out)
        assert told.count(f"left out: {link}: cannot be examined: ") == 1
        assert told.count(f"left out: {album / '1.png'}: ") == 1
    if command == "explain":
        assert {"0.png", "2.png", "3.png"} <= {path.name for path in out.iterdir()}
    else:
        assert ("3 photos in the index" if command == "index" else "3 photos tagged") in told


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("tag {model} {album} --out {out}", 1),
        ("index {model} {album} --out {out}", 1),
        ("explain {model} {album} --out {out}", 1),
        ("evaluate {model} {labels}", 2),
        ("train {labels} --out {out}", 2),
        ("data {labels}", 0),
    ],
)
def test_a_photo_that_takes_more_memory_than_it_may_is_left_out_by_every_command(
    capsys, album, labels, model, tmp_path, command, status
):
    if command.startswith("index"):
        pytest.importorskip("lancedb")
    given = command.format(model=model, album=album, labels=labels, out=tmp_path / "out")
    assert main([*given.split(), "--max-photo-memory", "0.02"]) == status  # less than any takes
    captured = capsys.readouterr()
    told = captured.err if status else captured.out
    assert "at most 21,474,836 bytes of memory to decode (--max-photo-memory), got " in told
    assert "allow more, or save a smaller copy" in told


def test_a_photo_of_many_pixels_is_told_in_our_words_alone(capsys, album, model):
    large = album / "large.ppm"
    large.write_bytes(b"P3 13000 13000 255 0 0 0")
    told = failures(capsys, "tag", model, album)
    assert f"left out: {large}: expected a photo that takes at most 1,073,741,824 bytes" in told
    assert "decompression bomb" not in told


@pytest.mark.parametrize(
    "command",
    [
        "tag {model} {folder}",
        "explain {model} {folder} --out {out}",
        "index {model} {folder} --out {out}",
        "confirm {folder}",
    ],
)
def test_a_folder_without_photos_is_no_success_and_its_archive_is_named(
    capsys, model, tmp_path, command
):
    if command.startswith("index"):
        pytest.importorskip("lancedb")
    folder = tmp_path / "photos"
    folder.mkdir()
    given = command.format(model=model, folder=folder, out=tmp_path / "out").split()
    told = failures(capsys, *given)
    assert f"no photo found in {folder}\n" in told
    assert "archive" not in told
    (folder / "all.zip").touch()
    assert f"{folder / 'all.zip'} is an archive: unpack it, and" in failures(capsys, *given)


def test_photos_are_found_by_likeness_and_by_labels(capsys, labels, index, tmp_path):
    page, like = tmp_path / "found.html", ["--like", labels.parent / "001.png"]
    text = result(capsys, "search", index, *like, "--html", page)
    found = {Path(line.split()[1]).name for line in text.splitlines()}
    assert found == {"000.png", "002.png", "003.png"}
    assert page.read_text(encoding="utf-8").count("<li>") == 3
    either = ["--where", "red or not red"]
    photos = json.loads(result(capsys, "search", index, *either, "--json"))["photos"]
    assert [list(one["scores"]) for one in photos] == [list(COLOURS)] * 4
    options = [*like, "--region", "0,0,16,16", *either, "--top", "1"]
    assert len(result(capsys, "search", index, *options).splitlines()) == 1


def test_an_index_is_brought_up_to_date(capsys, album, model, tmp_path):
    pytest.importorskip("lancedb")
    command = ["index", model, str(album), "--out", str(tmp_path / "index")]
    assert main(command) == 0
    (album / "0.png").rename(album / "9.png")
    (album / "1.png").unlink()
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "3 photos in the index: 0 new, 2 known, 1 moved, 1 gone, 0 left out" in told


def test_a_model_is_exported_and_compared(capsys, album, model, tmp_path):
    file = tmp_path / "model.onnx"
    text = result(capsys, "export", model, album, "--out", file)
    assert "4 photos, the file against the model in float32" in text
    assert file.stat().st_size > 1000


@pytest.mark.slow
def test_a_file_is_compared_on_the_photos_of_the_run_and_on_drawn_ones_where_these_are_gone(
    capsys, model, tmp_path
):
    assert main(["export", model, "--out", str(tmp_path / "model.onnx")]) == 0
    assert "comparing on 8 validation photos of the model's run" in capsys.readouterr().err
    shutil.copytree(model, tmp_path / "copy")
    assert main(["export", str(tmp_path / "copy"), "--out", str(tmp_path / "model.onnx")]) == 0
    assert "comparing on 8 drawn ones" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_is_exported_in_8_bits(capsys, album, labels, model, tmp_path):
    file = tmp_path / "model.xml"
    options = ["--out", file, "--int8", "--data", labels, "--max-map-drop", "100"]
    text = result(capsys, "export", model, album, *options)
    assert "in float32, " in text
    assert "in 8 bits" in text
    assert file.with_suffix(".bin").stat().st_size > 100


def test_photos_are_explained_by_pictures(capsys, labels, model, tmp_path):
    photos = [labels.parent / "000.png", labels.parent / "001.png"]
    options = ["--out", tmp_path, "--label", "red", "--label", "blue", "--grad-cam"]
    text = result(capsys, "explain", model, *photos, *options)
    assert {"000.png", "000.red.png", "000.blue.png", "001.png"} <= contents(tmp_path).keys()
    assert "\n  red 0." in text


def test_word_vectors_that_are_written_are_those_that_training_would_use(capsys, labels, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{name} {i} 1\n" for i, name in enumerate(COLOURS)))
    first, second = str(tmp_path / "first.npz"), str(tmp_path / "second.npz")
    text = result(capsys, "vectors", labels, "--from", words, "--out", first)
    assert text.startswith("word vectors of length 2 from ")
    words.write_text("red 1 1\n")
    main(["vectors", "--labels", "red,xyzzy", "--from", str(words), "--out", second])
    assert "random numbers made from the name stand in for 'xyzzy'" in capsys.readouterr().err
    result(capsys, "vectors", "--labels", ",".join(COLOURS), "--from", first, "--out", second)
    for file in (first, second):
        with np.load(file, allow_pickle=False) as stored:
            assert stored["names"].tolist() == list(COLOURS)
            assert stored["vectors"].tolist() == [[i, 1] for i in range(len(COLOURS))]


def test_word_vectors_are_made_of_saved_counts(capsys, labels, tmp_path, monkeypatch):
    monkeypatch.setattr("tagsight.labels.word_files.find_spec", lambda _: None)
    counts, out = tmp_path / "counts.npz", ["--out", tmp_path / "vectors.npz"]
    result(capsys, "graph", labels, "--save", counts)
    text = result(capsys, "vectors", counts, *out)
    assert "made from how often labels occur together" in text
    text = complaint(capsys, "vectors", "--labels", "cat,dog", *out)
    assert "expected a file of word vectors, the extra 'glove', or photos with the labels" in text


def test_systems_are_compared_in_tables_and_a_plot_and_nothing_is_done_twice(
    capsys, labels, tmp_path
):
    boxes = write_boxes(tmp_path / "boxes.json", labels)
    options = ["--systems", "resnet, gcam", "--seeds", "1", "--boxes", str(boxes)]
    out = tmp_path / "out"
    assert main(comparing(labels, out, *options)) == 0
    captured = capsys.readouterr()
    assert re.search("to run: 2, .* in all\n", captured.err)
    assert re.search("  gcam-cpu: .* each, seed 0\n", captured.err)
    assert "run 2 of 2: gcam-cpu, seed 0" in captured.err
    assert captured.out.splitlines()[0] in (out / "table.md").read_text()
    files = {path.name for path in out.iterdir()}
    assert files >= {"table.md", "table.csv", "table.tex", "plot.svg", "results", "runs"}
    assert len(list((out / "results").iterdir())) == 4
    assert result(capsys, *comparing(labels, out, *options)) == captured.out
    assert result(capsys, "evaluate", str(out / "runs" / "gcam-cpu-0" / "model"), str(labels))


def test_a_failed_run_is_told_at_the_end_and_in_the_exit_code(capsys, labels, tmp_path):
    variants = tmp_path / "variants.toml"
    wrong = '[wild]\nrecipe = "resnet"\ntraining.optimizer = "sgd"\ntraining.lr = 1e30\n'
    variants.write_text(wrong)
    options = ["--systems", "resnet", "--variants", str(variants), "--seeds", "1"]
    assert main(comparing(labels, tmp_path / "out", *options)) == 1
    captured = capsys.readouterr()
    assert "| wild | 0 | failed |" in captured.out
    assert "- Failed: wild, seed 0: the l" in captured.out


def test_a_comparison_that_is_interrupted_says_what_it_has_and_goes_on(capsys, labels, tmp_path):
    options = ["--systems", "resnet,gcam", "--seeds", "1"]
    assert result(capsys, *comparing(labels, tmp_path, *options, "--budget", "0.0001")) == ""

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
