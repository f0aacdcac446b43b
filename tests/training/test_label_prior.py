"""What the names of labels say before anything is judged."""

from __future__ import annotations

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
    whole = np.zeros((1, prior.expected.shape[1]), np.float32)
    first = prior.classes[0]
    whole[0, first : first + CLASSES] = GAIN * np.sqrt(probabilities / probabilities.sum())
    return whole


def test_a_dog_comes_before_a_cat_that_might_be_any_breed_of_dog(prior):
    sure = np.full(CLASSES, 0.4 / CLASSES)
    sure[DOGS.argmax()] = 0.6
    unclear = np.where(DOGS, 0.4 / DOGS.sum(), 0)
    unclear[CATS.argmax()] = 0.6
    scores = [prior.first_scores(embedding(prior, one))[0, 0] for one in (sure, unclear)]
    assert scores[0] > 0.9
    assert scores[1] < 0.2
    linear = [(embedding(prior, one) @ prior.expected.numpy()[0]).item() for one in (sure, unclear)]
    assert linear[0] < linear[1], "classifiers over class scores have it the other way round"


@pytest.mark.parametrize("label", [0, 1])
def test_an_encoder_that_knows_nothing_is_sure_of_nothing(prior, label):
    assert prior.first_scores(embedding(prior, np.ones(CLASSES)))[0, label] < 0.25


def test_a_class_that_is_found_for_sure_is_sure_whatever_else_a_label_stands_for(prior):
    for label, classes in enumerate((DOGS, COWS)):
        found = np.full(CLASSES, 0.1 / CLASSES)
        found[classes.argmax()] = 0.9
        assert prior.first_scores(embedding(prior, found))[0, label] > 0.95


def test_a_name_without_classes_has_no_score(prior):
    scores = prior.first_scores(embedding(prior, np.ones(CLASSES)))
    assert np.isnan(scores[0]).tolist() == [False, False, True]
    assert prior._replace(expected=None).first_scores(np.zeros((2, 4), np.float32)).shape == (2, 0)
