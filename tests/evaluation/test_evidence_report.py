import json
from typing import Any

import pytest
import torch
from channels import NAMES, Channels, channels_model
from PIL import Image
from torch.testing import assert_close

from tagsight.data.annotations import Annotations
from tagsight.data.boxes import Boxes, PhotoBoxes
from tagsight.errors import DataError
from tagsight.evaluation import evidence_report
from tagsight.evaluation.evidence_report import TRANSFORMS, find_pairs, measure_evidence
from tagsight.runtime.device import Runtime
from tagsight.systems.base import Recognition

RUNTIME = Runtime(torch.device("cpu"), "float32")
WIDTH, HEIGHT = 64, 48
# Left, top, right and bottom in pixels, along the cells of the map.
PLACES = {"red": (8, 6, 24, 18), "green": (40, 12, 56, 36), "blue": (16, 24, 32, 48)}
CHANCE = 100 / 3 * sum((c - a) * (d - b) for a, b, c, d in PLACES.values()) / (WIDTH * HEIGHT)
ELSEWHERE = (48.0, 36.0, 64.0, 48.0)


def draw(path, names: tuple[str, ...]):
    """A black photo with a square of each colour in its place."""
    photo = Image.new("RGB", (WIDTH, HEIGHT))
    for name in names:
        photo.paste(tuple(255 * (name == channel) for channel in NAMES), PLACES[name])
    photo.save(path)
    return path


def collection(folder, shown: list[tuple[str, ...]]) -> Annotations:
    paths = tuple(draw(folder / f"{i}.png", names) for i, names in enumerate(shown))
    targets = torch.tensor([[int(name in names) for name in NAMES] for names in shown])
    return Annotations(NAMES, paths, targets, ("test",) * len(paths), "csv-columns")


def boxes_of(photos: dict[str, dict[str, tuple[float, ...]]]) -> Boxes:
    def boxed(objects: dict[str, tuple[float, ...]]) -> PhotoBoxes:
        boxes = {name: torch.tensor([box]) for name, box in objects.items()}
        return PhotoBoxes((WIDTH, HEIGHT), boxes)

    return Boxes(NAMES, {photo: boxed(objects) for photo, objects in photos.items()})


@pytest.fixture
def rows(tmp_path) -> Annotations:
    return collection(tmp_path, [("red",), ("green", "blue"), ()])


@pytest.fixture
def boxes() -> Boxes:
    second = {name: PLACES[name] for name in ("green", "blue")}
    return boxes_of({"0.png": {"red": PLACES["red"]}, "1.png": second})


class Flat(Channels):
    """Sees the same everywhere."""

    def forward(self, images: torch.Tensor) -> Recognition:
        seen = super().forward(images)
        return seen._replace(maps=torch.ones_like(seen.maps))


def measured(rows: Annotations, boxes: Boxes | None, **options: Any) -> dict[str, Any]:
    model = channels_model(options.pop("system", None), resize=options.pop("resize", "warp"))
    pairs = find_pairs(rows, boxes) if boxes is not None else None
    return measure_evidence(model, rows, RUNTIME, pairs=pairs, **options)


def test_maps_that_show_just_the_objects_are_right_in_all(rows, boxes):
    report = measured(rows, boxes)
    assert (report["pointing"], report["energy_in_box"]) == (100, 100)
    assert report["pointing_interval"] == report["energy_in_box_interval"] == [None, None]
    assert report["pairs"] == 3
    assert report["source"] == "maps"
    assert report["chance"] == pytest.approx(CHANCE, abs=1e-3)
    json.dumps(report, allow_nan=False)


