from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tagsight.data.annotations import Annotations
from tagsight.data.check import Check, Problem, check_photos, without_problems
from tagsight.errors import DataError


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.jpg" for index in range(8)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(path)
    return paths


def rows(paths) -> Annotations:
    return Annotations(("cat",), tuple(paths), torch.ones(len(paths), 1), None, "test")


def truncate(path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_sound_photos_have_no_problem_and_a_hash_each(photos) -> None:
    check = check_photos(photos, workers=2)
    assert check.problems == ()
    assert list(check.hashes) == photos
    assert len(set(check.hashes.values())) == 8


def test_equal_content_has_equal_hashes_whatever_its_name(photos) -> None:
    photos[3].write_bytes(photos[5].read_bytes())
    hashes = check_photos(photos, workers=2).hashes
    assert hashes[photos[3]] == hashes[photos[5]]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncate, "truncated"),
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(b""), "a file of another kind"),
        (lambda path: path.write_text("not a photo"), "a file of another kind"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (lambda path: Image.new("L", (101, 100)).save(path), "1 to 10,000 pixels"),
    ],
)
def test_a_photo_that_cannot_be_used_is_listed_with_the_reason(photos, spoil, reason) -> None:
    spoil(photos[2])
    check = check_photos(photos, workers=2, max_pixels=10_000)
    assert [path for path, _ in check.problems] == [photos[2]]
    assert reason in check.problems[0].reason
    assert photos[2] not in check.hashes
    assert len(check.hashes) == 7


def test_a_file_of_no_sensible_size_is_not_read(photos, monkeypatch) -> None:
    monkeypatch.setattr("tagsight.data.check.LARGEST_FILE", 10)
    check = check_photos(photos[:1], workers=1)
    assert "expected at most 10 bytes" in check.problems[0].reason


def test_a_path_that_the_system_refuses_is_a_problem_like_others(tmp_path) -> None:
    check = check_photos([tmp_path / ("x" * 300)], workers=1)
    assert check.problems[0].reason == "cannot be read: File name too long"


def test_progress_is_told_after_every_photo_in_this_thread(photos) -> None:
    told = []
    check_photos(photos, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]


def test_bad_rows_are_left_out_and_the_others_keep_their_order(photos) -> None:
    truncate(photos[2])
    check = check_photos(photos, workers=2)
    left = without_problems(rows(photos), check, max_bad=0.2)
    assert list(left.paths) == photos[:2] + photos[3:]


def test_too_many_bad_photos_are_an_error_that_lists_the_first(photos) -> None:
    for path in photos[:5]:
        path.unlink()
    check = check_photos(photos, workers=2)
    message = r"at most 0.5 of 8 photos .* got 5, .* 0.jpg: does not exist; .*2.jpg"
    with pytest.raises(DataError, match=message.replace(" 0.jpg", " .*0.jpg")):
        without_problems(rows(photos), check, max_bad=0.5)
    assert len(without_problems(rows(photos), check, max_bad=0.625)) == 3


@pytest.mark.parametrize(
    ("photos", "most"), [(6, 5), (60, 5), (500, 5), (599, 5), (600, 6), (10_000, 100)]
)
def test_one_percent_may_be_bad_or_five_where_that_is_more(photos: int, most: int) -> None:
    paths = [Path(f"{number}.jpg") for number in range(photos)]

    def left(bad: int) -> int:
        problems = tuple(Problem(path, "does not exist") for path in paths[:bad])
        return len(without_problems(rows(paths), Check(problems, {})))

    assert left(most) == photos - most
    with pytest.raises(DataError, match=r"to be unusable|a usable photo"):
        left(most + 1)


def test_the_shared_photos_are_sound(shared_data) -> None:
    paths = sorted((shared_data / "coco-256").rglob("*.jpg"))
    assert check_photos(paths, workers=2).problems == ()


def test_a_collection_without_any_photo_that_opens_is_refused_however_many_may_be_bad(tmp_path):
    photos = [tmp_path / "gone.jpg", tmp_path / "lost.jpg"]
    with pytest.raises(DataError, match=r"expected a usable photo, .* of 2, .*gone\.jpg"):
        without_problems(rows(photos), check_photos(photos, workers=1), max_bad=1)
