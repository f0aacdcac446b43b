"""A collection examined for wrong labels."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps
from tiny_run import RUNTIME, SILENT, tiny_collection, tiny_recipe

from tagsight.data.photos.check import check_photos
from tagsight.data.splits.near_twins import near_twins
from tagsight.errors import DataError
from tagsight.training.examination import Examiner


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny_collection(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def examiner():
    return Examiner.of(tiny_recipe(), RUNTIME)


def test_a_map_averages_to_the_logit_by_which_photos_are_compared(rows, examiner):
    check = check_photos(rows.paths, workers=1)
    errors, heads = examiner.label_errors(rows, check, SILENT)
    assert all(rows.targets[error.row, error.label] == error.given for error in errors)
    embeddings = examiner.embeddings(rows.paths, check, SILENT)
    maps = examiner.evidence(rows.paths[5], heads)
    np.testing.assert_allclose(maps.mean((1, 2)), heads.logits(embeddings[5]), rtol=1e-3, atol=1e-3)


def test_features_are_read_from_the_cache_the_second_time(rows, tmp_path):
    frozen = tiny_recipe()
    backbone = frozen.settings.backbone.model_copy(
        update={"name": "tiny_staged", "frozen_stages": 1}
    )
    recipe = frozen.model_copy(
        update={"settings": frozen.settings.model_copy(update={"backbone": backbone})}
    )
    examiner = Examiner.of(recipe, replace(RUNTIME, cache=tmp_path, cache_space=2**30))
    check = check_photos(rows.paths, workers=1)
    once, again = (examiner.embeddings(rows.paths, check, SILENT) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert list(tmp_path.glob("*.features"))


def test_twins_of_the_encoder_are_joined_with_those_of_the_fingerprint(rows, examiner, tmp_path):
    """The tiny network is equivariant, so that a mirrored photo is its twin to it alone."""
    paths = [*rows.paths[:6]]
    with Image.open(paths[0]) as photo:
        ImageOps.mirror(photo).save(tmp_path / "mirrored.png")
        photo.save(tmp_path / "again.webp", lossless=True)
    paths += [tmp_path / "mirrored.png", tmp_path / "again.webp"]
    check = check_photos(paths, workers=1)
    by_look = near_twins(check)
    assert not any(tmp_path / "mirrored.png" in group for group in by_look)
    twins = examiner.twins(paths, check, SILENT)
    found = next(group for group in twins if paths[0] in group)
    assert {*found} >= {paths[0], tmp_path / "mirrored.png"}
    assert all(any(set(group) <= set(other) for other in twins) for group in by_look)


def test_one_photo_cannot_be_compared(rows, examiner):
    one = rows.select([0])
    with pytest.raises(DataError, match="fewer than two"):
        examiner.label_errors(one, check_photos(one.paths, workers=1), SILENT)
