"""Runs that end early: the next one writes what one would that nobody has disturbed."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from channels import channels_recognizer, corner
from forks import run_for
from full_disk import largest_file

from tagsight.data.photos.finding import find_photos
from tagsight.errors import DataError
from tagsight.tagging.tagging import Lines, Selection, Tagged, tag_photos
from tagsight.tagging.unfinished import LINES, RECORDS

COUNT = 11
FORMS = ("json", "jsonl", "csv", "text")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        corner(("red", "green", "blue")[number % 3]).save(folder / f"{number:02}.png")
    (folder / "03.png").write_bytes(b"no photo")
    return folder


def tag(photos: Path, form: str = "jsonl", selection: Selection = Selection(), **options):
    """Tag photos, and return what is written, the reasons of those left out, and the summary."""
    out, told = photos.parent / "tags", []
    recognizer = channels_recognizer(batch_size=2, threshold=options.pop("threshold", 0.5))
    lines = Lines(form, selection, all_scores=True)
    options = {"on_problem": lambda one: told.append(one.reason)} | options
    tagged = tag_photos(recognizer, find_photos([photos]), out, lines, **options)
    assert not (photos.parent / ".tags.unfinished").exists() or tagged.interrupted
    return out.read_text(), told, tagged


def ending_at(name: str, error: type[BaseException] = RuntimeError):
    def on_photo(photo: Path) -> None:
        if photo.name == name:
            raise error

    return on_photo


def undisturbed(photos: Path, form: str = "jsonl", **options) -> tuple[str, list[str]]:
    text, told, tagged = tag(photos, form, **options)
    assert tagged.resumed == 0
    (photos.parent / "tags").unlink()
    return text, told


def end_early(photos: Path, form: str = "jsonl", name: str = "09.png") -> None:
    with pytest.raises(RuntimeError):
        tag(photos, form, on_photo=ending_at(name))
    assert not (photos.parent / "tags").exists()


@pytest.mark.parametrize("form", FORMS)
def test_whatever_part_is_left_of_a_run_leads_to_the_same_lines(photos, form):
    expected, random = undisturbed(photos, form), np.random.default_rng(0)
    end_early(photos, form)
    folder, resumed = photos.parent / ".tags.unfinished", set()
    whole = {name: (folder / name).read_bytes() for name in (LINES, RECORDS)}
    for damage in ("", "cut", "cut", "cut", "cut", "zeros", "zeros", "gone"):
        folder.mkdir(exist_ok=True)
        for name, content in whole.items():
            end = int(random.integers(len(content) + 1)) if damage else len(content)
            lost = bytes(len(content) - end) if damage == "zeros" else b""
            (folder / name).write_bytes(content[:end] + lost)
        if damage == "gone":
            (folder / LINES).unlink()
        text, told, tagged = tag(photos, form)
        assert (text, told) == expected
        resumed.add(tagged.resumed)
    assert max(resumed) == 10  # a multiple of the batch
    assert min(resumed) == 0


def change_first(photos: Path) -> None:
    corner("blue").save(photos / "00.png")


def add_first(photos: Path) -> None:
    corner("blue").save(photos / "000.png")


def remove_fifth(photos: Path) -> None:
    (photos / "04.png").unlink()


def mend(photos: Path) -> None:
    corner("blue").save(photos / "03.png")


@pytest.mark.parametrize(
    ("change", "options", "resumed"),
    [
        (change_first, {}, 0),
        (add_first, {}, 0),
        (remove_fifth, {}, 4),
        (mend, {}, 2),
        (None, {"threshold": 0.1}, 0),
        (None, {"selection": Selection(top=1)}, 0),
        (None, {"form": "csv"}, 0),
    ],
)
def test_photos_that_changed_and_another_command_are_not_taken_for_done(
    photos, change, options, resumed
):
    end_early(photos)
    if change is not None:
        change(photos)
    text, told, tagged = tag(photos, **options)
    assert tagged.resumed == resumed
    (photos.parent / "tags").unlink()
    assert (text, told) == undisturbed(photos, **options)


@pytest.mark.parametrize("form", FORMS)
def test_after_ctrl_c_there_is_a_file_and_the_next_run_goes_on(photos, form):
    expected = undisturbed(photos, form)
    some, _, tagged = tag(photos, form, on_photo=ending_at("07.png", KeyboardInterrupt))
    assert tagged == Tagged(7, 1, interrupted=True)
    # Once more, before it is known what is done: the file stays.
    assert tag(photos, form, on_photo=ending_at("01.png", KeyboardInterrupt))[0] == some
    text, told, tagged = tag(photos, form)
    assert (text, told) == expected
    assert tagged == Tagged(COUNT - 1, 1, interrupted=False, resumed=8)


def test_two_runs_do_not_write_the_same_file_at_once(photos):
    def begin_another(_: Path) -> None:
        tag(photos)

    with pytest.raises(DataError, match=r"one run at a time to write .*tags, got another"):
        tag(photos, on_photo=begin_another)
    assert tag(photos)[2].photos == COUNT - 1


def test_a_disk_that_takes_nothing_is_told_and_nothing_stays(photos):
    with largest_file(0), pytest.raises(OSError, match=r"tags'$"):
        tag(photos)
    assert [path.name for path in photos.parent.iterdir()] == ["photos"]


def test_the_folder_of_another_run_may_go_between_two_looks_at_it(photos, monkeypatch):
    unfinished = photos.parent / ".tags.unfinished"
    unfinished.mkdir()
    is_dir = Path.is_dir

    def deleted_before(path: Path) -> bool:
        if path == unfinished and is_dir(path):
            path.rmdir()
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", deleted_before)
    assert tag(photos)[2].photos == COUNT - 1


@pytest.mark.parametrize("taken", ["a file", "a link to nothing"])
def test_what_has_the_name_of_the_unfinished_lines_is_told_and_stays(photos, taken):
    unfinished = photos.parent / ".tags.unfinished"
    if taken == "a file":
        unfinished.write_text("mine")
    else:
        unfinished.symlink_to("nowhere")
    with pytest.raises(FileExistsError, match=r"tags'$"):
        tag(photos)
    assert unfinished.is_symlink() or unfinished.read_text() == "mine"


def tag_alone(photos: Path) -> None:
    os.environ["XDG_CACHE_HOME"] = str(photos.parent / "cache")
    tag(photos)


def test_kills_at_random_moments_lose_and_repeat_no_line(photos):
    for number in range(COUNT, 40):
        (photos / f"{number:02}.png").hardlink_to(photos / f"{number % 3:02}.png")
    expected, random = undisturbed(photos), np.random.default_rng(0)
    took = photos.parent / "took"
    assert run_for(0, took, tag_alone, photos) == 0
    (photos.parent / "tags").unlink()
    usual = int(took.read_text())
    codes = [
        run_for(int(random.uniform(0.02, 1) * usual), took, tag_alone, photos) for _ in range(6)
    ]
    assert -signal.SIGKILL in codes
    assert set(codes) <= {0, -signal.SIGKILL}
    assert run_for(0, took, tag_alone, photos) == 0
    assert (photos.parent / "tags").read_text() == expected[0]
