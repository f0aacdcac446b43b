from __future__ import annotations

import csv
import functools
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from tagsight.config import GraphConfig
from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.demo.scenes import DEPENDENCIES, LABELS, Scene, draw_scene, write_scenes
from tagsight.demo.scenes.cast import COUNTS
from tagsight.demo.scenes.composition import Layer
from tagsight.demo.scenes.dependencies import LIGHTS, draw_labels
from tagsight.demo.scenes.objects import KINDS
from tagsight.demo.scenes.scene import SIZES, compose_scene
from tagsight.demo.scenes.visibility import seen_layers
from tagsight.labels.space import LabelSpace
from tagsight.nn.graph import edge_probability

if TYPE_CHECKING:
    from pathlib import Path

SMALL = (96, 72)
DRAWN = 200


@functools.cache
def scene(index: int) -> Scene:
    return draw_scene(0, index, SMALL)


@functools.cache
def label_table() -> torch.Tensor:
    rows = [[label in scene(index).labels for label in LABELS] for index in range(DRAWN)]
    return torch.tensor(rows, dtype=torch.int8)


def column(label: str) -> torch.Tensor:
    return label_table()[:, LABELS.index(label)].bool()


def as_painted(
    size: tuple[int, int], seed: int, index: int
) -> dict[str, list[tuple[float, float, float, float]]]:
    """The boxes again, from a picture in which every layer has its own number for a colour."""
    _, layers = compose_scene(np.random.default_rng([seed, index]), size)
    numbers = Image.new("L", size)
    for number, (layer, _) in enumerate(layers, 1):
        half_covered = layer.image.getchannel("A").point(lambda opacity: 255 * (opacity >= 128))
        numbers.paste(number, layer.corner, half_covered)
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for number, (layer, _) in enumerate(layers, 1):
        if layer.label:
            found = numbers.point(lambda pixel, number=number: 255 * (pixel == number)).getbbox()
            boxes.setdefault(layer.label, []).append(tuple(map(float, found)))
    return boxes


def square(side: int, corner: tuple[int, int], label: str | None = "car") -> Layer:
    return Layer(Image.new("RGBA", (side, side), (9, 9, 9, 255)), corner, label)


def test_a_scene_depends_on_seed_and_index_alone() -> None:
    first = draw_scene(3, 5)
    draw_scene(3, 4)
    second = draw_scene(3, 5)
    assert first.photo.tobytes() == second.photo.tobytes()
    assert first[1:] == second[1:]


@pytest.mark.parametrize(("seed", "index"), [(4, 5), (3, 6), (5, 3)])
def test_another_seed_or_index_gives_another_scene(seed: int, index: int) -> None:
    one, other = draw_scene(3, 5, SMALL), draw_scene(seed, index, SMALL)
    assert one.photo.tobytes() != other.photo.tobytes()


def test_photos_have_the_size_that_is_asked_for() -> None:
    assert draw_scene(0, 0, (130, 90)).photo.size == (130, 90)


def test_photos_have_several_shapes_if_none_is_asked_for() -> None:
    sizes = {draw_scene(0, index).photo.size for index in range(12)}
    assert sizes <= set(SIZES)
    assert len({width > height for width, height in sizes}) == 2


@pytest.mark.parametrize("size", [(63, 100), (100, 1025), (0, 0)])
def test_a_size_out_of_range_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="width and a height of 64 to 1024 pixels"):
        draw_scene(0, 0, size)


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_a_negative_seed_or_index_is_refused(seed: int, index: int) -> None:
    with pytest.raises(ValueError, match="seed and an index of at least 0, got"):
        draw_scene(seed, index)


def test_the_present_labels_are_those_that_have_boxes() -> None:
    for index in range(DRAWN):
        assert scene(index).labels == set(scene(index).boxes)
        assert all(scene(index).boxes.values())


def test_boxes_have_an_area_inside_the_photo() -> None:
    every = [
        box for index in range(DRAWN) for boxes in scene(index).boxes.values() for box in boxes
    ]
    left, top, right, bottom = np.array(every).T
    assert (left >= 0).all()
    assert (left < right).all()
    assert (right <= SMALL[0]).all()
    assert (top >= 0).all()
    assert (top < bottom).all()
    assert (bottom <= SMALL[1]).all()


