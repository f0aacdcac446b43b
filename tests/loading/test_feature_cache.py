import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagsight.loading.feature_cache import CLAIM, SUFFIX, FeatureCache, make_room

PHOTOS = [bytes([i]) * 16 for i in range(40)]
GRID = 5000


def content(photo: bytes, view: str) -> bytes:
    return (photo + view.encode() * GRID)[:GRID]


def filled(file) -> FeatureCache:
    cache = FeatureCache(file)
    cache.write((photo, "32", content(photo, "32")) for photo in PHOTOS)
    return cache


def aged(folder, name: str, size: int, age: int):
    file = folder / f"{name}{SUFFIX}"
    file.write_bytes(bytes(size))
    os.utime(file, (10**9 - age, 10**9 - age))
    return file


def test_what_was_written_is_read_again_by_another_process_and_by_many_threads(tmp_path):
    filled(tmp_path / "a").write((p, "24", content(p, "24")) for p in PHOTOS)
    with FeatureCache(tmp_path / "a") as cache, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda photo: cache.read(photo, ["24", "32"]), PHOTOS))
    assert found == [[content(photo, "24"), content(photo, "32")] for photo in PHOTOS]


def test_a_photo_is_complete_if_every_view_is_there_at_its_size(tmp_path):
    with filled(tmp_path / "a") as cache:
        cache.write((p, "24", content(p, "24")) for p in PHOTOS[:10])
        cache.write([(PHOTOS[3], "24", b"short")])
        assert cache.complete({"32": GRID}) == set(PHOTOS)
        assert cache.complete({"32": GRID, "24": GRID}) == {*PHOTOS[:3], *PHOTOS[4:10]}
        assert cache.complete({"32": GRID, "16": GRID}) == set()


def test_a_failing_write_leaves_nothing_of_itself(tmp_path):
    def failing():
        yield PHOTOS[0], "32", content(PHOTOS[0], "32")
        raise KeyboardInterrupt

    with FeatureCache(tmp_path / "a") as cache:
        with pytest.raises(KeyboardInterrupt):
            cache.write(failing())
        assert cache.complete({"32": GRID}) == set()


@pytest.mark.parametrize("place", [0, 65536])
def test_a_damaged_file_is_made_anew(tmp_path, place):
    file = tmp_path / "a"
    filled(file).close()
    with file.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xff" * 4096)
    with FeatureCache(file) as cache:
        assert cache.complete({"32": GRID}) == set()
        cache.write([(PHOTOS[0], "32", content(PHOTOS[0], "32"))])
        assert cache.read(PHOTOS[0], ["32"]) == [content(PHOTOS[0], "32")]


def test_room_is_made_by_removing_what_was_longest_not_used(tmp_path):
    old, older, kept = (
        aged(tmp_path, name, 1000, age) for name, age in (("old", 1), ("older", 2), ("kept", 3))
    )
    other = tmp_path / "notes.txt"
    other.write_bytes(bytes(9000))
    assert make_room(tmp_path, 1000, 3000, keep=kept)
    assert (old.exists(), older.exists(), kept.exists()) == (True, False, True)
    assert make_room(tmp_path, 1000, 3000, keep=kept)
    assert old.exists()
    assert not make_room(tmp_path, 2001, 3000, keep=kept)
    assert old.exists(), "what cannot be had costs nothing"
    assert make_room(tmp_path, 2000, 3000, keep=kept)
    assert (old.exists(), kept.exists(), other.exists()) == (False, True, True)


def test_a_file_that_another_run_has_open_is_left_alone_until_that_run_ends(tmp_path):
    file, other = tmp_path / f"a{SUFFIX}", tmp_path / f"b{SUFFIX}"
    (tmp_path / f"a{SUFFIX}.0123abcd{CLAIM}").touch()  # of a process that was killed
    with FeatureCache(file) as cache:
        assert not make_room(tmp_path, 3000, 3000, keep=other)
        cache.write([(PHOTOS[0], "32", content(PHOTOS[0], "32"))])
        assert cache.complete({"32": GRID}) == {PHOTOS[0]}
        with FeatureCache(file):
            pass
        assert not make_room(tmp_path, 3000, 3000, keep=other)
    assert list(tmp_path.iterdir()) == [file]
    assert make_room(tmp_path, 3000, 3000, keep=other)
    assert not list(tmp_path.iterdir())


def test_a_file_that_another_process_deletes_meanwhile_does_not_count(tmp_path):
    (tmp_path / f"gone{SUFFIX}").symlink_to("nowhere")  # listed, and not there any more
    old = aged(tmp_path, "old", 1000, 1)
    assert make_room(tmp_path, 1000, 1000, keep=tmp_path / "new")
    assert not old.exists()


def test_use_keeps_a_file_young(tmp_path):
    first, second = tmp_path / f"first{SUFFIX}", tmp_path / f"second{SUFFIX}"
    for age, file in enumerate((first, second)):
        filled(file).close()
        os.utime(file, (age, age))
    FeatureCache(first).close()
    size = first.stat().st_size
    assert make_room(tmp_path, size, 2 * size, keep=tmp_path / "new")
    assert (first.exists(), second.exists()) == (True, False)