def test_of_many_photos_some_are_compared_and_all_with_boxes_are_located(tmp_path, monkeypatch):
    """Only these are opened: the others are gone."""
    rows = collection(tmp_path, [("red",)] * 10)
    monkeypatch.setattr(evidence_report, "COMPARED", 3)
    for number in set(range(10)) - {0, 3, 6, 7, 8}:
        rows.paths[number].unlink()
    done = []
    hit, missed = boxes_of({"7.png": {"red": PLACES["red"]}}), {"8.png": {"red": ELSEWHERE}}
    both = boxes_of({"7.png": {"red": PLACES["red"]}} | missed)
    report = measured(rows, both, progress=done.append)
    assert (report["pointing"], report["pairs"], report["consistency_photos"]) == (50, 2, 3)
    assert done[-1] == 9
    assert measured(rows, hit)["pointing"] == 100
    rows.paths[7].unlink()
    assert measured(rows, None)["consistency"] == report["consistency"]


def test_fitted_photos_are_measured_without_their_padding(rows, boxes):
    report = measured(rows, boxes, resize="fit")
    assert report["pointing"] == 100
    assert report["energy_in_box"] > 80  # cells of 8 x 8 pixels are cut by the boxes
    assert report["chance"] == pytest.approx(CHANCE, abs=1e-3)
    flat = measured(rows, boxes, resize="fit", system=Flat())
    assert flat["energy_in_box"] == pytest.approx(flat["chance"], abs=1e-3)


def test_of_cropped_photos_only_what_is_seen_can_be_hit(rows):
    unseen, half = (0.0, 0.0, 7.0, 48.0), (0.0, 0.0, 24.0, 48.0)
    assert measured(rows, boxes_of({"0.png": {"red": unseen}}), resize="crop")["chance"] == 0
    report = measured(rows, boxes_of({"0.png": {"red": half}}), resize="crop")
    assert report["pointing"] == 100
    assert report["energy_in_box"] > 90  # the edge of the box cuts a cell
    assert report["chance"] == pytest.approx(100 * 16 / 48, abs=0.5)


@pytest.mark.parametrize(
    ("box", "pointing", "energy"), [(ELSEWHERE, 0, 0), ((8.0, 6.0, 16.0, 18.0), 50, 50)]
)
def test_maps_are_wrong_elsewhere_and_half_right_in_half_a_box(rows, box, pointing, energy):
    report = measured(rows, boxes_of({"0.png": {"red": box}}))
    assert (report["pointing"], report["energy_in_box"]) == (pointing, pytest.approx(energy))
    assert report["per_label"] == {
        "red": {"pointing": pointing, "energy_in_box": energy, "pairs": 1}
    }


def test_the_mean_is_over_labels_and_not_over_pairs(tmp_path):
    rows = collection(tmp_path, [("red",), ("red",), ("red",), ("blue",)])
    red = {f"{i}.png": {"red": PLACES["red"]} for i in range(3)}
    report = measured(rows, boxes_of(red | {"3.png": {"blue": ELSEWHERE}}))
    assert report["pointing"] == 50
    assert report["pairs"] == 4


def test_only_present_labels_have_pairs(rows, boxes):
    rows.targets[1] = torch.tensor([0, -1, 1])
    pairs = find_pairs(rows, boxes)
    assert list(zip(pairs.photos.tolist(), pairs.labels.tolist(), strict=True)) == [(0, 0), (1, 2)]


def test_boxes_are_fractions_of_the_photo_and_padded_to_the_most(rows):
    two = PhotoBoxes((64, 48), {"green": torch.tensor([[0.0, 0.0, 32.0, 24.0], ELSEWHERE])})
    one = PhotoBoxes((64, 48), {"red": torch.tensor([[16.0, 12.0, 64.0, 48.0]])})
    pairs = find_pairs(rows, Boxes(NAMES, {"0.png": one, "1.png": two}))
    assert pairs.on_maps(32, "warp").boxes.tolist() == [
        [[0.25, 0.25, 1, 1], [0, 0, 0, 0]],
        [[0, 0, 0.5, 0.5], [0.75, 0.75, 1, 1]],
    ]
    fitted = pairs.on_maps(32, "fit")  # 24 of 32 pixels down, after 4
    assert_close(fitted.photos, torch.tensor([[0, 0.125, 1, 0.875]] * 2))
    first = torch.tensor([[0.25, 0.3125, 1, 0.875], [0, 0.125, 0.5, 0.5]])
    assert_close(fitted.boxes[:, 0], first)