@pytest.mark.parametrize("index", range(12))
def test_boxes_are_exactly_those_of_the_pixels_that_are_painted(index: int) -> None:
    assert draw_scene(1, index, (160, 128)).boxes == as_painted((160, 128), 1, index)


def test_a_thing_is_where_its_box_says() -> None:
    sun = next(scene(index) for index in range(DRAWN) if scene(index).labels == {"sun", "flower"})
    left, top, right, bottom = map(int, sun.boxes["sun"][0])
    sky = np.asarray(sun.photo.convert("L"), float)[: bottom + 4]
    assert sky[top:bottom, left:right].mean() > sky.mean() + 10


def test_a_box_is_that_of_the_visible_part() -> None:
    hidden, cover = square(20, (10, 10)), square(30, (20, 0), None)
    (_, seen), _ = seen_layers([hidden, cover], (64, 64))
    assert np.argwhere(seen).min(0).tolist() == [10, 10]
    assert (np.argwhere(seen).max(0) + 1).tolist() == [30, 20]


@pytest.mark.parametrize(("covered", "is_kept"), [(14, True), (15, True), (16, False), (20, False)])
def test_a_thing_of_which_under_a_quarter_is_seen_is_left_out(covered: int, is_kept: bool) -> None:
    layers = [square(20, (0, 0)), square(40, (20 - covered, 0), None)]
    assert len(seen_layers(layers, (64, 64))) == 1 + is_kept


@pytest.mark.parametrize(("outside", "is_kept"), [(15, True), (16, False), (20, False)])
def test_what_is_outside_of_the_photo_is_not_seen(outside: int, is_kept: bool) -> None:
    corners = [(-outside, 9), (9, -outside), (44 + outside, 9), (9, 44 + outside)]
    kept = seen_layers([square(20, corner) for corner in corners], (64, 64))
    assert len(kept) == 4 * is_kept


def test_what_is_left_out_hides_nothing() -> None:
    behind, hidden, before = square(20, (0, 0)), square(20, (0, 0)), square(19, (0, 0), None)
    layers = [behind._replace(corner=(10, 10)), hidden, before]
    kept = seen_layers(layers, (64, 64))
    assert [layer for layer, _ in kept] == [layers[0], before]
    assert kept[0][1].sum() == 20 * 20 - 9 * 9


def test_nothing_hides_most_of_the_sea() -> None:
    sea = square(64, (0, 0), "sea")._replace(is_ground=True)
    low, high = square(60, (0, 0), "house"), square(30, (0, 0), "tree")
    kept = [layer.label for layer, _ in seen_layers([sea, low, high], (64, 64))]
    assert kept == ["sea", "tree"]


@pytest.mark.parametrize(
    ("label", "other"),
    [("star", "sun"), ("moon", "sun"), ("sun", "star"), ("sun", "moon")],
)
def test_labels_of_day_and_night_never_meet(label: str, other: str) -> None:
    assert column(label).any()
    assert not (column(label) & column(other)).any()


def test_a_boat_is_never_without_the_sea() -> None:
    assert (column("boat") & ~column("sea")).sum() == 0


def test_labels_are_drawn_with_the_probabilities_of_the_table() -> None:
    rng = np.random.default_rng(0)
    expected = {key: [0, 0, chance] for label in DEPENDENCIES for key, chance in rows_of(label)}
    for _ in range(4000):
        light, labels = draw_labels(rng)
        known: set[str] = {light}
        for label, rows in DEPENDENCIES.items():
            row = next(row for row in rows if known.issuperset(row.split()))
            expected[label, row][0] += label in labels
            expected[label, row][1] += 1
            known |= {label} & labels
    for hits, draws, chance in expected.values():
        assert abs(hits - draws * chance) <= 4 * (draws * chance * (1 - chance)) ** 0.5


def rows_of(label: str) -> list[tuple[tuple[str, str], float]]:
    return [((label, row), chance) for row, chance in DEPENDENCIES[label].items()]


