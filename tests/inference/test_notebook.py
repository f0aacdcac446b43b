import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from channels import channels_recognizer, corner
from PIL import Image

from tagsight.inference.notebook import MOST_PANELS, PANEL_SIDE, PHOTO_SIDE
from tagsight.inference.result import Result
from tagsight.runtime.escaping import printable

VOID = {"img", "br"}


class Shown(HTMLParser):
    """Well-formed HTML of pictures and text that refers to nothing else."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.pictures: dict[str, Image.Image] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(result._repr_html_())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "figure", "figcaption", "b", "bdi", "span", "img"}
        assert {name for name, _ in attrs} <= {"style", "src", "alt", "width", "height"}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "img":
            values = dict(attrs)
            data = base64.b64decode(values["src"].removeprefix("data:image/jpeg;base64,"))
            picture = Image.open(io.BytesIO(data))
            picture.load()
            assert picture.size == (int(values["width"]), int(values["height"]))
            self.pictures[values["alt"]] = picture

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def many(count: int, **options: object) -> Result:
    """A result with so many labels found."""
    names = tuple(f"label {i}" for i in range(count))
    scores = np.linspace(0.6, 0.9, count)
    values = {"maps": np.ones((count, 2, 2), np.float32), "photo_size": (60, 40)} | options
    found = {"scores": scores, "predicted": scores > 0.5, "logits": scores, "embedding": scores}
    return Result(None, names, thresholds=np.full(count, 0.5), **found, **values)


@pytest.mark.parametrize("source", ["path", "bytes", "image", "array"])
def test_a_result_shows_its_photo_and_the_evidence_for_its_labels(tmp_path, source):
    photo, path = corner("green", (800, 400)), tmp_path / "a <b>.png"
    photo.save(path)
    given = {"path": path, "bytes": path.read_bytes(), "image": photo, "array": np.asarray(photo)}
    shown = Shown(channels_recognizer()(given[source]))
    assert set(shown.pictures) == {"the photo", "evidence for green"}
    assert shown.pictures["the photo"].size == (PHOTO_SIDE, PHOTO_SIDE // 2)
    overlay = np.asarray(shown.pictures["evidence for green"]).astype(int)
    assert overlay.shape == (PANEL_SIDE // 2, PANEL_SIDE, 3)
    colourful = overlay.max(-1) - overlay.min(-1) > 50
    assert colourful[:40, :80].mean() > 0.9  # all but the mark
    assert not colourful[60:].any()
    assert ("a <b>.png" in shown.text) == (source == "path")
    assert "800 x 400 pixels" in shown.text
    assert "green 1.00 threshold 0.50" in shown.text


def test_each_label_has_a_scale_of_its_own_which_is_shown():
    maps = np.stack([np.full((2, 2), value, np.float32) for value in (1, 4, 8)])
    shown = Shown(many(3, maps=maps))
    faint, *strong = (shown.pictures[f"evidence for label {i}"].getpixel((9, 9)) for i in range(3))
    assert sum(faint) < sum(strong[0]) == sum(strong[1])
    assert [end for end in ("2 logits", "4 logits", "8 logits") if end in shown.text] == [
        "2 logits",
        "4 logits",
        "8 logits",
    ]


def test_without_the_photo_the_maps_are_shown_alone(tmp_path):
    for photo in (None, b"no photo"):
        shown = Shown(many(2, photo=photo))
        assert set(shown.pictures) == {"evidence for label 0", "evidence for label 1"}
    path = tmp_path / "photo.png"
    corner("red").save(path)
    result = channels_recognizer()(path)
    path.unlink()
    assert set(Shown(result).pictures) == {"evidence for red"}


def test_where_nothing_is_found_the_best_label_is_shown():
    assert repr(channels_recognizer()(corner("red"))) == "Result(red 1.00)"
    shown = Shown(channels_recognizer()(corner("blue", brightness=20)))
    assert set(shown.pictures) == {"the photo", "evidence for blue"}
    assert "below the threshold" in shown.text
    nothing = channels_recognizer()(Image.new("RGB", (9, 9)))
    assert "no evidence" in Shown(nothing).text
    assert repr(nothing) == "Result(no label found)"


def test_of_many_labels_those_with_the_highest_scores_are_shown():
    shown = Shown(many(MOST_PANELS + 3))
    assert set(shown.pictures) == {f"evidence for label {i}" for i in range(3, MOST_PANELS + 3)}
    assert "and 3 more" in shown.text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "' onload='x", '"&<b>', "x" * 5000, "dog\u202egpj"]
)
def test_names_are_text_and_never_markup(name):
    names = (name, "other", "third")
    shown = Shown(channels_recognizer(names=names)(corner("red")))
    assert len(shown.pictures) == 2
    assert printable(name[:200]) in shown.text
