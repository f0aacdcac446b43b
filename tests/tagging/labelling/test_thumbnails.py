"""Thumbnails take a bounded room, and are those of photos as they are now."""

from tagsight.tagging.labelling.photos import Photo
from tagsight.tagging.labelling.thumbnails import Thumbnails


def photo(number: int, modified: int = 1) -> Photo:
    return Photo(number, f"{number}.jpg", None, None, 10, modified, None)


def test_the_oldest_thumbnails_leave_when_the_room_is_full(tmp_path):
    thumbnails = Thumbnails(tmp_path, room=100_000)
    for number in range(1, 300):
        thumbnails.put(photo(number), bytes(1000))
    kept = [number for number in range(1, 300) if thumbnails.get(photo(number))]
    assert 30 <= len(kept) <= 100
    assert kept == list(range(300 - len(kept), 300))
    thumbnails.close()


def test_a_photo_that_has_changed_has_no_thumbnail_until_it_is_drawn_again(tmp_path):
    thumbnails = Thumbnails(tmp_path)
    thumbnails.put(photo(1), b"before")
    assert thumbnails.get(photo(1, modified=2)) is None
    thumbnails.put(photo(1, modified=2), b"after")
    assert thumbnails.get(photo(1)) is None
    thumbnails.close()
    assert Thumbnails(tmp_path).get(photo(1, modified=2)) == b"after"


def test_a_damaged_file_of_thumbnails_is_replaced(tmp_path):
    (tmp_path / "thumbnails.sqlite").write_bytes(b"nothing of the kind" * 100)
    thumbnails = Thumbnails(tmp_path)
    thumbnails.put(photo(1), b"new")
    assert thumbnails.get(photo(1)) == b"new"
    thumbnails.close()
