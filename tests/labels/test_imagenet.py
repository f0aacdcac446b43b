import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.data import ImageNetInfo

from tagsight.labels.imagenet import CLASSES, imagenet_classes

INFO = ImageNetInfo("imagenet-1k")


def classes(name):
    return set(imagenet_classes([name]).nonzero()[:, 1].tolist())


def test_every_class_is_found_by_each_of_its_names_in_the_order_of_the_weights():
    for number in range(CLASSES):
        for name in INFO.index_to_description(number).split(", "):
            assert number in classes(name), (number, name)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [("pug", "dog"), ("dog", "animal"), ("wine bottle", "bottle"), ("minivan", "car")],
)
def test_a_general_name_stands_for_all_that_is_below_it(narrow, wide):
    assert classes(narrow)
    assert classes(narrow) < classes(wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "Dogs"),
        ("wine bottle", "Wine_Bottles"),
        ("hot dog", "hotdog"),
        ("diningtable", "dining-table"),
        ("cell phone", "CellPhone"),
        ("couch", "sofa"),
        ("berry", "berries"),
        ("wolf", "wolves"),
        ("red car", "car"),
        ("Animal|Dog", "dog"),
    ],
)
def test_spelling_number_and_adjectives_do_not_matter(one, other):
    assert classes(one) == classes(other)


@pytest.mark.parametrize("name", ["happiness of 2024", "Hund", "", "42", "no finding", "???"])
def test_what_is_no_english_thing_stands_for_nothing(name):
    assert not classes(name)


@given(st.lists(st.sampled_from(["dog", "cat", "mood", "car"]) | st.text(max_size=9), max_size=4))
def test_a_label_does_not_depend_on_the_others(names):
    together = imagenet_classes(names)
    alone = [imagenet_classes([name]) for name in names]
    assert together.shape == (len(names), CLASSES)
    assert torch.equal(together, torch.cat([torch.zeros(0, CLASSES, dtype=torch.bool), *alone]))
