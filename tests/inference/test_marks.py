import numpy as np
import pytest
from PIL import Image

from tagsight.inference.marks import Mark, draw_marks

WHITE = Image.new("RGB", (320, 240), (255, 255, 255))


def tags(*marks: Mark) -> np.ndarray:
    """The pixels that names change."""
    nameless = draw_marks(WHITE, [mark._replace(name="") for mark in marks])
    drawn = draw_marks(WHITE, marks)
    return (np.asarray(drawn) != np.asarray(nameless)).any(-1)


def test_a_ring_shows_on_every_photo_and_leaves_its_place_free():
    for colour in ((0, 0, 0), (255, 255, 255)):
        photo = Image.new("RGB", (320, 240), colour)
        pixels = np.asarray(draw_marks(photo, [Mark((100.0, 80.0))])).astype(int)
        rows, columns = np.nonzero((pixels != colour).any(-1))
        assert (rows.mean(), columns.mean()) == pytest.approx((79.5, 99.5), abs=1)
        assert (pixels[80, 100] == colour).all()
        assert pixels[rows, columns].min() < 60 + colour[0]
        assert pixels[60:100, 80:120].max() > 200


@pytest.mark.parametrize("place", [(0, 0), (320, 0), (160, 120), (320, 240), (3, 237)], ids=str)
@pytest.mark.parametrize("name", ["dog", "person who reads the newspaper under a tree " * 2])
def test_a_name_is_whole_wherever_its_mark_is(place, name):
    rows, columns = np.nonzero(tags(Mark((float(place[0]), float(place[1])), name)))
    alone_rows, alone_columns = np.nonzero(tags(Mark((100.0, 120.0), name)))
    assert np.ptp(rows) == np.ptp(alone_rows)
    assert np.ptp(columns) == np.ptp(alone_columns) < 320


def test_names_of_one_place_cover_neither_each_other_nor_the_mark():
    names = ["dog", "person", "sofa", "a chair of wood"]
    marks = [Mark((150.0 + 3 * turn, 120.0), name) for turn, name in enumerate(names)]
    # Colours of a tag that lies on another would be darker than any on white.
    darkest = min(np.asarray(draw_marks(WHITE, [mark])).min() for mark in marks)
    drawn = np.asarray(draw_marks(WHITE, marks)).astype(int)
    far = np.abs(np.arange(320) - 155) > 25
    assert drawn[:, far].min() >= darkest
    assert tags(*marks)[:, far].sum() > 0.7 * sum(tags(mark)[:, far].sum() for mark in marks)
    assert not tags(*marks)[120, 150:160].any()