def test_every_label_has_a_row_that_always_fits() -> None:
    assert set(DEPENDENCIES) == set(LABELS)
    assert all("" in rows or set(LIGHTS) <= set(rows) for rows in DEPENDENCIES.values())


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_neither_rare_nor_everywhere(label: str) -> None:
    assert 0.08 <= column(label).double().mean() <= 0.7


@pytest.mark.parametrize("label", sorted(KINDS))
def test_every_label_looks_several_ways(label: str) -> None:
    assert len({kind.draw for kind in KINDS[label]}) >= 3
    assert label in COUNTS


def test_the_label_graph_has_edges_and_gaps() -> None:
    labels = LabelSpace.from_targets(LABELS, label_table())
    edges = edge_probability(labels.cooccurrence, GraphConfig(epsilon=0.4)) > 0
    linked = {(LABELS[target], LABELS[source]) for target, source in edges.nonzero().tolist()}
    pairs = set(permutations(LABELS, 2))
    assert len(linked & pairs) >= 10
    assert len(pairs - linked) >= 60
    assert {frozenset({"boat", "sea"}), frozenset({"moon", "star"})} <= set(map(frozenset, linked))


@pytest.fixture
def tiny_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagsight.demo.scenes.scene.SIZES", ((96, 64), (64, 96)))


@pytest.mark.usefixtures("tiny_photos")
def test_a_folder_of_scenes_is_written_the_same_twice(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    first = write_scenes(
        tmp_path / "a", count=3, seed=7, progress=lambda done, total: steps.append((done, total))
    )
    second = write_scenes(tmp_path / "b", count=3, seed=7)
    assert contents(first) == contents(second)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    one = write_scenes(tmp_path / "one", count=2, seed=2)
    several = write_scenes(tmp_path / "several", count=2, seed=2, workers=2)
    assert contents(one) == contents(several)


@pytest.mark.usefixtures("tiny_photos")
def test_writing_again_leaves_no_scene_of_the_earlier_call(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_scenes(tmp_path, count=3, seed=0)
    (tmp_path / "images" / "mine.jpg").write_bytes(b"")
    write_scenes(tmp_path, count=2, seed=0)
    assert sorted(contents(tmp_path)) == [
        "boxes.json",
        "images/mine.jpg",
        "images/scene-00000.jpg",
        "images/scene-00001.jpg",
        "labels.csv",
        "notes.txt",
    ]


@pytest.mark.usefixtures("tiny_photos")
def test_a_folder_has_no_labels_before_it_is_whole(tmp_path: Path) -> None:
    write_scenes(tmp_path, count=2)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, count=2, progress=interrupt)
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1)])
def test_an_impossible_number_of_scenes_is_refused(tmp_path: Path, count: int, seed: int) -> None:
    with pytest.raises(ValueError, match="at least one scene and a seed of at least 0, got"):
        write_scenes(tmp_path, count=count, seed=seed)


@pytest.mark.usefixtures("tiny_photos")
def test_the_readers_understand_the_folder(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, count=4, seed=1)
    scenes = [draw_scene(1, index) for index in range(4)]
    annotations = read_annotations(folder / "labels.csv")
    boxes = read_boxes(folder / "boxes.json")
    assert annotations.names == LABELS
    for path, targets, drawn in zip(annotations.paths, annotations.targets, scenes, strict=True):
        found = boxes.of(path)
        present = {name for name, target in zip(LABELS, targets, strict=True) if target == 1}
        assert present == drawn.labels
        assert found.size == drawn.photo.size
        assert {
            label: [tuple(box) for box in corners.tolist()]
            for label, corners in found.boxes.items()
        } == drawn.boxes


@pytest.mark.usefixtures("tiny_photos")
def test_scenes_are_split_70_15_15_in_turn(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, count=20)
    with (folder / "labels.csv").open(newline="") as handle:
        splits = [row["split"] for row in csv.DictReader(handle)]
    assert {split: splits.count(split) for split in splits} == {"train": 14, "val": 3, "test": 3}


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
