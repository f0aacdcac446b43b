import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tagsight.data.annotations import Annotations
from tagsight.data.photos.check import Check, Problem, check_photos, without_problems
from tagsight.data.photos.known import KnownPhotos, Limits
from tagsight.data.photos.reading import MAX_PIXELS
from tagsight.errors import DataError
from tagsight.runtime.limits import MAX_PHOTO_MEMORY


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.jpg" for index in range(8)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(path)
    return paths


def rows(paths) -> Annotations:
    return Annotations(("cat",), tuple(paths), torch.ones(len(paths), 1), None, "test")


def test_sound_photos_have_no_problem_and_the_hash_of_their_content(photos):
    photos[3].write_bytes(photos[5].read_bytes())
    told = []
    check = check_photos(photos, workers=2, progress=lambda *done: told.append(done))
    assert (check.problems, list(check.hashes)) == ((), photos)
    assert check.hashes[photos[3]] == check.hashes[photos[5]]
    assert len(set(check.hashes.values())) == 7
    assert told == [(done, 8) for done in range(1, 9)]


def test_files_that_are_too_large_or_refused_by_the_system_are_problems(photos, monkeypatch):
    monkeypatch.setattr("tagsight.data.photos.check.LARGEST_FILE", 10)
    large, long = check_photos([photos[0], photos[0].with_name("x" * 300)], workers=1).problems
    assert "expected at most 10 bytes" in large.reason
    assert long.reason == "cannot be read: File name too long"


def test_a_name_that_is_no_text_is_a_problem_also_where_photos_are_known(photos, tmp_path):
    odd = photos[2].rename(photos[2].with_name(os.fsdecode(b"odd\xff.jpg")))
    given = [*photos[:2], odd]
    limits = Limits(MAX_PIXELS, MAX_PHOTO_MEMORY)
    with KnownPhotos(tmp_path / "known", limits, budget=10**9) as known:
        check = check_photos(given, workers=2, known=known)
    assert check.problems == ((odd, "expected a path in UTF-8, got other bytes: rename it"),)
    assert check.hashes.keys() == {*photos[:2]}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cut off"),
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_text("not a photo"), "a file of another kind"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (lambda path: Image.new("L", (101, 100)).save(path), "1 to 10,000 pixels"),
    ],
)
def test_a_photo_that_cannot_be_used_is_listed_with_the_reason(photos, spoil, reason):
    spoil(photos[2])
    check = check_photos(photos, workers=2, max_pixels=10_000)
    ((path, said),) = check.problems
    assert path == photos[2]
    assert reason in said
    assert check.hashes.keys() == {*photos} - {path}


def test_bad_photos_are_dropped_and_too_many_are_an_error_that_lists_the_first(photos):
    for path in photos[:5]:
        path.unlink()
    check = check_photos(photos, workers=2)
    with pytest.raises(DataError, match=r"at most 0.5 of 8 .* got 5, .*0.jpg: does not .*2.jpg"):
        without_problems(rows(photos), check, max_bad=0.5)
    assert list(without_problems(rows(photos), check, max_bad=0.625).paths) == photos[5:]
    with pytest.raises(DataError, match=r"expected a usable photo, .* of 5, .*0\.jpg"):
        without_problems(rows(photos[:5]), check, max_bad=1)


@pytest.mark.parametrize(("photos", "most"), [(6, 5), (599, 5), (600, 6), (10_000, 100)])
def test_one_percent_may_be_bad_or_five_where_that_is_more(photos, most):
    paths = [Path(f"{number}.jpg") for number in range(photos)]

    def left(bad: int) -> int:
        problems = tuple(Problem(path, "does not exist") for path in paths[:bad])
        return len(without_problems(rows(paths), Check(problems, {})))

    assert left(most) == photos - most
    with pytest.raises(DataError, match=r"to be unusable|a usable photo"):
        left(most + 1)


def test_a_known_photo_is_opened_again_only_when_its_size_or_time_changes(photos, tmp_path):
    for path in photos:
        os.utime(path, ns=(10**18, 10**18))
    limits = Limits(MAX_PIXELS, MAX_PHOTO_MEMORY)
    with KnownPhotos(tmp_path / "known", limits, budget=10**9) as known:
        first = check_photos(photos, workers=2, known=known)
        for path in photos[:2]:
            path.write_bytes(bytes(path.stat().st_size))
        os.utime(photos[0], ns=(10**18, 10**18))
        second = check_photos(photos, workers=2, known=known)
    assert [problem.path for problem in second.problems] == [photos[1]]
    assert second.hashes.items() == first.hashes.items() - {(photos[1], first.hashes[photos[1]])}
    assert second.traits.items() <= first.traits.items()


def test_a_photo_within_larger_limits_or_changed_just_now_is_not_known(photos, tmp_path):
    file, limits = tmp_path / "known", Limits(100, 10**6)
    state = photos[0].stat()
    with KnownPhotos(file, limits, budget=10**9) as known:
        check_photos(photos[:1], workers=1, known=known)
        assert known.of_file(photos[0], state.st_size, state.st_mtime_ns) is None
        os.utime(photos[0], ns=(10**18, 10**18))
        check_photos(photos[:1], workers=1, known=known)
        assert known.of_file(photos[0], state.st_size, 10**18) is not None
    with KnownPhotos(file, Limits(99, 10**6), budget=10**9) as known:
        assert known.of_file(photos[0], state.st_size, 10**18) is None


def test_a_damaged_or_overlong_list_of_known_photos_is_begun_again(photos, tmp_path):
    file = tmp_path / "known"
    os.utime(photos[0], ns=(10**18, 10**18))
    file.write_bytes(b"no database" * 100)
    for budget in (10**9, 1):
        with KnownPhotos(file, Limits(MAX_PIXELS, MAX_PHOTO_MEMORY), budget) as known:
            assert known.of_file(photos[0], photos[0].stat().st_size, 10**18) is None
            assert not check_photos(photos[:1], workers=1, known=known).problems
