"""Runs of sidecars that end early: the next goes on, writes the same, and one undo reverts both."""

import contextlib
import errno
import itertools
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from channels import channels_recognizer, corner
from forks import kill_after, run_for

from tagsight.data.photos.finding import find_photos
from tagsight.errors import DataError
from tagsight.runtime.drafts import Draft
from tagsight.tagging import tagging
from tagsight.tagging.embedding.embedder import Embedder
from tagsight.tagging.embedding.exiftool import ExifTool
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.writing import Manner, Writer
from tagsight.tagging.tagging import Selection, Tagged, tag_sidecars
from tagsight.tagging.undo import undo

COUNT, BATCH = 11, 2
CALLS = 10_000  # of functions, about as many as a round of photos takes
EXIFTOOL = pytest.mark.skipif(not shutil.which("exiftool"), reason="no exiftool")
FORMS = pytest.mark.parametrize("form", ["txt", "xmp", pytest.param("embedded", marks=EXIFTOOL)])


def in_small_parts_at_one_time(patch: pytest.MonkeyPatch) -> None:
    for module in ("sidecars.writing", "embedding.embedder"):
        patch.setattr(f"tagsight.tagging.{module}.now", lambda: "2026-11-30T08:00:00+00:00")
    patch.setattr(tagging, "TOGETHER", 2 * BATCH)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Photos of which one is none, and some have tags of a person beside them."""
    in_small_parts_at_one_time(monkeypatch)
    return drawn(tmp_path / "photos", COUNT)


def drawn(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        corner(("red", "green", "blue")[number % 3]).save(folder / f"{number:02}.png")
        if number % 4 == 0:
            (folder / f"{number:02}.txt").write_text("mine")
    (folder / "03.png").write_bytes(b"no photo")
    return folder


def tag(
    photos: Path,
    form: str = "txt",
    selection: Selection = Selection(),
    *,
    dry_run: bool = False,
    **options,
) -> Tagged:
    recognizer = channels_recognizer(batch_size=BATCH)
    with Journal(photos.parent / "journal.sqlite") as journal, ExifTool() as exiftool:
        if form == "embedded":
            writer = Embedder(exiftool, "model", journal, {}, dry_run=dry_run)
        else:
            places = Places(f".{form}", None, [photos])
            writer = Writer(
                Manner(form, existing="replace"), places, "model", journal, dry_run=dry_run
            )
        return tag_sidecars(recognizer, find_photos([photos]), writer, selection, **options)


def undo_last(photos: Path) -> None:
    with Journal(photos.parent / "journal.sqlite") as journal:
        last = next(run for run in journal.runs() if run.undone is None)
        assert not [outcome for outcome in undo(journal, last) if outcome.problem]


def contents(photos: Path) -> dict[str, bytes]:
    """All files, those of other programs and hidden ones too."""
    return {path.name: path.read_bytes() for path in photos.rglob("*") if path.is_file()}


def undisturbed(photos: Path, form: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What lies there before and after a run that nobody disturbs, which is undone."""
    before = contents(photos)
    assert tag(photos, form).resumed == 0
    after = contents(photos)
    undo_last(photos)
    assert contents(photos) == before != after
    return before, after


def ending_at(name: str, error: type[BaseException] = RuntimeError):
    def on_photo(photo: Path) -> None:
        if photo.name == name:
            raise error

    return on_photo


def end_early(photos: Path, form: str = "txt") -> None:
    with pytest.raises(RuntimeError):
        tag(photos, form, on_photo=ending_at("08.png"))


@FORMS
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_goes_on_where_it_ended_and_is_undone_as_one(photos, form, error):
    before, after = undisturbed(photos, form)
    with contextlib.suppress(RuntimeError):
        tag(photos, form, on_photo=ending_at("08.png", error))
    told = []
    tagged = tag(photos, form, on_problem=lambda one: told.append(one.path.name))
    assert tagged.resumed >= 6
    assert tagged.resumed % BATCH == 0
    assert (tagged.photos, tagged.left_out) == (COUNT - 1, 1)
    assert told == ["03.png"]
    assert contents(photos) == after
    undo_last(photos)
    assert contents(photos) == before
    assert tag(photos, form).resumed == 0  # what has ended begins anew
    assert len([*photos.parent.iterdir()]) == 2  # nothing is left beside the journal


def change(photos: Path) -> None:
    corner("blue").save(photos / "04.png")


def add(photos: Path) -> None:
    corner("blue").save(photos / "000.png")


