import os
import signal
from pathlib import Path

import numpy as np
import pytest
from channels import channels_recognizer, corner
from forks import exit_code

import tagsight
from tagsight.data.photos.finding import find_photos
from tagsight.errors import DataError
from tagsight.search import indexing
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import MOST_MEMORY, Indexed, forget_missing, index_photos, part_size

pytest.importorskip("lancedb")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for i, colour in enumerate(("red", "green", "blue")):
        corner(colour).save(folder / f"{i}.png")
    corner("red", brightness=200).save(folder / "deep" / "3.png")
    (folder / "4.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def index(tmp_path) -> SearchIndex:
    recognizer = channels_recognizer()
    length = len(recognizer(corner("red")).embedding)
    facts = Facts("model", "digest", recognizer.labels, (0.5,) * 3, length)
    return SearchIndex.create(tmp_path / "index", facts)


def indexed(index: SearchIndex, *paths: Path, **callbacks: object) -> Indexed:
    recognizer = channels_recognizer(batch_size=2)
    return index_photos(recognizer, find_photos(paths), index, **callbacks)


def names(index: SearchIndex) -> set[str]:
    return {Path(path).name for path in index.paths()}


def test_photos_are_indexed_once(photos, index):
    done: list[Path] = []
    problems: list[str] = []
    first = indexed(
        index, photos, on_photo=done.append, on_problem=lambda _, reason: problems.append(reason)
    )
    assert first == Indexed(new=4, left_out=1)
    assert sorted(path.name for path in done) == ["0.png", "1.png", "2.png", "3.png", "4.jpg"]
    assert "expected a photo" in problems[0]
    assert indexed(index, photos) == Indexed(known=4, left_out=1)
    assert names(index) == {"0.png", "1.png", "2.png", "3.png"}


def test_a_name_that_is_no_text_is_left_out_and_told(photos, index):
    corner("red").save(photos / "good.png")
    (photos / os.fsdecode(b"bad\xff.png")).write_bytes((photos / "good.png").read_bytes())
    problems: list[str] = []
    done = indexed(index, photos, on_problem=lambda _, reason: problems.append(reason))
    assert (done.new, done.left_out) == (5, 2)
    assert any("expected a path in UTF-8, got other bytes: rename it" in one for one in problems)


def test_a_photo_that_is_given_several_times_is_in_the_index_once(photos, index):
    one = photos / "0.png"
    given = [
        one,
        one,
        *find_photos([photos / "1.png", photos / "2.png", one, photos / "deep"]),
        one,
    ]
    done = index_photos(channels_recognizer(batch_size=1), given, index)
    assert (done.new + done.known, done.left_out) == (len(given), 0)
    assert sorted(Path(path).name for path in index.paths()) == ["0.png", "1.png", "2.png", "3.png"]


def test_the_functions_index_and_search_what_the_recogniser_says(photos, tmp_path):
    recognizer, out = channels_recognizer(), tmp_path / "i"
    assert tagsight.index(recognizer, photos, out=out, progress=False).photos == 4
    result = recognizer(photos / "1.png")
    (hit,) = SearchIndex.open(out).like(result.embedding, 1)
    assert (hit.path, hit.labels) == (photos / "1.png", ("green",))
    assert hit.likeness == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(hit.scores, result.scores, atol=1e-6)
    found = tagsight.search(out, like=photos / "0.png", where="red", model=recognizer)
    assert [hit.path.name for hit in found] == ["3.png"]


def test_one_run_at_a_time_writes_to_an_index(photos, tmp_path):
    recognizer, out = channels_recognizer(), tmp_path / "i"

    def begin_another(*_: object) -> None:
        tagsight.index(recognizer, photos, out=out, progress=False)

    with pytest.raises(DataError, match=r"one run at a time to write the index .*, got another"):
        tagsight.index(recognizer, photos, out=out, on_problem=begin_another, progress=False)
    assert tagsight.index(recognizer, photos, out=out, progress=False).photos == 4


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "expected `like` with a photo, `where` with labels, or both, got neither"),
        ({"where": "red", "region": (1, 2, 3, 4)}, "expected `like` with the photo that `region`"),
        ({"where": "mauve"}, "expected a label of the index"),
        ({"like": "a.png"}, "expected the model that made the index, got none at model: say with"),
        (
            {"like": "a.png", "model": channels_recognizer()},
            "got another at None: say with",
        ),
    ],
)
def test_what_cannot_be_searched_for_is_refused(index, query, message):
    with pytest.raises(DataError, match=message):
        tagsight.search(index.folder, **query)


