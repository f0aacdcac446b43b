from pathlib import Path

import numpy as np
import pytest
from channels import NAMES, channels_recognizer, corner, save_rotated
from PIL import Image

import tagsight.visualize.explanation
from tagsight.errors import DataError
from tagsight.visualize.explanation import explain_photos, place


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "evidence"


def saved(path: Path, colour: str = "red", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    corner(colour, **options).save(path)
    return path


def explained(photos: list[Path], out: Path, names: tuple = NAMES, **options: object) -> list:
    return list(explain_photos(channels_recognizer(names=names), photos, out, **options))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("colour", "brightness", "asked", "shown"),
    [
        ("red", 255, (), ("red",)),
        ("red", 255, ("blue", "red"), ("red", "blue")),
        ("blue", 20, (), ("blue",)),  # the best where none is found
    ],
)
def test_every_label_shown_has_a_picture_beside_the_sheet(
    tmp_path, out, colour, brightness, asked, shown
):
    photo = saved(tmp_path / "boat.png", colour, brightness=brightness)
    (explanation,) = explained([str(photo)], str(out), labels=asked)
    assert (explanation.shown, explanation.sheet) == (shown, out / "boat.png")
    assert explanation.heatmaps == tuple(out / f"boat.{name}.png" for name in shown)
    assert names_in(out) == sorted(["boat.png", *(f"boat.{name}.png" for name in shown)])
    for path in (explanation.sheet, *explanation.heatmaps):
        with Image.open(path) as picture:
            picture.load()


def test_an_unknown_label_is_answered_before_anything_is_drawn(tmp_path, out):
    with pytest.raises(DataError, match="got 'bleu'; did you mean 'blue'"):
        explained([saved(tmp_path / "boat.png")], out, labels=["bleu"])
    assert not out.exists()


def test_photos_of_one_name_do_not_share_their_pictures(tmp_path, out):
    photos = [
        saved(tmp_path / "a" / "boat.png"),
        saved(tmp_path / "b" / "boat.jpg", "green"),
        saved(tmp_path / "c" / "BOAT.png", "blue"),
    ]
    sheets = [explanation.sheet.name for explanation in explained(photos, out)]
    assert sheets == ["boat.png", "boat-2.png", "BOAT-3.png"]
    of_labels = ["BOAT-3.blue.png", "boat-2.green.png", "boat.red.png"]
    assert names_in(out) == sorted(sheets + of_labels)


def test_a_picture_that_was_not_drawn_here_is_never_replaced(tmp_path):
    photo, foreign = saved(tmp_path / "boat.png"), saved(tmp_path / "boat-2.red.png", "green")
    text = tmp_path / "boat-3.png"
    text.write_text("not even a picture")
    before = [path.read_bytes() for path in (photo, foreign, text)]
    (explanation,) = explained([photo], tmp_path)
    assert explanation.sheet.name == "boat-4.png"
    assert [path.read_bytes() for path in (photo, foreign, text)] == before


def test_names_of_any_length_are_cut_to_what_file_systems_take(tmp_path, out):
    names = ("größe" * 60, "大" * 200, "b" * 300)
    (one,) = explained([saved(tmp_path / ("x" * 240 + ".png"))], out, names, labels=names)
    assert one.sheet.name == "x" * 120 + ".png"
    assert len({path for path in one.heatmaps if path.exists()}) == 3


def test_pictures_drawn_before_are_replaced_and_not_taken_for_photos(tmp_path):
    photo = saved(tmp_path / "boat.jpg")
    explained([photo], tmp_path)
    (explanation,) = explained(sorted(tmp_path.iterdir()), tmp_path)
    assert explanation.result.path == photo
    assert names_in(tmp_path) == ["boat.jpg", "boat.png", "boat.red.png"]


def test_a_sheet_shows_so_many_labels_and_grad_cam_below(tmp_path, out, monkeypatch):
    photo, sizes = saved(tmp_path / "boat.png"), []
    monkeypatch.setattr(tagsight.visualize.explanation, "MOST_PANELS", 1)
    for number, options in enumerate(({}, {"labels": NAMES}, {"with_grad_cam": True})):
        (one,) = explained([photo], out / str(number), **options)
        assert len(one.heatmaps) == (3 if "labels" in options else 1)
        with Image.open(one.sheet) as sheet:
            sizes.append(sheet.size)
    (width, height), limited, compared = sizes
    assert limited == (width, height)
    assert compared[0] == width
    assert compared[1] > 1.8 * height


@pytest.mark.parametrize(
    ("asked", "shown", "left"), [((), ("red",), 2), (("blue",), ("red", "blue"), 1)]
)
def test_of_many_labels_found_the_highest_are_drawn_and_those_asked_for(
    tmp_path, out, monkeypatch, asked, shown, left
):
    monkeypatch.setattr(tagsight.visualize.explanation, "MOST_PANELS", 1)
    photo, recognizer = saved(tmp_path / "boat.png"), channels_recognizer(threshold=0.0)
    (one,) = explain_photos(recognizer, [photo], out, labels=asked)
    assert (one.shown, one.not_drawn) == (shown, left)
    assert names_in(out) == sorted(["boat.png", *(f"boat.{name}.png" for name in shown)])


def test_the_picture_of_a_rotated_photo_is_right(tmp_path, out):
    path = tmp_path / "rotated.png"
    save_rotated(corner("red", (640, 320)), path)
    (explanation,) = explained([path], out)
    with Image.open(explanation.heatmaps[0]) as picture:
        photo = np.asarray(picture.convert("RGB"), dtype=int)[76 : 76 + 320, 20 : 20 + 640]
    colour = photo.max(-1) - photo.min(-1)
    assert (colour[:140, :280] > 60).mean() > 0.95  # all but mark and name
    assert (colour[200:] == 0).all()
    assert (colour[:, 400:] == 0).all()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ((slice(0, 2), slice(0, 2)), "upper left, 5 % of the photo"),
        ((slice(3, 6), slice(7, 9)), "right, 7 % of the photo"),
        ((slice(4, 5), slice(4, 5)), "middle, 1 % of the photo"),
        ((slice(7, 9), slice(3, 6)), "lower, 7 % of the photo"),
        ((slice(0, 9), slice(0, 9)), "middle, 100 % of the photo"),
        ((slice(0, 0), slice(0, 0)), "nowhere"),
    ],
)
def test_a_place_is_told_in_words(cells, words):
    evidence = np.full((9, 9), -0.0, np.float32)
    evidence[cells] = 3
    assert place(evidence) == words
