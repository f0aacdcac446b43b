from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image
from tiny import TINY_STAGED, tiny_system
from tiny_run import RUNTIME, SIDE, TEST, TRAIN, VAL, Diary, tiny_collection, tiny_recipe
from torch.testing import assert_close

from tagsight.checkpoint.folder import load_model
from tagsight.config import RandAugmentConfig
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.encoding import Encoder, Rows, can_be_kept, kept_features, wanted_views
from tagsight.nn.backbones import build_backbone
from tagsight.nn.views import ORIGINAL
from tagsight.training.run import train_run

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.runtime.device import Runtime
    from tagsight.training.run import Outcome

BACKBONE = build_backbone(TINY_STAGED).state_dict()


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Annotations:
    return tiny_collection(tmp_path_factory.mktemp("photos"))


@pytest.fixture(autouse=True)
def _same_frozen_weights(monkeypatch):
    """Those of a pretrained network are the same in every run, unlike random ones."""
    import tagsight.systems.base

    def build(config):
        backbone = build_backbone(config)
        backbone.load_state_dict(BACKBONE, strict=False)
        return backbone

    monkeypatch.setattr(tagsight.systems.base, "build_backbone", build)


def hashes(collection: Annotations) -> dict[Path, bytes]:
    return {path: blake2b(path.read_bytes(), digest_size=16).digest() for path in collection.paths}


def keeping(folder: Path, space: int = 2**30) -> Runtime:
    return replace(RUNTIME, cache=folder / "cache", cache_space=space)


def run(
    collection: Annotations, out: Path, runtime: Runtime, log: Diary, name: str = "gcam", **changes
) -> Outcome:
    recipe = tiny_recipe(name, random_flip=True, **changes)
    settings = recipe.settings.model_copy(update={"backbone": TINY_STAGED})
    recipe = recipe.model_copy(update={"settings": settings})
    return train_run(collection, recipe, out, runtime, log=log, hashes=hashes(collection))


