from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import TINY_STAGED, tiny_system
from tiny_run import RUNTIME, SIDE, TEST, TRAIN, VAL, Diary, tiny_recipe
from torch.testing import assert_close

from tagsight.checkpoint.folder import load_model
from tagsight.config import BackboneConfig, RandAugmentConfig
from tagsight.loading.augmentation import Augmentation
from tagsight.loading.encoding import Encoder, Rows, can_be_kept, kept_features
from tagsight.loading.mixing import Mixing
from tagsight.nn.backbones import build_backbone
from tagsight.nn.views import ORIGINAL
from tagsight.training.run import train_run

BACKBONE = build_backbone(TINY_STAGED).state_dict()


@pytest.fixture
def collection(collection):
    """Its test photos are gone, since a run does not read them."""
    return replace(collection, paths=(*collection.paths[:-TEST], *[Path("gone.png")] * TEST))


@pytest.fixture(autouse=True)
def _same_frozen_weights(monkeypatch):
    """Those of a pretrained network are the same in every run, unlike random ones."""
    import tagsight.systems.base

    def build(config):
        backbone = build_backbone(config)
        backbone.load_state_dict(BACKBONE, strict=False)
        return backbone

    monkeypatch.setattr(tagsight.systems.base, "build_backbone", build)


def hashes(rows):
    return {path: blake2b(path.read_bytes()).digest() for path in rows.paths if path.exists()}


def keeping(folder, space: int = 2**30):
    return replace(RUNTIME, cache=folder / "cache", cache_space=space)


def run(rows, out, runtime, log: Diary, name="gcam", backbone=TINY_STAGED, resize="warp"):
    recipe = tiny_recipe(name, random_flip=True, resize=resize)
    settings = recipe.settings.model_copy(update={"backbone": backbone})
    recipe = recipe.model_copy(update={"settings": settings})
    return train_run(rows, recipe, out, runtime, log=log, hashes=hashes(rows))


def wide(rows, folder):
    """The same photos without a strip above and below."""
    paths = []
    for path in rows.paths:
        paths.append(folder / path.name)
        if path.exists():
            with Image.open(path) as photo:
                photo.crop((0, 6, photo.width, photo.height - 6)).save(paths[-1])
    return replace(rows, paths=tuple(paths), root=folder)


def weights(outcome):
    return load_model(outcome.model).system.state_dict()


TRANSFORMER = BackboneConfig(name="test_vit", weights="none", frozen_stages=4)
"""Its blocks are kept with their class token; the others compute their features twice."""


@pytest.mark.parametrize(
    ("name", "backbone", "resize", "slack"),
    [
        ("gcam", TINY_STAGED, "fit", 1),
        ("multi-evidence", TINY_STAGED, "crop", 1),
        ("knn", TINY_STAGED, "warp", 1),
        ("resnet", TINY_STAGED, "warp", 1),
        ("resnet", TRANSFORMER, "warp", 10),
    ],
    ids=lambda value: value.name if isinstance(value, BackboneConfig) else None,
)
def test_a_run_from_the_cache_is_the_run_from_the_photos(
    collection, tmp_path, name, backbone, resize, slack
):
    diaries, collection = (Diary(), Diary()), wide(collection, tmp_path)
    again = replace(keeping(tmp_path), checkpoint_gradients=backbone is TRANSFORMER)
    plain, kept = (
        run(collection, tmp_path / str(place), runtime, diaries[place], name, backbone, resize)
        for place, runtime in enumerate((RUNTIME, again))
    )
    assert diaries[1].works[0][:2] == ("frozen stages", TRAIN + VAL)
    assert diaries[1].works[1:] == diaries[0].works
    for one, other in zip(diaries[0].steps, diaries[1].steps, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=slack * 1e-4)
    assert_close(weights(kept), weights(plain), rtol=slack * 1e-3, atol=slack * 1e-4)


def test_a_second_run_computes_nothing_and_a_changed_photo_only_itself(collection, tmp_path):
    runtime, diary = keeping(tmp_path), Diary()
    first = run(collection, tmp_path / "first", runtime, Diary())
    second = run(collection, tmp_path / "second", runtime, diary)
    assert diary.works == [("frozen stages", 0, [])]
    assert_close(weights(second), weights(first), rtol=0, atol=0)
    other = tmp_path / "other.png"
    Image.effect_noise((40, 30), 50).save(other)
    changed = replace(collection, paths=(other, *collection.paths[1:]), root=None)
    third = Diary()
    run(changed, tmp_path / "third", runtime, third)
    assert third.works == [("frozen stages", 1, [1])]


def test_without_room_or_folder_the_photos_themselves_are_used_and_it_is_said_why(
    collection, tmp_path
):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "cache").write_text("no folder")
    plain, small, none = Diary(), Diary(), Diary()
    run(collection, tmp_path / "plain", RUNTIME, plain)
    run(collection, tmp_path / "small", keeping(tmp_path, 70_000), small)
    run(collection, tmp_path / "none", keeping(tmp_path / "file"), none)
    for diary, reason in ((small, "`cache_space`"), (none, "cannot be cached")):
        assert not diary.works
        assert [step.losses for step in diary.steps] == [step.losses for step in plain.steps]
        assert any(reason in note for note in diary.notes)


def test_nothing_is_kept_of_crops_nor_without_frozen_stages():
    staged = build_backbone(TINY_STAGED)
    whole = build_backbone(TINY_STAGED.model_copy(update={"frozen_stages": 0}))
    flips = Augmentation(SIDE, 1, flip=True, seed=0)
    assert can_be_kept(staged, flips)
    for change in (
        {"crop": 0.5},
        {"cutout": 0.5},
        {"rand_augment": RandAugmentConfig(operations=1)},
        {"colour": 0.1},
        {"mixing": Mixing(mixup=0.2)},
    ):
        assert not can_be_kept(staged, replace(flips, **change))
    assert not can_be_kept(whole, flips)


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
    known, stores = hashes(collection), []
    for folder, parts in (("whole", [TRAIN]), ("parts", [7, TRAIN])):
        encoder = Encoder(system, SIDE, keeping(tmp_path / folder))
        for count in parts:
            some = [Rows(collection.paths[:count], system.views)]
            with kept_features(encoder, some, known, Diary()) as kept:
                read = [kept[0][row] for row in range(count)]
        stores.append(read)
    for one, other in zip(*stores, strict=True):
        assert_close(one.views, other.views, rtol=0, atol=0)
