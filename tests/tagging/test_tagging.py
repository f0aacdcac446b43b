from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from channels import channels_recognizer, corner

from tagsight.data.photo_files import find_photos
from tagsight.errors import DataError
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.writing import Manner, Outcome, Writer
from tagsight.tagging.tagging import (
    Lines,
    Problem,
    Selection,
    Tagged,
    shard,
    tag_photos,
    tag_sidecars,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    corner("red").save(folder / "1.png")
    corner("green").save(folder / "2.jpg", quality=95)
    corner("blue", brightness=10).save(folder / "3.png")
    (folder / "4.jpg").write_bytes(b"no photo")
    corner("blue").save(folder / "deep" / "5.png")
    return folder


def lines_of(photos: Path, lines: Lines, **options: object) -> list[str]:
    out = io.StringIO()
    tag_photos(channels_recognizer(**options), find_photos([photos]), out, lines)
    return out.getvalue().splitlines()


def test_json_has_an_object_for_every_photo(photos):
    lines = [json.loads(line) for line in lines_of(photos, Lines("jsonl"))]
    assert [Path(one["path"]).name for one in lines] == ["1.png", "2.jpg", "3.png", "5.png"]
    assert [one["labels"] for one in lines] == [
        [{"name": "red", "score": 0.999665}],
        [{"name": "green", "score": pytest.approx(0.9996, abs=1e-3)}],
        [],
        [{"name": "blue", "score": 0.999665}],
    ]
    assert all(one.keys() == {"path", "labels"} for one in lines)
    assert json.loads("\n".join(lines_of(photos, Lines("json")))) == lines
    first = json.loads(lines_of(photos, Lines("jsonl", all_scores=True))[0])
    assert first["scores"] == {"red": 0.999665, "green": 0.119203, "blue": 0.119203}


def test_an_array_of_no_photos_is_valid(tmp_path):
    out = tmp_path / "tags.json"
    tag_photos(channels_recognizer(), iter(()), str(out), Lines("json"))
    assert json.loads(out.read_text()) == []


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["red", "green", "blue"]),
        (Selection(top=2), ["red", "green"]),
        (Selection(top=2, never=frozenset({"red"})), ["green", "blue"]),
        (Selection(only=frozenset({"red", "blue"})), ["red", "blue"]),
        (Selection(top=1, only=frozenset({"green", "blue"})), ["green"]),
    ],
)
def test_labels_are_selected_and_sorted_by_score(photos, selection, expected):
    line = lines_of(photos, Lines("jsonl", selection), threshold=0.1)[0]
    assert [label["name"] for label in json.loads(line)["labels"]] == expected


def test_top_takes_labels_below_their_thresholds(photos):
    line = lines_of(photos, Lines("jsonl", Selection(top=1, never=frozenset({"red"}))))[0]
    assert [label["name"] for label in json.loads(line)["labels"]] == ["green"]


def test_shards_have_each_photo_once_and_stay_the_same(photos):
    every = [Path(f"/photos/{i}.jpg") for i in range(1000)]
    parts = [list(shard(every, part, 4)) for part in range(1, 5)]
    assert sorted(path for part in parts for path in part) == sorted(every)
    assert all(150 < len(part) < 350 for part in parts)
    assert [str(path.with_suffix(".nef")) for path in parts[2]] == [
        str(path) for path in shard([path.with_suffix(".nef") for path in every], 3, 4)
    ]
    assert list(shard(every[500:], 2, 4)) == [path for path in parts[1] if path in every[500:]]


def test_csv_can_be_read_back(photos):
    table = list(csv.reader(lines_of(photos, Lines("csv"), threshold=0.1)))
    assert table[:2] == [["path", "labels"], [str(photos / "1.png"), "red;green;blue"]]
    assert len(table) == 5
    scored = list(csv.DictReader(lines_of(photos, Lines("csv", all_scores=True))))
    assert list(scored[0]) == ["path", "labels", "red", "green", "blue"]
    assert float(scored[0]["red"]) == 0.999665
    assert scored[2]["labels"] == ""


def test_text_has_labels_below_their_threshold_in_brackets(photos):
    lines = lines_of(photos, Lines())
    assert lines[0] == f"{photos / '1.png'}: red 1.00"
    assert lines[2] == f"{photos / '3.png'}: no label found"
    expected = f"{photos / '1.png'}: red 1.00, (green 0.12), (blue 0.12)"
    assert lines_of(photos, Lines(all_scores=True))[0] == expected
    two = lines_of(photos, Lines(selection=Selection(top=2)))[0]
    assert two == expected.removesuffix(", (blue 0.12)")


def test_every_photo_is_reported_once_and_unreadable_ones_as_problems(photos):
    done: list[str] = []
    problems: list[Problem] = []
    tagged = tag_photos(
        channels_recognizer(batch_size=2),
        find_photos([photos, photos / "1.png"]),
        io.StringIO(),
        Lines(),
        on_photo=lambda path: done.append(path.name),
        on_problem=problems.append,
    )
    assert tagged == Tagged(5, 1, interrupted=False)
    assert sorted(done) == ["1.png", "1.png", "2.jpg", "3.png", "4.jpg", "5.png"]
    ((path, reason),) = problems
    assert path == photos / "4.jpg"
    assert "expected a photo" in reason


def test_a_label_that_the_model_does_not_know_leaves_the_file_alone(photos, tmp_path):
    out = tmp_path / "tags.jsonl"
    out.write_text("of yesterday")
    lines = Lines("jsonl", Selection(never=frozenset({"mauve"})))
    with pytest.raises(DataError, match=r"such as \['red', 'green', 'blue'\], got 'mauve'"):
        tag_photos(channels_recognizer(), find_photos([photos]), out, lines)
    assert out.read_text() == "of yesterday"


