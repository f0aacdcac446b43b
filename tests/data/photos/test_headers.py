import struct
from io import BytesIO

import numpy as np
import photo_kinds as kinds
import pytest
from PIL import Image

from tagsight.data.photos.headers import (
    MOST_READS,
    Metered,
    count_scans,
    largest_tile,
    prepared,
    require_few_strips,
)
from tagsight.data.photos.reading import open_photo
from tagsight.errors import TooLargeError


@pytest.mark.parametrize("name", kinds.REFUSED)
def test_a_photo_made_to_be_expensive_is_refused_before_it_is_decoded(name):
    with pytest.raises(TooLargeError, match=r"^photo: expected a"):
        open_photo(kinds.REFUSED[name]())


def test_work_is_limited_however_much_memory_may_be_taken():
    with pytest.raises(TooLargeError, match="passes over a pixel to decode, got 1,500 over each"):
        open_photo(b"P3 9000 9000 255 " + b"1 " * 2**10, max_memory=2**40)


@pytest.mark.parametrize("name", kinds.IN_PYTHON)
def test_a_sound_photo_is_not_taken_for_an_expensive_one(name):
    photo = open_photo(kinds.IN_PYTHON[name](40))
    assert (photo.mode, photo.size) == ("RGB", (40, 40))


def scans(content: bytes, *, load: bool = True) -> int:
    with Image.open(BytesIO(content)) as photo:
        at = photo.fp.tell()
        found = count_scans(photo, len(photo.layer), progressive="progressive" in photo.info)
        assert photo.fp.tell() == at
        if load:
            photo.load()
    return found


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_scans_are_those_that_are_there(mode):
    assert scans(kinds.saved("JPEG", mode, 64)) == 1
    content = kinds.saved("JPEG", mode, 64, progressive=True)
    assert scans(content) == content.count(b"\xff\xda") > 5
    assert scans(kinds.many_scans(64, 20)) == 20 + scans(kinds.flat("JPEG", 64, progressive=True))


def test_scans_are_not_hidden_by_what_looks_like_the_end_or_like_a_thumbnail():
    end = b"\xff\xfe\0\x06\xff\xd9\xff\xda"
    content = kinds.many_scans(64, 5)
    second = content.index(b"\xff\xda", content.index(b"\xff\xda") + 2)
    hidden = content[:2] + end + content[2:second] + end + content[second:]
    long_head = content[:2] + (b"\xff\xe5\xff\xff" + bytes(0xFFFD)) * 3 + content[2:]
    assert scans(hidden) == scans(long_head) == scans(content)


@pytest.mark.parametrize(
    ("mode", "feigned", "more"),
    [("RGB", b"", 7), ("CMYK", b"\xff\xfe\0\x08" + b"\xff\xda\0\x0e\x04\x01", 2)],
    ids=["plain", "feigned"],
)
def test_several_scans_of_a_baseline_jpeg_are_counted(mode, feigned, more):
    sound = kinds.saved("JPEG", mode, 64)
    at = sound.index(b"\xff\xda")
    one = b"\xff\xda" + b"\0\x08\x01\x01\0\0\x3f\0" + b"\x7f"
    assert scans(sound[:at] + feigned + one * more + sound[at:], load=False) == more + 1


def test_of_several_pictures_in_a_file_the_scans_of_the_first_count():
    mpo = kinds.animated("MPO", 64)
    assert (scans(mpo), mpo.count(b"\xff\xda"), open_photo(mpo).size) == (1, 3, (64, 64))
    assert scans(kinds.animated("MPO", 64, progressive=True)) == 10


def test_a_file_may_be_read_so_often_and_no_more():
    file = Metered(BytesIO(b"abc"), reads=2)
    assert file.read(1) + file.read(1) == b"ab"
    assert file.tell() == 2
    with pytest.raises(TooLargeError, match="pieces"):
        file.read(1)
    file.unmetered()
    assert file.read() == b"c"
    usual = Metered(BytesIO(kinds.encoded(Image.effect_noise((1000, 1000), 90), "PNG")))
    with Image.open(usual) as photo:
        photo.load()
    assert MOST_READS - usual._left < 1000
    assert open_photo(kinds.empty_chunks(1000)).size == (8, 8)


def test_a_tiff_has_no_more_strips_than_it_may():
    file = BytesIO(kinds.many_strips(2**17))
    require_few_strips(file)
    assert file.tell() == 0
    with pytest.raises(TooLargeError, match="tiles, got 131,073: save it as PNG"):
        require_few_strips(BytesIO(kinds.many_strips(2**17 + 1)))
    big = b"II+\0" + struct.pack("<LQQHHQQ", 8, 16, 1, 273, 16, 2**20, 0)
    with pytest.raises(TooLargeError, match="1,048,576"):
        require_few_strips(BytesIO(big))
    for cut in range(len(big)):
        require_few_strips(BytesIO(big[:cut][:16] + bytes(9)))


@pytest.mark.parametrize("kind", ["P1", "P3"])
def test_comments_in_plain_text_change_nothing_and_cost_little(kind):
    sound = kinds.pnm(kind, 8)
    head, _, rest = sound.partition(b" ")
    filled = head + b"\n" + b"# one \r#\n" * 30_000 + rest + b" # last"
    assert np.array_equal(np.asarray(open_photo(filled)), np.asarray(open_photo(sound)))
    other = BytesIO(kinds.pnm("P6", 8))
    assert prepared(other) is other
    assert other.tell() == 0


@pytest.mark.parametrize("ending", [".jp2", ".j2k"])
def test_the_tiles_of_a_jpeg_2000_are_those_of_its_codestream(tmp_path, ending):
    file = tmp_path / f"photo{ending}"
    for photo, options, expected in (
        (kinds.drawn("RGB", 100), {"tile_size": (64, 32)}, (64 * 32, 3, 1)),
        (kinds.drawn("I;16", 100), {}, (100 * 100, 1, 2)),
    ):
        photo.save(file, **options)
        with Image.open(file) as opened:
            assert largest_tile(opened) == expected
