import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels import channels_recognizer, corner

from tagsight.data.photos.finding import find_photos
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


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    corner("red").save(folder / "1.png")
    corner("green").save(folder / "2.jpg", quality=95)
    corner("blue", brightness=10).save(folder / "3.png")
    (folder / "4.jpg").write_bytes(b"no photo")
    corner("blue").save(folder / "deep" / "5.png")
    return folder


def lines_of(photos: Path, form: str = "jsonl", selection: Selection = Selection(), **options):
    lines = Lines(form, selection, all_scores=options.pop("all_scores", False))
    out = io.StringIO()
    tag_photos(channels_recognizer(**options), find_photos([photos]), out, lines)
    return out.getvalue().splitlines()


def test_json_has_an_object_for_every_photo(photos):
    lines = [json.loads(line) for line in lines_of(photos)]
    assert [Path(one["path"]).name for one in lines] == ["1.png", "2.jpg", "3.png", "5.png"]
    assert [one["labels"] for one in lines] == [
        [{"name": "red", "score": 0.999665}],
        [{"name": "green", "score": pytest.approx(0.9996, abs=1e-3)}],
        [],
        [{"name": "blue", "score": 0.999665}],
    ]
    assert all(one.keys() == {"path", "labels"} for one in lines)
    assert json.loads("\n".join(lines_of(photos, "json"))) == lines
    first = json.loads(lines_of(photos, all_scores=True)[0])
    assert first["scores"] == {"red": 0.999665, "green": 0.119203, "blue": 0.119203}
    (photos / "none").mkdir()
    assert json.loads("".join(lines_of(photos / "none", "json"))) == []


@pytest.mark.parametrize(
    ("threshold", "selection", "expected"),
    [
        (0.1, Selection(), ["red", "green", "blue"]),
        (0.1, Selection(top=2), ["red", "green"]),
        (0.1, Selection(top=2, never=frozenset({"red"})), ["green", "blue"]),
        (0.1, Selection(only=frozenset({"red", "blue"})), ["red", "blue"]),
        (0.1, Selection(top=1, only=frozenset({"green", "blue"})), ["green"]),
        (0.5, Selection(top=1, never=frozenset({"red"})), ["green"]),
    ],
)
def test_labels_are_selected_and_sorted_by_score(photos, threshold, selection, expected):
    line = lines_of(photos, selection=selection, threshold=threshold)[0]
    assert [label["name"] for label in json.loads(line)["labels"]] == expected


def test_shards_have_each_photo_once_and_stay_the_same(photos):
    every = [Path(f"/photos/{i}.jpg") for i in range(1000)]
    parts = [list(shard(every, part, 4)) for part in range(1, 5)]
    assert sorted(path for part in parts for path in part) == sorted(every)
    assert all(150 < len(part) < 350 for part in parts)
    raw = [path.with_suffix(".nef") for path in every]
    assert list(shard(raw, 3, 4)) == [path.with_suffix(".nef") for path in parts[2]]
    assert list(shard(every[500:], 2, 4)) == [path for path in parts[1] if path in every[500:]]


def test_text_has_labels_below_their_threshold_in_brackets(photos):
    lines, first = lines_of(photos, "text"), photos / "1.png"
    assert lines[0] == f"{first}: red 1.00"
    assert lines[2] == f"{photos / '3.png'}: no label found"
    every = lines_of(photos, "text", all_scores=True)[0]
    assert every == f"{first}: red 1.00, (green 0.12), (blue 0.12)"
    assert lines_of(photos, "text", Selection(top=2))[0] == f"{first}: red 1.00, (green 0.12)"


def test_every_photo_is_reported_once_and_unreadable_ones_as_problems(photos):
    done: list[str] = []
    problems: list[Problem] = []
    given = find_photos([photos, photos / "1.png"])
    notes = {"on_problem": problems.append, "on_photo": lambda path: done.append(path.name)}
    recognizer = channels_recognizer(batch_size=2)
    tagged = tag_photos(recognizer, given, io.StringIO(), Lines(), **notes)
    assert tagged == Tagged(5, 1, interrupted=False)
    assert sorted(done) == ["1.png", "1.png", "2.jpg", "3.png", "4.jpg", "5.png"]
    ((path, reason),) = problems
    assert path == photos / "4.jpg"
    assert "expected a photo" in reason


def fail(_: Path) -> None:
    raise RuntimeError("defect")


