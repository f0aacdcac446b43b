import pytest
from channels import channels_recognizer, corner

from tagsight.errors import DataError
from tagsight.inference.result import label_index


def test_labels_are_those_found_and_ranked_are_all():
    result = channels_recognizer()(corner("green"))
    assert [label.name for label in result.labels] == ["green"]
    # Red and blue have the same score: they keep their order.
    assert [label.name for label in result.ranked()] == ["green", "red", "blue"]
    assert result.labels == result.ranked()[:1]
    for name in ("Gren", "GREEN", "greene"):
        with pytest.raises(DataError, match=rf"label of the model, got '{name}'.*'green'"):
            result.map(name)


def test_without_a_near_label_all_are_told_as_far_as_there_is_room():
    with pytest.raises(DataError, match="it has red, green"):
        label_index(("red", "green"), "zzz")
    with pytest.raises(DataError) as caught:
        label_index(tuple(map(str, range(10_000))), "zzz")
    assert len(str(caught.value)) < 600
