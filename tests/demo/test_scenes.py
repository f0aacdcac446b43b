from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.demo.scenes import DEPENDENCIES, LABELS, Scene, draw_scene, write_scenes
from tagsight.demo.scenes.cast import COUNTS
from tagsight.demo.scenes.composition import Layer
from tagsight.demo.scenes.dependencies import LIGHTS, draw_labels
from tagsight.demo.scenes.objects import KINDS
from tagsight.demo.scenes.objects.clutter import CLUTTER, GRASS
from tagsight.demo.scenes.scene import SIZES, compose_scene
from tagsight.demo.scenes.sketch import Sketch
from tagsight.demo.scenes.visibility import seen_layers
from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import edge_probability

SMALL = (96, 72)
APART = [("star", "sun"), ("moon", "sun")]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(0, index, SMALL) for index in range(40)]


def as_painted(size: tuple[int, int], seed: int, index: int) -> dict[str, list[tuple]]:
    """The boxes again, from a picture in which every layer has its own number for a colour."""
    _, layers = compose_scene(np.random.default_rng([seed, index]), size)
    numbers = Image.new("L", size)
    for number, (layer, _) in enumerate(layers, 1):
        half_covered = layer.image.getchannel("A").point(lambda opacity: 255 * (opacity >= 128))
        numbers.paste(number, layer.corner, half_covered)
    boxes: dict[str, list[tuple]] = {}
    for number, (layer, _) in enumerate(layers, 1):
        if layer.label:
            found = numbers.point(lambda pixel, number=number: 255 * (pixel == number)).getbbox()
            boxes.setdefault(layer.label, []).append(tuple(map(float, found)))
    return boxes


def square(side: int, corner: tuple[int, int], label: str | None = "car") -> Layer:
    return Layer(Image.new("RGBA", (side, side), (9, 9, 9, 255)), corner, label)


def test_a_scene_depends_on_seed_and_index_alone():
    first = draw_scene(3, 5, SMALL)
    others = [draw_scene(seed, index, SMALL) for seed, index in ((4, 5), (3, 6), (5, 3))]
    again = draw_scene(3, 5, SMALL)
    assert first.photo.tobytes() == again.photo.tobytes()
    assert first[1:] == again[1:]
    assert all(first.photo.tobytes() != other.photo.tobytes() for other in others)


def test_photos_have_the_requested_size_or_one_of_several_shapes():
    assert draw_scene(0, 0, (130, 90)).photo.size == (130, 90)
    sizes = {draw_scene(0, index).photo.size for index in range(5)}
    assert sizes <= set(SIZES)
    assert len({width > height for width, height in sizes}) == 2


@pytest.mark.parametrize("options", [(-1, 0), (0, -1), (0, 0, (63, 100)), (0, 0, (100, 1025))])
def test_arguments_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=r"64 to 1024 pixels|seed and an index of at least 0, got"):
        draw_scene(*options)
    for count, seed in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match="at least one scene and a seed of at least 0, got"):
            write_scenes(tmp_path, count=count, seed=seed)


def test_labels_are_those_with_boxes_inside_the_photo(scenes):
    for scene in scenes:
        assert scene.labels == set(scene.boxes)
        assert all(scene.boxes.values())
        for left, top, right, bottom in (box for boxes in scene.boxes.values() for box in boxes):
            assert 0 <= left < right <= SMALL[0]
            assert 0 <= top < bottom <= SMALL[1]
        assert not any(scene.labels.issuperset(pair) for pair in APART)
        assert "boat" not in scene.labels or "sea" in scene.labels


def test_boxes_are_exactly_those_of_the_painted_pixels():
    for index in range(6):
        assert draw_scene(1, index, (160, 128)).boxes == as_painted((160, 128), 1, index)


@pytest.mark.parametrize(("hidden", "is_kept"), [(15, True), (16, False), (20, False)])
def test_an_object_must_be_visible_by_a_quarter(hidden, is_kept):
    covered = [square(20, (0, 0)), square(40, (20 - hidden, 0), None)]
    assert len(seen_layers(covered, (64, 64))) == 1 + is_kept
    corners = [(-hidden, 9), (9, -hidden), (44 + hidden, 9), (9, 44 + hidden)]
    outside = [square(20, corner) for corner in corners]
    assert len(seen_layers(outside, (64, 64))) == 4 * is_kept


def test_a_removed_object_hides_nothing():
    behind, hidden, before = square(20, (0, 0)), square(20, (0, 0)), square(19, (0, 0), None)
    layers = [behind._replace(corner=(10, 10)), hidden, before]
    kept = seen_layers(layers, (64, 64))
    assert [layer for layer, _ in kept] == [layers[0], before]
    seen = np.argwhere(kept[0][1])
    assert (len(seen), *seen.min(0), *seen.max(0)) == (20 * 20 - 9 * 9, 10, 10, 29, 29)


