from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from channels import channels_recognizer, corner, save_rotated
from PIL import Image

import tagsight.visualize.explanation
from tagsight.errors import DataError
from tagsight.visualize.explanation import explain_photos, place


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def saved(photo: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo.save(path)
    return path


def explained(photos: list[Path], out: Path, **options: object) -> list:
    return list(explain_photos(channels_recognizer(), photos, out, **options))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("colour", "brightness", "asked", "shown"),
    [
        ("red", 255, (), ("red",)),
        ("red", 255, ("blue", "red"), ("red", "blue")),
        ("blue", 20, (), ("blue",)),
    ],
    ids=["found", "asked for", "the best where none is found"],
)
def test_every_label_shown_has_a_picture_beside_the_contact_sheet(
    tmp_path, out, colour, brightness, asked, shown
):
    photo = saved(corner(colour, brightness=brightness), tmp_path / "boat.png")
    (explanation,) = explain_photos(channels_recognizer(), [str(photo)], str(out), labels=asked)
    assert explanation.shown == shown
    assert explanation.sheet == out / "boat.png"
    assert explanation.heatmaps == tuple(out / f"boat.{name}.png" for name in shown)
    assert names_in(out) == sorted(["boat.png", *(f"boat.{name}.png" for name in shown)])
    for path in (explanation.sheet, *explanation.heatmaps):
        with Image.open(path) as picture:
            picture.load()


def test_an_unknown_label_is_answered_before_anything_is_drawn(tmp_path, out):
    photo = saved(corner("red"), tmp_path / "boat.png")
    with pytest.raises(DataError, match="got 'bleu'; did you mean 'blue'"):
        explain_photos(channels_recognizer(), [photo], out, labels=["bleu"])
    assert not out.exists()


def test_photos_of_one_name_do_not_share_their_pictures(tmp_path, out):
    photos = [
        saved(corner("red"), tmp_path / "a" / "boat.png"),
        saved(corner("green"), tmp_path / "b" / "boat.jpg"),
        saved(corner("blue"), tmp_path / "c" / "BOAT.png"),
    ]
    sheets = [explanation.sheet.name for explanation in explained(photos, out)]
    assert sheets == ["boat.png", "boat-2.png", "BOAT-3.png"]
    assert names_in(out) == [
        "BOAT-3.blue.png",
        "BOAT-3.png",
        "boat-2.green.png",
        "boat-2.png",
        "boat.png",
        "boat.red.png",
    ]


def test_a_picture_that_was_not_drawn_here_is_never_replaced(tmp_path):
    photo = saved(corner("red"), tmp_path / "boat.png")
    foreign = saved(corner("green"), tmp_path / "boat-2.red.png")
    text = tmp_path / "boat-3.png"
    text.write_text("not even a picture")
    before = photo.read_bytes(), foreign.read_bytes()
    (explanation,) = explained([photo], tmp_path)
    assert explanation.sheet.name == "boat-4.png"
    assert (photo.read_bytes(), foreign.read_bytes()) == before
    assert text.read_text() == "not even a picture"


def test_no_label_leads_out_of_the_folder(tmp_path, out):
    photo = saved(corner("red"), tmp_path / "boat.png")
    names = ("../../up", "a/b", "a\\b")
    recognizer = channels_recognizer(names=names)
    (explanation,) = explain_photos(recognizer, [photo], out, labels=names)
    assert [path.parent for path in explanation.heatmaps] == [out] * 3
    assert names_in(out) == ["boat.______up.png", "boat.a_b.2.png", "boat.a_b.png", "boat.png"]


def test_names_of_any_length_are_cut_to_what_file_systems_take(tmp_path, out):
    photo = saved(corner("red"), tmp_path / ("x" * 240 + ".png"))
    names = ("größe" * 60, "大" * 200, "b" * 300)
    (explanation,) = explain_photos(channels_recognizer(names=names), [photo], out, labels=names)
    assert explanation.sheet.name == "x" * 120 + ".png"
    assert len(set(explanation.heatmaps)) == 3
    assert all(path.exists() for path in explanation.heatmaps)


def test_pictures_drawn_before_are_replaced_and_not_taken_for_photos(tmp_path):
    photo = saved(corner("red"), tmp_path / "boat.jpg")
    explained([photo], tmp_path)
    (explanation,) = explained(sorted(tmp_path.iterdir()), tmp_path)
    assert explanation.result.path == photo
    assert names_in(tmp_path) == ["boat.jpg", "boat.png", "boat.red.png"]


def test_a_photo_that_cannot_be_read_is_reported_and_the_rest_goes_on(tmp_path, out):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    reported: list[object] = []
    explanations = explained(
        [bad, saved(corner("red"), tmp_path / "boat.png")],
        out,
        on_error=lambda source, _: reported.append(source),
    )
    assert [explanation.sheet.name for explanation in explanations] == ["boat.png"]
    assert reported == [bad]


def test_grad_cam_stands_below_the_maps_on_the_sheet(tmp_path, out):
    photo = saved(corner("red"), tmp_path / "boat.png")
    (alone,) = explained([photo], out / "alone")
    (compared,) = explained([photo], out / "compared", with_grad_cam=True)
    with Image.open(alone.sheet) as own, Image.open(compared.sheet) as both:
        assert both.width == own.width
        assert both.height > 1.8 * own.height


def test_a_sheet_shows_so_many_labels_and_all_have_their_picture(tmp_path, out, monkeypatch):
    photo = saved(corner("red"), tmp_path / "boat.png")
    (one,) = explained([photo], out / "one")
    monkeypatch.setattr(tagsight.visualize.explanation, "MOST_PANELS", 1)
    (all_three,) = explained([photo], out / "three", labels=["red", "green", "blue"])
    assert len(all_three.heatmaps) == 3
    with Image.open(one.sheet) as sheet, Image.open(all_three.sheet) as limited:
        assert limited.size == sheet.size


def test_the_picture_of_a_rotated_photo_is_right(tmp_path, out):
    path = tmp_path / "rotated.png"
    save_rotated(corner("red", (640, 320)), path)
    (explanation,) = explained([path], out)
    with Image.open(explanation.heatmaps[0]) as picture:
        photo = np.asarray(picture.convert("RGB"), dtype=int)[76 : 76 + 320, 20 : 20 + 640]
    colour = photo.max(-1) - photo.min(-1)
    assert (colour[:140, :280] > 60).all()
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