def test_a_folder_is_not_taken_for_a_file(photos):
    with pytest.raises(DataError, match="expected a file to write the labels to, got the folder"):
        tag_photos(channels_recognizer(), find_photos([photos]), photos, Lines("jsonl"))


def test_a_file_appears_when_it_is_complete(photos, tmp_path):
    out = tmp_path / "out" / "tags.jsonl"
    seen: list[bool] = []
    tag_photos(
        channels_recognizer(batch_size=1),
        find_photos([photos]),
        out,
        Lines("jsonl"),
        on_photo=lambda _: seen.append(out.exists()),
    )
    assert not any(seen)
    assert len(out.read_text().splitlines()) == 4
    assert [path.name for path in out.parent.iterdir()] == ["tags.jsonl"]


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts its background jobs deaf to it, and so all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "text"])
def test_ctrl_c_leaves_a_valid_file_of_what_is_done(photos, tmp_path, form):
    out = tmp_path / "tags"
    done: list[Path] = []

    def press_ctrl_c(path: Path) -> None:
        done.append(path)
        if len(done) == 2:
            signal.raise_signal(signal.SIGINT)

    tagged = tag_photos(
        channels_recognizer(batch_size=1),
        find_photos([photos]),
        out,
        Lines(form),
        on_photo=press_ctrl_c,
    )
    assert tagged.interrupted
    assert tagged.photos == 2
    if form == "json":
        assert [one["path"] for one in json.loads(out.read_text())] == [str(p) for p in done]
        return
    lines = out.read_text().splitlines(keepends=True)
    assert len(lines) == 2 + (form == "csv")
    assert all(line.endswith("\n") for line in lines)
    if form == "jsonl":
        assert [json.loads(line)["path"] for line in lines] == [str(path) for path in done]


def test_an_error_leaves_the_file_of_yesterday(photos, tmp_path):
    out = tmp_path / "tags.jsonl"
    out.write_text("of yesterday")

    def fail(_: Path) -> None:
        raise RuntimeError("defect")

    with pytest.raises(RuntimeError, match="defect"):
        tag_photos(channels_recognizer(), find_photos([photos]), out, Lines("jsonl"), on_photo=fail)
    assert out.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "tags.jsonl"]


@pytest.mark.parametrize(
    ("form", "to_file"), [("json", True), ("jsonl", False), ("csv", True), ("text", False)]
)
def test_any_file_name_can_be_written(tmp_path, form, to_file):
    folder = tmp_path / "photos"
    folder.mkdir()
    name = b'caf\xe9 "a",\xc3\xbc\n\x1b[31m.png'.decode("utf-8", "surrogateescape")
    try:
        corner("red").save(folder / name, format="PNG")
    except OSError:
        pytest.skip("this file system refuses the name")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    out = tmp_path / "tags" if to_file else stream
    tag_photos(channels_recognizer(), find_photos([folder]), out, Lines(form))
    text = (out.read_bytes() if to_file else raw.getvalue()).decode()
    if form == "json":
        assert json.loads(text)[0]["path"] == str(folder / name)
    if form == "jsonl":
        assert json.loads(text)["path"] == str(folder / name)
    if form == "csv":
        _, row = csv.reader(io.StringIO(text))
        assert row[1] == "red"
        assert "\\udce9" in row[0]
    if form == "text":
        assert text.count("\n") == 1
        assert "\x1b" not in text


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield journal


def write_sidecars(photos: Path, journal: Journal, **callbacks: object) -> tuple[Tagged, Writer]:
    writer = Writer(Manner("txt"), Places(".txt", None, [photos]), "model", journal)
    recognizer = channels_recognizer(batch_size=2)
    tagged = tag_sidecars(recognizer, find_photos([photos]), writer, Selection(), **callbacks)
    return tagged, writer


def test_sidecars_have_the_labels_of_their_photos(photos, journal):
    changes: list[Outcome] = []
    problems: list[Problem] = []
    tagged, writer = write_sidecars(
        photos, journal, on_change=changes.append, on_problem=problems.append
    )
    found = {path.relative_to(photos): path.read_text() for path in photos.rglob("*.txt")}
    assert found == {Path("1.txt"): "red", Path("2.txt"): "green", Path("deep/5.txt"): "blue"}
    assert (tagged.photos, tagged.left_out, tagged.changed) == (4, 1, 3)
    assert [change.added for change in changes] == [("red",), ("green",), ("blue",)]
    assert [problem.path.name for problem in problems] == ["4.jpg"]
    assert writer.run is not None


def test_a_photo_without_a_label_gets_no_sidecar_and_a_second_run_changes_none(photos, journal):
    write_sidecars(photos, journal)
    assert not (photos / "3.txt").exists()
    tagged, writer = write_sidecars(photos, journal)
    assert (tagged.photos, tagged.changed, writer.run) == (4, 0, None)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_between_sidecars_keeps_what_is_done_and_the_next_run_goes_on(photos, journal):
    def press_ctrl_c(_: Outcome) -> None:
        signal.raise_signal(signal.SIGINT)

    tagged, _ = write_sidecars(photos, journal, on_change=press_ctrl_c)
    assert tagged.interrupted
    tagged, _ = write_sidecars(photos, journal)
    assert not tagged.interrupted
    assert {path.name for path in photos.rglob("*.txt")} == {"1.txt", "2.txt", "5.txt"}