def test_nothing_hides_most_of_the_sea():
    sea = square(64, (0, 0), "sea")._replace(is_ground=True)
    low, high = square(60, (0, 0), "house"), square(30, (0, 0), "tree")
    kept = [layer.label for layer, _ in seen_layers([sea, low, high], (64, 64))]
    assert kept == ["sea", "tree"]


def test_labels_follow_the_table_of_probabilities_and_make_a_graph():
    assert set(DEPENDENCIES) == set(LABELS)
    assert all("" in rows or set(LIGHTS) <= set(rows) for rows in DEPENDENCIES.values())
    rng = np.random.default_rng(0)
    expected = {
        (label, row): [0, 0, chance]
        for label, rows in DEPENDENCIES.items()
        for row, chance in rows.items()
    }
    table = []
    for _ in range(4000):
        light, labels = draw_labels(rng)
        table.append([label in labels for label in LABELS])
        known: set[str] = {light}
        for label, rows in DEPENDENCIES.items():
            row = next(row for row in rows if known.issuperset(row.split()))
            expected[label, row][0] += label in labels
            expected[label, row][1] += 1
            known |= {label} & labels
    for hits, draws, chance in expected.values():
        assert abs(hits - draws * chance) <= 4 * (draws * chance * (1 - chance)) ** 0.5
    targets = torch.tensor(table, dtype=torch.int8)
    frequency = targets.double().mean(0)
    assert 0.08 <= frequency.min() <= frequency.max() <= 0.7
    space = LabelSpace.from_targets(LABELS, targets)
    edges = edge_probability(space.cooccurrence, GraphConfig(epsilon=0.4)) > 0
    linked = {(LABELS[target], LABELS[source]) for target, source in edges.nonzero().tolist()}
    pairs = set(permutations(LABELS, 2))
    assert len(linked & pairs) >= 10
    assert len(pairs - linked) >= 60
    assert {frozenset({"boat", "sea"}), frozenset({"moon", "star"})} <= set(map(frozenset, linked))


def test_every_label_has_several_looks_and_every_look_can_be_drawn():
    for label, kinds in KINDS.items():
        assert len({kind.draw for kind in kinds}) >= 3
        assert label in COUNTS
    for kind in {*CLUTTER, GRASS}.union(*KINDS.values()):
        for seed in range(4):
            sketch = Sketch()
            kind.draw(sketch, np.random.default_rng(seed))
            assert sketch.picture(20.0).image.getbbox() is not None, kind.draw


@pytest.fixture
def tiny_photos(monkeypatch):
    monkeypatch.setattr("tagsight.demo.scenes.scene.SIZES", ((96, 64), (64, 96)))


@pytest.mark.usefixtures("tiny_photos")
def test_the_readers_understand_a_folder_of_scenes(tmp_path):
    steps: list[tuple[int, int]] = []
    folder = write_scenes(tmp_path, count=20, seed=1, progress=lambda *step: steps.append(step))
    assert steps == [(done, 20) for done in range(1, 21)]
    annotations = read_annotations(folder / "labels.csv")
    boxes = read_boxes(folder / "boxes.json")
    assert annotations.names == LABELS
    assert annotations.split_sizes == {"train": 14, "val": 3, "test": 3}
    for index, path in enumerate(annotations.paths[:4]):
        drawn, found = draw_scene(1, index), boxes.of(path)
        row = annotations.targets[index].tolist()
        assert {name for name, target in zip(LABELS, row, strict=True) if target} == drawn.labels
        assert found.size == drawn.photo.size
        corners = {name: list(map(tuple, c.tolist())) for name, c in found.boxes.items()}
        assert corners == drawn.boxes


def test_several_processes_write_what_one_writes(tmp_path):
    one = write_scenes(tmp_path / "one", count=2, seed=2)
    several = write_scenes(tmp_path / "several", count=2, seed=2, workers=2)
    assert contents(one) == contents(several)


@pytest.mark.usefixtures("tiny_photos")
def test_writing_again_removes_earlier_scenes_and_ends_with_the_labels(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_scenes(tmp_path, count=3, seed=0)
    (tmp_path / "images" / "mine.jpg").write_bytes(b"")
    write_scenes(tmp_path, count=2, seed=0)
    images = {f"images/{name}.jpg" for name in ("mine", "scene-00000", "scene-00001")}
    assert contents(tmp_path).keys() == {"boxes.json", "labels.csv", "notes.txt"} | images

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, count=2, progress=interrupt)
    assert not (tmp_path / "labels.csv").exists()


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