@pytest.mark.parametrize(
    ("never", "options", "error", "message"),
    [
        ({"mauve"}, {}, DataError, r"such as \['red', 'green', 'blue'\], got 'mauve'"),
        ((), {"on_photo": fail}, RuntimeError, "defect"),
    ],
)
def test_an_error_leaves_the_file_of_yesterday(photos, tmp_path, never, options, error, message):
    out = tmp_path / "tags.jsonl"
    out.write_text("of yesterday")
    lines = Lines("jsonl", Selection(never=frozenset(never)))
    with pytest.raises(error, match=message):
        tag_photos(channels_recognizer(), find_photos([photos]), out, lines, **options)
    assert out.read_text() == "of yesterday"
    left = [".tags.jsonl.unfinished"] if options else []  # from which the next run goes on
    assert sorted(path.name for path in tmp_path.iterdir()) == [*left, "photos", "tags.jsonl"]
    with pytest.raises(DataError, match="expected a file to write the labels to, got the folder"):
        tag_photos(channels_recognizer(), find_photos([photos]), photos, Lines("jsonl"))


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "text"])
def test_ctrl_c_leaves_a_valid_file_of_what_is_done(photos, tmp_path, form):
    out = tmp_path / "tags"
    done: list[Path] = []

    def press_ctrl_c(path: Path) -> None:
        done.append(path)
        if len(done) == 2:
            raise KeyboardInterrupt

    recognizer, given = channels_recognizer(batch_size=1), find_photos([photos])
    tagged = tag_photos(recognizer, given, out, Lines(form), on_photo=press_ctrl_c)
    assert (tagged.photos, tagged.interrupted) == (2, True)
    text = out.read_text()
    if form == "json":
        assert [one["path"] for one in json.loads(text)] == [str(path) for path in done]
        return
    lines = text.splitlines()
    assert (len(lines), text[-1]) == (2 + (form == "csv"), "\n")
    if form == "jsonl":
        assert [json.loads(line)["path"] for line in lines] == [str(path) for path in done]


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
    if form.startswith("json"):
        told = json.loads(text)
        assert (told if form == "jsonl" else told[0])["path"] == str(folder / name)
    if form == "csv":
        _, row = csv.reader(io.StringIO(text))
        assert row[1] == "red"
        assert "\\udce9" in row[0]
    if form == "text":
        assert text.count("\n") == 1
        assert "\x1b" not in text


@pytest.fixture
def journal(tmp_path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield journal


def write_sidecars(photos: Path, journal: Journal, **callbacks: object) -> tuple[Tagged, Writer]:
    writer = Writer(Manner("txt"), Places(".txt", None, [photos]), "model", journal)
    recognizer = channels_recognizer(batch_size=2)
    tagged = tag_sidecars(recognizer, find_photos([photos]), writer, Selection(), **callbacks)
    return tagged, writer


def test_sidecars_have_the_labels_of_their_photos_and_a_second_run_changes_none(photos, journal):
    changes: list[Outcome] = []
    problems: list[Problem] = []
    noted = {"on_change": changes.append, "on_problem": problems.append}
    tagged, writer = write_sidecars(photos, journal, **noted)
    found = {path.relative_to(photos): path.read_text() for path in photos.rglob("*.txt")}
    assert found == {Path("1.txt"): "red", Path("2.txt"): "green", Path("deep/5.txt"): "blue"}
    assert (tagged.photos, tagged.left_out, tagged.changed) == (4, 1, 3)
    assert [change.added for change in changes] == [("red",), ("green",), ("blue",)]
    assert [problem.path.name for problem in problems] == ["4.jpg"]
    assert writer.run is not None
    tagged, writer = write_sidecars(photos, journal)
    assert (tagged.photos, tagged.changed, writer.run) == (4, 0, None)


def test_ctrl_c_between_sidecars_keeps_what_is_done_and_the_next_run_goes_on(photos, journal):
    def press_ctrl_c(_: Outcome) -> None:
        raise KeyboardInterrupt

    assert write_sidecars(photos, journal, on_change=press_ctrl_c)[0].interrupted
    assert not write_sidecars(photos, journal)[0].interrupted
    assert {path.name for path in photos.rglob("*.txt")} == {"1.txt", "2.txt", "5.txt"}


class SlowTagger:
    """Notes how many sidecars there are whenever another photo is wanted."""

    labels, batch_size, identity = ("red", "green", "blue"), 1, "slow"

    def __init__(self, photos: Path) -> None:
        self.photos = photos
        self.there: list[int] = []

    def recognize(self, photos, *, on_error=None):
        for result in channels_recognizer(batch_size=1).recognize(photos, on_error=on_error):
            self.there.append(len([*self.photos.rglob("*.txt")]))
            yield result


@pytest.mark.parametrize(("longest", "there"), [(0.0, [0, 1]), (3600.0, [0, 0])])
def test_photos_that_come_slowly_do_not_wait_for_a_whole_batch(
    photos, journal, monkeypatch, longest, there
):
    monkeypatch.setattr("tagsight.tagging.tagging.LONGEST", longest)
    tagger = SlowTagger(photos)
    writer = Writer(Manner("txt"), Places(".txt", None, [photos]), "model", journal)
    tag_sidecars(tagger, find_photos([photos]), writer, Selection())
    # While the second is written the third is wanted.
    assert [tagger.there[0], min(tagger.there[2], 1)] == there
    assert len([*photos.rglob("*.txt")]) == 3
