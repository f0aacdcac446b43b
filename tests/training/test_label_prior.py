"""What the names of labels say before anything is judged."""

import numpy as np
import pytest

from tagsight.config import BackboneConfig
from tagsight.labels.imagenet import CLASSES, imagenet_classes
from tagsight.nn.backbones import build_backbone
from tagsight.nn.class_scores import GAIN
from tagsight.training.label_prior import LabelPrior

NAMES = ["dog", "cow", "mood"]
DOGS, COWS, CATS = (imagenet_classes([name])[0].numpy() for name in ("dog", "cow", "cat"))


@pytest.fixture(scope="module")
def prior():
    return LabelPrior.of_names(NAMES, build_backbone(BackboneConfig(class_scores=True)))


def embedding(prior, probabilities):
    """Make the embedding of a photo all cells of which have these probabilities of classes."""
    whole = np.zeros((1, prior.first + CLASSES), np.float32)
    whole[0, prior.first :] = GAIN * np.sqrt(probabilities / probabilities.sum())
    return whole


def score(prior, probabilities, label):
    logit = prior.logits(embedding(prior, probabilities))[0, label]
    return 1 / (1 + np.exp(-logit))


def test_a_dog_comes_before_a_cat_that_might_be_any_breed_of_dog(prior):
    sure = np.full(CLASSES, 0.4 / CLASSES)
    sure[DOGS.argmax()] = 0.6
    unclear = np.where(DOGS, 0.4 / DOGS.sum(), 0)
    unclear[CATS.argmax()] = 0.6
    assert score(prior, sure, 0) > 0.9
    assert score(prior, unclear, 0) < 0.2
    sums = [np.sqrt(one)[DOGS].sum() for one in (sure, unclear)]
    assert sums[0] < sums[1], "sums of class scores have it the other way round"


@pytest.mark.parametrize("label", [0, 1])
def test_an_encoder_that_knows_nothing_is_sure_of_nothing(prior, label):
    assert score(prior, np.ones(CLASSES), label) < 0.25


def test_a_class_that_is_found_for_sure_is_sure_whatever_else_a_label_stands_for(prior):
    for label, classes in enumerate((DOGS, COWS)):
        found = np.full(CLASSES, 0.1 / CLASSES)
        found[classes.argmax()] = 0.9
        assert score(prior, found, label) > 0.95


def test_a_name_without_classes_says_nothing(prior):
    assert prior.named.tolist() == [True, True, False]
    assert prior.logits(embedding(prior, np.ones(CLASSES)))[0, 2] == 0
    with pytest.raises(ValueError, match="classes of the encoder, got none"):
        LabelPrior().logits(np.zeros((2, 4), np.float32))


def test_what_is_in_cells_averages_to_what_the_name_says_of_the_photo(prior):
    grid = 0.1 * np.random.default_rng(0).random((3, 3, prior.first + CLASSES), np.float32)
    grid[1, 2, prior.first :] = embedding(prior, DOGS + 1e-3)[0, prior.first :]
    cells = prior.cells(grid)
    photo = prior.logits(grid.mean((0, 1))[None])[0]
    np.testing.assert_allclose(cells.mean((0, 1)), photo, atol=1e-4)
    assert cells[..., 0].argmax() == 5