@pytest.mark.parametrize(
    ("between", "options", "resumed"),
    [
        (change, {}, 4),
        (add, {}, 0),
        (undo_last, {}, 0),
        (None, {"selection": Selection(top=1)}, 0),
        (None, {"form": "xmp"}, 0),
        (None, {"dry_run": True}, 0),
    ],
)
def test_what_changed_what_was_undone_and_other_settings_are_not_taken_for_done(
    photos, between, options, resumed
):
    end_early(photos)
    if between is not None:
        between(photos)
    assert tag(photos, **options).resumed == resumed


def test_a_run_goes_on_from_a_sidecar_that_the_system_did_not_let_it_write(photos, monkeypatch):
    _, after = undisturbed(photos, "txt")

    def full(draft: Draft) -> None:
        if draft.path.name == "05.txt":
            raise OSError(errno.ENOSPC, "No space left on device")
        put_in_place(draft)

    put_in_place = Draft.put_in_place
    monkeypatch.setattr(Draft, "put_in_place", full)
    end_early(photos)
    monkeypatch.undo()
    tagged = tag(photos)
    assert (tagged.resumed, tagged.left_out) == (4, 1)
    assert contents(photos) == after


def test_two_processes_are_not_at_the_same_run(photos):
    def begin_another(_: Path) -> None:
        tag(photos)

    with pytest.raises(DataError, match=r"one run at a time to tag .*00.png and what follows, got"):
        tag(photos, on_photo=begin_another)
    assert tag(photos).photos == COUNT - 1


def test_a_run_that_goes_on_leaves_the_drafts_of_another_alone(photos, monkeypatch):
    """The first run ends before it confirms a sidecar, and goes on while another writes that."""
    put_in_place, resumed = Draft.put_in_place, []

    def end_here(draft: Draft) -> None:
        if draft.path.name == "05.txt":
            raise RuntimeError
        put_in_place(draft)

    def resume_the_first(draft: Draft) -> None:
        if draft.path.name == "05.txt" and not resumed:
            resumed.append(None)
            resumed.append(tag(photos).resumed)
        put_in_place(draft)

    monkeypatch.setattr(Draft, "put_in_place", end_here)
    with pytest.raises(RuntimeError):
        tag(photos)
    monkeypatch.setattr(Draft, "put_in_place", resume_the_first)
    problems = []
    tag(photos, selection=Selection(top=1), on_problem=problems.append)
    assert resumed == [None, 4]
    # It finds that the first has written those that follow.
    assert not [problem for problem in problems if "05" in problem.reason]


@FORMS
def test_a_run_that_has_not_ended_is_not_undone_and_keeps_its_drafts(photos, form):
    before, after = undisturbed(photos, form)
    refused = []

    def undo_it(photo: Path) -> None:
        if photo.name == "08.png":
            with pytest.raises(DataError, match="expected a run that has ended, got run 2, which"):
                undo_last(photos)
            refused.append(photo)

    assert tag(photos, form, on_photo=undo_it).photos == COUNT - 1
    assert refused
    assert contents(photos) == after
    undo_last(photos)
    assert contents(photos) == before


def tag_alone(photos: Path, form: str, until: int, calls: int) -> None:
    """Tag in a process that is killed so many calls of functions after so many photos."""
    os.environ["XDG_CACHE_HOME"] = str(photos.parent / "cache")
    in_small_parts_at_one_time(pytest.MonkeyPatch())
    done = itertools.count(1)

    def on_photo(_: Path) -> None:
        if next(done) == until:
            kill_after(calls)

    tagged = tag(photos, form, on_photo=on_photo)
    (photos.parent / "resumed").write_text(str(tagged.resumed))


@pytest.mark.parametrize(
    ("form", "count"),
    [
        ("txt", 60),
        ("xmp", 60),
        pytest.param("embedded", 24, marks=[EXIFTOOL, pytest.mark.slow]),
    ],
)
def test_kills_at_random_moments_leave_whole_files_and_what_one_run_writes_and_undoes(
    tmp_path, monkeypatch, form, count
):
    in_small_parts_at_one_time(monkeypatch)
    photos, random = drawn(tmp_path / "photos", count), np.random.default_rng(0)
    before, after = undisturbed(photos, form)
    first, took, codes = count // 3, tmp_path / "took", []
    for until in (first, *random.integers(first, count, 4), 2 * count):
        task = (tag_alone, photos, form, until, int(random.integers(1, CALLS)))
        codes.append(run_for(0, took, *task))
        for name, content in contents(photos).items():
            assert name.startswith(".") or content in {before.get(name), after[name]}
        if codes[-1] == 0:
            break
    assert codes[0] == -signal.SIGKILL
    assert codes == [*[-signal.SIGKILL] * (len(codes) - 1), 0]
    assert int((tmp_path / "resumed").read_text()) > 0
    assert contents(photos) == after
    undo_last(photos)
    assert contents(photos) == before