@pytest.mark.parametrize("name", ["gcam", "multi-evidence", "knn", "resnet"])
def test_a_run_from_the_cache_is_the_run_from_the_photos(collection, tmp_path, name):
    diaries = Diary(), Diary()
    plain = run(collection, tmp_path / "plain", RUNTIME, diaries[0], name)
    kept = run(collection, tmp_path / "kept", keeping(tmp_path), diaries[1], name)
    assert diaries[1].works[0][:2] == ("frozen stages", TRAIN + VAL)
    assert diaries[1].works[1:] == diaries[0].works
    for one, other in zip(diaries[0].steps, diaries[1].steps, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
    states = [load_model(outcome.model).system.state_dict() for outcome in (plain, kept)]
    assert_close(states[1], states[0], rtol=1e-3, atol=1e-4)


def test_a_second_run_computes_nothing_and_a_changed_photo_only_itself(collection, tmp_path):
    runtime, diary = keeping(tmp_path), Diary()
    first = run(collection, tmp_path / "first", runtime, Diary())
    second = run(collection, tmp_path / "second", runtime, diary)
    assert diary.works == [("frozen stages", 0, [])]
    assert_close(
        load_model(second.model).system.state_dict(),
        load_model(first.model).system.state_dict(),
        rtol=0,
        atol=0,
    )
    other = tmp_path / "other.png"
    Image.effect_noise((40, 30), 50).save(other)
    changed = replace(collection, paths=(other, *collection.paths[1:]), root=None)
    third = Diary()
    run(changed, tmp_path / "third", runtime, third)
    assert third.works == [("frozen stages", 1, [1])]


def test_test_photos_are_not_touched(collection, tmp_path):
    gone = (*collection.paths[:-TEST], *[tmp_path / "gone.png"] * TEST)
    known = {path: hashes(collection)[path] for path in collection.paths[:-TEST]}
    recipe = tiny_recipe()
    train_run(
        replace(collection, paths=gone),
        recipe,
        tmp_path,
        keeping(tmp_path),
        log=Diary(),
        hashes=known,
    )


def test_without_room_the_photos_themselves_are_used_and_it_is_said_why(collection, tmp_path):
    plain, small = Diary(), Diary()
    run(collection, tmp_path / "plain", RUNTIME, plain)
    run(collection, tmp_path / "small", keeping(tmp_path, 70_000), small)
    assert not small.works
    assert [step.losses for step in small.steps] == [step.losses for step in plain.steps]
    assert any("`cache_space`" in note for note in small.notes)


def test_a_folder_that_cannot_be_used_costs_the_speed_only(collection, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    diary = Diary()
    run(collection, tmp_path / "run", keeping(tmp_path), diary)
    assert any("cannot be cached" in note for note in diary.notes)
    assert diary.epochs


def test_nothing_is_kept_of_crops_nor_without_frozen_stages():
    staged = build_backbone(TINY_STAGED)
    whole = build_backbone(TINY_STAGED.model_copy(update={"frozen_stages": 0}))
    assert can_be_kept(staged, Augmentation(SIDE, 1, flip=True, seed=0))
    for change in (
        {"crop": 0.5},
        {"cutout": 0.5},
        {"rand_augment": RandAugmentConfig(operations=1)},
    ):
        changing = replace(Augmentation(SIDE, 1, flip=True, seed=0), **change)
        assert not can_be_kept(staged, changing)
    assert not can_be_kept(whole, Augmentation(SIDE, 1, flip=True, seed=0))


def test_flips_ask_for_the_mirrored_views(collection):
    system = tiny_system("gcam", backbone=TINY_STAGED)
    flip, scale = frozenset({"flip"}), frozenset({"scale"})
    no_flips = Augmentation(SIDE, 1, flip=False, seed=0)
    flips = replace(no_flips, flip=True)
    everything = {ORIGINAL, flip, scale, flip | scale}
    assert set(wanted_views(system, no_flips)) == set(wanted_views(system, flips)) == everything
    linear = tiny_system("resnet", backbone=TINY_STAGED)
    assert list(wanted_views(linear, no_flips)) == [ORIGINAL]
    assert set(wanted_views(linear, flips)) == {ORIGINAL, flip}


def test_features_are_kept_apart_by_all_that_they_depend_on(tmp_path):
    system = tiny_system("resnet", backbone=TINY_STAGED)
    encoder = Encoder(system, SIDE, RUNTIME)
    file = encoder.file(tmp_path)
    assert Encoder(tiny_system("gcam", backbone=TINY_STAGED), SIDE, RUNTIME).file(tmp_path) == file
    assert Encoder(system, 64, RUNTIME).file(tmp_path) == file, "the size is in the view's name"
    assert encoder.grids([ORIGINAL]) != Encoder(system, 64, RUNTIME).grids([ORIGINAL])
    narrow = replace(RUNTIME, precision="bfloat16")
    assert Encoder(system, SIDE, narrow).file(tmp_path) != file
    with torch.no_grad():
        system.backbone.network.cells.weight[0, 0] += 1
    assert encoder.file(tmp_path) == file
    with torch.no_grad():
        system.backbone.frozen[0][0].weight[0, 0] += 1
    assert encoder.file(tmp_path) != file


def test_a_killed_encoding_goes_on_where_it_stood(collection, tmp_path):
    """And gives the same bytes, since a photo's features do not depend on its neighbours."""
    system = tiny_system("gcam", backbone=TINY_STAGED)
    splits = [Rows(collection.paths[:TRAIN], system.views)]
    known = hashes(collection)
    stores = []
    for folder, parts in (("whole", [TRAIN]), ("parts", [7, TRAIN])):
        encoder = Encoder(system, SIDE, keeping(tmp_path / folder))
        for count in parts:
            some = [Rows(collection.paths[:count], system.views)]
            with kept_features(encoder, some, known, Diary()) as kept:
                assert kept is not None
        with kept_features(encoder, splits, known, Diary()) as kept:
            stores.append([kept[0][row] for row in range(TRAIN)])
    for one, other in zip(*stores, strict=True):
        assert_close(one, other, rtol=0, atol=0)