def test_an_index_of_another_model_is_refused(photos, index):
    with pytest.raises(DataError, match=r"expected an index of this model in .*another `out`"):
        tagsight.index(channels_recognizer(), photos, out=index.folder, progress=False)


def test_changed_moved_and_copied_photos_are_told_apart(photos, index):
    indexed(index, photos)
    corner("blue", brightness=90).save(photos / "0.png")
    assert indexed(index, photos) == Indexed(new=1, known=3, left_out=1)
    (photos / "0.png").rename(photos / "deep" / "moved.png")
    assert indexed(index, photos) == Indexed(known=3, moved=1, left_out=1)
    assert names(index) == {"1.png", "2.png", "3.png", "moved.png"}
    (photos / "copy.png").write_bytes((photos / "1.png").read_bytes())
    assert indexed(index, photos) == Indexed(new=1, known=4, left_out=1)


def test_a_photo_that_is_moved_over_another_takes_its_place(photos, index):
    indexed(index, photos)
    (photos / "0.png").replace(photos / "1.png")
    assert indexed(index, photos) == Indexed(known=2, moved=1, left_out=1)
    assert sorted(Path(path).name for path in index.paths()) == ["1.png", "2.png", "3.png"]


def test_deleted_photos_are_forgotten_just_below_the_folders_that_were_looked_through(
    photos, index, tmp_path
):
    other = tmp_path / "photos of others"
    other.mkdir()
    corner("red").save(other / "a.png")
    indexed(index, photos, other)
    (photos / "0.png").unlink()
    (other / "a.png").unlink()
    # Photos that nobody lets us look at are not forgotten.
    (photos / "deep").rename(photos.parent / "elsewhere")
    (photos / "deep").symlink_to("deep")  # a path through it cannot be examined
    assert forget_missing(index, [photos]) == 1
    assert names(index) == {"1.png", "2.png", "3.png", "a.png"}
    assert forget_missing(index, [other / "a.png"]) == 1
    (photos / "deep").unlink()
    assert forget_missing(index, [photos]) == 1


def test_ctrl_c_keeps_what_was_recognised(photos, index):
    class Interrupted:
        def recognize(self, photos, *, on_error=None):
            done = channels_recognizer(batch_size=1).recognize(photos, on_error=on_error)
            yield from (next(done), next(done))
            raise KeyboardInterrupt

    found = index_photos(Interrupted(), find_photos([photos]), index)
    assert (found.new, found.interrupted, len(index)) == (2, True, 2)


@pytest.mark.parametrize("length", [384, 20_000])
def test_an_index_is_written_in_parts_that_grow_with_it_as_far_as_memory_is_bounded(length):
    facts, photos, read = Facts("model", "digest", ("red",), (0.5,), length), 0, 0
    while photos < 10**6:
        part = part_size(photos, facts)
        assert 0 < part <= max(256, photos / 64)
        assert 4 * length * part <= MOST_MEMORY
        photos, read = photos + part, read + photos
    if length == 384:
        assert read < 10 * photos * np.log2(photos)


def index_two_and_die(photos: Path, index: Path) -> None:
    indexing.PART = 2
    done: list[Path] = []

    def on_photo(photo: Path) -> None:
        done.append(photo)
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    indexed(SearchIndex.open(index), photos, on_photo=on_photo)


def test_a_killed_run_leaves_an_index_that_the_next_one_completes(photos, index):
    (photos / "4.jpg").unlink()
    assert exit_code(index_two_and_die, photos, index.folder) == -signal.SIGKILL
    again = SearchIndex.open(index.folder)
    assert len(again) == 2
    assert indexed(again, photos) == Indexed(new=2, known=2)