def test_the_interval_is_of_photos_with_all_their_labels(tmp_path):
    # All labels of one photo are hit, all of the other missed: a resample of two photos has a mean
    # of 0, 50 or 100. Labels drawn one by one would rarely agree.
    rows = collection(tmp_path, [NAMES, NAMES])
    report = measured(rows, boxes_of({"0.png": PLACES, "1.png": dict.fromkeys(NAMES, ELSEWHERE)}))
    assert report["pointing"] == 50
    assert report["pointing_interval"] == [0, 100]
    assert report["energy_in_box_interval"] == [0, 100]


def test_photos_without_boxes_are_passed_over_in_every_batch(tmp_path):
    shown = [("red",), *[()] * RUNTIME.photos_at_once, ("blue",), ("green",)]
    rows = collection(tmp_path, shown)
    last = {f"{len(shown) - 1}.png": {"green": PLACES["green"]}}
    done = []
    report = measured(rows, boxes_of(last), progress=done.append)
    assert (report["pointing"], report["pairs"]) == (100, 1)
    assert done == [RUNTIME.photos_at_once, len(shown)]
    first = measured(rows, boxes_of({"0.png": {"red": PLACES["red"]}}))
    assert (first["pointing"], first["pairs"]) == (100, 1)


def test_maps_made_cell_by_cell_follow_flip_and_quarter_turn_exactly(rows):
    report = measured(rows, None)
    assert report.keys() == {"source", "consistency", "consistency_photos"}, "without boxes"
    errors = report["consistency"]
    assert errors.keys() == set(TRANSFORMS)
    assert errors["flip"] == errors["quarter_turn"] == 0
    # The small view's cells are not those of the photo.
    assert 0 < errors["scale"] < 100


class Lopsided(Channels):
    """Sees the left half of a photo only."""

    def forward(self, images):
        logits, maps, embedding = super().forward(images)
        left = (torch.arange(maps.shape[-1]) < maps.shape[-1] / 2).float()
        return Recognition(logits, maps * left, embedding)


def test_maps_that_know_left_from_right_have_an_error_that_is_the_mean_over_photos(tmp_path):
    rows = collection(tmp_path, [("red",), ("green", "blue"), ("blue",)])
    alone = [measured(rows.select([i]), None, system=Lopsided()) for i in range(3)]
    one_by_one = [report["consistency"]["flip"] for report in alone]
    together = measured(rows, None, system=Lopsided())["consistency"]
    assert together["flip"] == pytest.approx(sum(one_by_one) / 3, abs=1e-3)
    assert len(set(one_by_one)) > 1
    assert min(together["flip"], together["quarter_turn"]) > 10


@pytest.mark.parametrize(
    "photos", [{"elsewhere.png": {"red": PLACES["red"]}}, {"0.png": {"cat": PLACES["red"]}}, {}]
)
def test_boxes_that_fit_nothing_are_refused(rows, photos):
    with pytest.raises(DataError, match=r"expected boxes of labels \['red', .* such as '0.png'"):
        measured(rows, boxes_of(photos))


@pytest.mark.parametrize("source", ["maps", "grad-cam"])
def test_grad_cam_is_measured_by_the_same_rule_and_leaves_no_gradients_nor_hooks(
    rows, boxes, source
):
    system = Channels().train()
    report = measured(rows, boxes, source=source, system=system)
    assert report["source"] == source
    # That of Grad-CAM is the brightness of a colour, which the resizing to a square blurs.
    assert report["pointing"] == 100
    assert 90 < report["energy_in_box"] < 100 or source == "maps"
    assert report["consistency"]["flip"] == report["consistency"]["quarter_turn"] == 0
    assert not system.training
    assert not system.backbone._forward_hooks
